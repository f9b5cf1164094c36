"""A run, its thread's messages and its own steps, made into what a responder is asked. Pure."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

from capably.threads.objects import Json, Message, Run, RunStep
from capably.threads.responder import Prompt, Turn

# No tokenizer fits every model; four characters a token is the usual estimate for English text.
CHARACTERS_PER_TOKEN = 4
PASSED_ON = ("temperature", "top_p", "reasoning_effort")


Group = tuple[Turn, ...]  # turns that are shown together or not at all: calls are never without their outputs


def build_prompt(
    run: Run, messages: Sequence[Message], steps: Sequence[RunStep] = (), tools: Sequence[Json] = ()
) -> Prompt:
    """The prompt for the next turn of a run.

    Args:
        run: whose instructions, limits and sampling options apply.
        messages: all messages of its thread, oldest first.
        steps: the steps that called tools in this run and in earlier ones, oldest first, each with all its outputs.
            Those of earlier runs are shown beside their messages if this run can call tools too; a model that
            cannot may not know what they are.
        tools: the functions the model may call, as the chat-completions API writes them.
    """
    said = [message for message in messages if _sayable(message)]
    called = [step for step in steps if tools or step.run_id == run.id]
    before = _before(run.id, said, called)
    since = _told(run.id, said, called)
    system = [Turn("system", run.instructions)] if run.instructions else []
    turns = (*system, *itertools.chain(*_truncate(run, before), *since))
    return Prompt(run.model, turns, _options(run, tools))


def _before(run_id: str, said: Sequence[Message], steps: Sequence[RunStep]) -> list[Group]:
    """The thread up to a run; the messages of an earlier run stand together, so its calls stand with the first."""
    groups: list[Group] = []
    told = {run_id}
    for message in said:
        if message.run_id is None or message.turn is None:
            groups.append((_turn(message),))
        elif message.run_id not in told:
            told.add(message.run_id)
            groups += _told(message.run_id, said, steps)
    return groups


def _told(run_id: str, said: Sequence[Message], steps: Sequence[RunStep]) -> list[Group]:
    """What a run has said and called so far: each turn's text and calls are one message again."""
    own = {message.turn: _turn(message) for message in said if message.run_id == run_id and message.turn is not None}
    calling = {step.turn: step for step in steps if step.run_id == run_id}
    groups: list[Group] = []
    for number in sorted(own.keys() | calling.keys()):
        text = own[number].content if number in own else None
        if number not in calling:
            groups.append((Turn("assistant", text),))
            continue
        calls = calling[number].step_details["tool_calls"]
        speaking = Turn("assistant", text, tuple(_call(call) for call in calls))
        groups.append((speaking, *(Turn("tool", call_output(call), tool_call_id=call["id"]) for call in calls)))
    return groups


def _call(call: Json) -> Json:
    function = (
        call["function"] if call["type"] == "function" else {"name": call["called"], "arguments": call["arguments"]}
    )
    named = {name: function[name] for name in ("name", "arguments")}
    return {"id": call["id"], "type": "function", "function": named}


def call_output(call: Json) -> str | None:
    """What a call in a step's details gave, or None while it has given nothing."""
    output = call["function"]["output"] if call["type"] == "function" else call["output"]
    return None if output is None else str(output)


def _sayable(message: Message) -> bool:
    """A reply that broke off in a failure is left out: the model would take it for its own words and go on."""
    if message.status == "in_progress":
        return False
    cut = message.incomplete_details
    return cut is None or cut.reason == "max_tokens"


def _turn(message: Message) -> Turn:
    if all(part["type"] == "text" for part in message.content):
        return Turn(message.role, "\n".join(part["text"]["value"] for part in message.content))
    return Turn(message.role, [_part(part) for part in message.content])


def _part(part: Json) -> Json:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]["value"]}
    if part["type"] == "image_file":
        return {"type": "text", "text": f"[the image {part['image_file']['file_id']}, which cannot be shown here]"}
    return part


def _truncate(run: Run, groups: list[Group]) -> list[Group]:
    """The newest turns that fit `truncation_strategy`, which counts messages, and `max_prompt_tokens`.

    The last one always does.
    """
    if run.truncation_strategy["type"] == "last_messages":
        texts = [place for place, group in enumerate(groups) if group[0].content is not None]
        groups = groups[texts[-min(run.truncation_strategy["last_messages"], len(texts))] :] if texts else groups
    if run.max_prompt_tokens is None:
        return groups
    room = run.max_prompt_tokens * CHARACTERS_PER_TOKEN - len(run.instructions)
    kept: list[Group] = []
    for group in reversed(groups):
        room -= sum(_length(turn) for turn in group)
        if room < 0 and kept:
            break
        kept.append(group)
    return kept[::-1]


def _length(turn: Turn) -> int:
    return len(turn.text) + sum(len(call["function"]["arguments"]) for call in turn.tool_calls)


def _options(run: Run, tools: Sequence[Json]) -> dict[str, Any]:
    given = {name: getattr(run, name) for name in PASSED_ON}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if run.max_completion_tokens is not None:
        spent = run.spent.completion_tokens if run.spent else 0
        options["max_completion_tokens"] = max(1, run.max_completion_tokens - spent)
    if run.response_format != "auto":
        options["response_format"] = run.response_format
    if tools:
        options |= {"tools": list(tools), "parallel_tool_calls": run.parallel_tool_calls}
        # Insisting again after the first calls would never let the model answer.
        if run.tool_choice != "auto" and (run.turn == 0 or run.tool_choice == "none"):
            options["tool_choice"] = _choice(run.tool_choice)
    return options


def _choice(choice: str | Json) -> str | Json:
    """A tool choice as the chat-completions API knows it: it has functions only."""
    if isinstance(choice, str) or (choice["type"] == "function" and choice.get("function")):
        return choice
    return "required"


def functions(tools: Sequence[Json]) -> list[Json]:
    """The functions among an assistant's tools, as the chat-completions API writes them."""
    return [{"type": "function", "function": tool["function"]} for tool in tools if tool["type"] == "function"]


def as_arguments(text: str) -> dict[str, Any]:
    """The arguments of a call, which the model wrote as JSON.

    Raises:
        ValueError: if they are not a JSON object.
    """
    found = json.loads(text or "{}")
    if not isinstance(found, dict):
        raise ValueError("the arguments are not a JSON object")  # noqa: TRY004 - the model's value, not a type of ours
    return found
