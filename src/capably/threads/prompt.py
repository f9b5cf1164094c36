"""A run and its thread's messages, made into what a responder is asked. Pure."""

from collections.abc import Sequence
from typing import Any

from capably.threads.objects import Message, Run
from capably.threads.responder import Prompt, Turn

# No tokenizer fits every model; four characters a token is the usual estimate for English text.
CHARACTERS_PER_TOKEN = 4
PASSED_ON = ("temperature", "top_p", "max_completion_tokens", "reasoning_effort")


def build_prompt(run: Run, messages: Sequence[Message]) -> Prompt:
    """The prompt for a run.

    Args:
        run: whose instructions, limits and sampling options apply.
        messages: all messages of its thread, oldest first.
    """
    turns = _truncate(run, [_turn(message) for message in messages if _sayable(message)])
    system = [Turn("system", run.instructions)] if run.instructions else []
    return Prompt(run.model, (*system, *turns), _options(run))


def _sayable(message: Message) -> bool:
    """A reply that broke off in a failure is left out: the model would take it for its own words and go on."""
    cut = message.incomplete_details
    return cut is None or cut.reason == "max_tokens"


def _turn(message: Message) -> Turn:
    if all(part["type"] == "text" for part in message.content):
        return Turn(message.role, "\n".join(part["text"]["value"] for part in message.content))
    return Turn(message.role, [_part(part) for part in message.content])


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]["value"]}
    return part


def _truncate(run: Run, turns: list[Turn]) -> list[Turn]:
    """The newest turns that fit `truncation_strategy` and `max_prompt_tokens`; the last one always does."""
    if run.truncation_strategy["type"] == "last_messages":
        turns = turns[-run.truncation_strategy["last_messages"] :]
    if run.max_prompt_tokens is None:
        return turns
    room = run.max_prompt_tokens * CHARACTERS_PER_TOKEN - len(run.instructions)
    kept: list[Turn] = []
    for turn in reversed(turns):
        room -= len(turn.text)
        if room < 0 and kept:
            break
        kept.append(turn)
    return kept[::-1]


def _options(run: Run) -> dict[str, Any]:
    given = {name: getattr(run, name) for name in PASSED_ON}
    options = {name: value for name, value in given.items() if value is not None}
    if run.response_format != "auto":
        options["response_format"] = run.response_format
    return options
