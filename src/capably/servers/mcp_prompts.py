"""Prompts: ``prompts/list`` and ``prompts/get``."""

from collections.abc import Mapping
from typing import Any

from capably.diagnostics import did_you_mean
from capably.plan.caller import Ability, Caller, Question
from capably.plan.gate import Gate
from capably.plan.operation import ServerPlan
from capably.plan.outcome import Fault
from capably.plan.prompt import ArgumentPlan, PromptPlan
from capably.servers.gatekeeper.challenges import allow
from capably.servers.mcp_eras import Context
from capably.servers.mcp_features import ABSENT, Dialogue, Feature, Handler, Marks
from capably.servers.mcp_messages import INVALID_PARAMS, Message, ProtocolError, shown
from capably.servers.mcp_pages import listing
from capably.servers.mcp_results import content_of
from capably.servers.mcp_views import Entry

_MOST_STRAYS = 5  # of a caller's names, of which there may be any number


def prompts(server: ServerPlan, marks: Marks) -> Feature:
    """The prompts of a server, in the order of the document."""
    if not server.prompts:
        return ABSENT
    by_name = {prompt.name: prompt for prompt in server.prompts}
    listed = listing("prompts", [Entry(prompt.scopes, _entry(prompt)) for prompt in server.prompts], marks)
    methods = {"prompts/list": listed.handler, "prompts/get": _getting(by_name, server.gate, marks)}
    return Feature(methods, {"prompts": {"listChanged": True}}, {"prompts": listed.everything})


def prompt_named(by_name: Mapping[str, PromptPlan], name: object) -> PromptPlan:
    """A prompt by its name.

    Raises:
        ProtocolError: there is none.
    """
    if not isinstance(name, str):
        raise ProtocolError(INVALID_PARAMS, "Invalid params: `name` must be a string")
    prompt = by_name.get(name)
    if prompt is None:
        hint = "".join(f" ({advice})" for advice in did_you_mean(shown(name), by_name))
        raise ProtocolError(INVALID_PARAMS, f"Unknown prompt: {shown(name)}{hint}")
    return prompt


def _entry(prompt: PromptPlan) -> dict[str, Any]:
    """One entry of the list (MCP 2025-06-18 and later, Schema: Prompt)."""
    entry: dict[str, Any] = {"name": prompt.name, **_described(prompt)}
    if prompt.arguments:
        entry["arguments"] = [
            {"name": argument.name, **_described(argument), "required": argument.required}
            for argument in prompt.arguments
        ]
    return entry


def _described(item: PromptPlan | ArgumentPlan) -> dict[str, str]:
    said = {"title": item.title, "description": item.description}
    return {key: text for key, text in said.items() if text}


def _getting(by_name: Mapping[str, PromptPlan], gate: Gate | None, marks: Marks) -> Handler:
    def get(message: Message, context: Context) -> bytes | Dialogue:
        prompt = prompt_named(by_name, message.params.get("name"))
        allow(gate, context.principal, prompt.scopes)
        given = message.params.get("arguments")
        asked = _asked(prompt, given)
        if not asked:
            return _filled(prompt, _checked(prompt, given), marks)

        async def hold(caller: Caller) -> bytes:
            answer = await caller.ask(_question(prompt, asked))
            if answer.action != "accept":
                raise ProtocolError(INVALID_PARAMS, f"Invalid params: what `{prompt.name}` needs was not given")
            told = {argument.name: answer.content.get(argument.name) for argument in asked}
            return _filled(prompt, _checked(prompt, {**(given or {}), **told}), marks)

        return Dialogue(prompt.name, hold, _refused)

    return get


def _refused(fault: Fault) -> bytes:
    raise ProtocolError(INVALID_PARAMS, f"Invalid params: {fault.detail}")


def _asked(prompt: PromptPlan, given: object) -> tuple[ArgumentPlan, ...]:
    """The arguments that are missing, when each of them can be asked for."""
    if not isinstance(given, Mapping | None):
        return ()
    missing = tuple(argument for argument in prompt.arguments if _is_missing(argument, given or {}))
    return missing if all(argument.question for argument in missing) else ()


def _question(prompt: PromptPlan, asked: tuple[ArgumentPlan, ...]) -> Question:
    """One form for all that is missing (MCP 2025-11-25, Elicitation: Requested Schema)."""
    fields: dict[str, Any] = {}
    for argument in asked:
        fields[argument.name] = {"type": "string", "title": argument.title or argument.name}
        if argument.description:
            fields[argument.name]["description"] = argument.description
        if argument.choices:
            fields[argument.name]["enum"] = list(argument.choices)
    schema = {"type": "object", "properties": fields, "required": list(fields)}
    return Question(prompt.name, Ability.ELICIT, "\n".join(argument.question for argument in asked), schema)


def _filled(prompt: PromptPlan, arguments: Mapping[str, str], marks: Marks) -> bytes:
    messages = [{"role": role, "content": content_of(content.tell(arguments))} for role, content in prompt.messages]
    described = {"description": prompt.description} if prompt.description else {}
    return marks.result({**described, "messages": messages})


def _checked(prompt: PromptPlan, given: object) -> Mapping[str, str]:
    """The arguments of a call.

    Raises:
        ProtocolError: with everything that is wrong (MCP 2025-06-18 and later, Prompts: Error Handling).
    """
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise ProtocolError(INVALID_PARAMS, "Invalid params: `arguments` must be an object")
    known = [argument.name for argument in prompt.arguments]
    wrong = [f"`{argument.name}` is required" for argument in prompt.arguments if _is_missing(argument, given)]
    wrong += [f"`{name}` must be a string" for name in known if not isinstance(given.get(name), str | None)]
    for name in [name for name in given if name not in known][:_MOST_STRAYS]:
        advice = next(iter(did_you_mean(name[:40], known)), "this prompt takes none")
        wrong.append(f"there is no argument `{name[:40]}`: {advice}")
    if wrong:
        raise ProtocolError(INVALID_PARAMS, f"Invalid params: {'; '.join(wrong)}")
    return {name: value for name, value in given.items() if value is not None}


def _is_missing(argument: ArgumentPlan, given: Mapping[str, Any]) -> bool:
    return argument.required and given.get(argument.name) is None
