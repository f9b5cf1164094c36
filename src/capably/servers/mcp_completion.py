"""Completion: ``completion/complete`` for arguments of prompts and placeholders of resource addresses.

What is offered are the values that the document lists (``enum``); for anything else there is nothing to offer, which is
an answer and no error (MCP 2025-06-18 and later, Completion).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from capably.expr.source import as_text
from capably.plan.operation import ResourcePlan, ServerPlan
from capably.plan.prompt import PromptPlan
from capably.servers.mcp_eras import Context
from capably.servers.mcp_features import ABSENT, Feature, Marks
from capably.servers.mcp_messages import INVALID_PARAMS, Message, ProtocolError, shown
from capably.servers.mcp_prompts import prompt_named

_MOST_VALUES: Final = 100
"""The most values of one answer (MCP 2025-06-18 and later, Completion: Completion Results)."""


def completion(server: ServerPlan, marks: Marks) -> Feature:
    """What a server completes."""
    prompts = {prompt.name: prompt for prompt in server.prompts}
    templates = {item.uri: item for item in server.resources if item.template is not None}
    if not templates and not any(prompt.arguments for prompt in server.prompts):
        return ABSENT

    def complete(message: Message, _context: Context) -> bytes:
        name, begun = _argument(message.params.get("argument"))
        choices = _choices(message.params.get("ref"), name, prompts, templates)
        return marks.result({"completion": _completion(choices, begun)})

    return Feature({"completion/complete": complete}, {"completions": {}})


def _argument(given: object) -> tuple[str, str]:
    name, value = (given.get("name"), given.get("value")) if isinstance(given, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(value, str):
        message = "Invalid params: `argument` must be an object with the strings `name` and `value`"
        raise ProtocolError(INVALID_PARAMS, message)
    return name, value


def _choices(
    ref: object, name: str, prompts: Mapping[str, PromptPlan], templates: Mapping[str, ResourcePlan]
) -> Sequence[str]:
    """The values that the document lists for an argument."""
    kind = ref.get("type") if isinstance(ref, dict) else None
    if kind == "ref/prompt" and isinstance(ref, dict):
        prompt = prompt_named(prompts, ref.get("name"))
        found = {argument.name: argument.choices for argument in prompt.arguments}
        return _known(found, name, f"the prompt `{prompt.name}`")
    if kind == "ref/resource" and isinstance(ref, dict):
        template = templates.get(str(ref.get("uri")))
        if template is None or template.operation is None:
            raise ProtocolError(INVALID_PARAMS, f"Unknown resource template: {shown(ref.get('uri'))}")
        placeholders = template.template.names if template.template is not None else ()
        listed = {item.wire_name: item.schema.get("enum") or () for item in template.operation.inputs}
        found = {each: tuple(as_text(choice) for choice in listed.get(each, ())) for each in placeholders}
        return _known(found, name, f"`{template.uri}`")
    message = "Invalid params: `ref` must be of the type `ref/prompt` or `ref/resource`"
    raise ProtocolError(INVALID_PARAMS, message)


def _known(found: Mapping[str, tuple[str, ...]], name: str, owner: str) -> Sequence[str]:
    if name not in found:
        known = ", ".join(f"`{each}`" for each in found) or "none"
        raise ProtocolError(INVALID_PARAMS, f"Invalid params: {owner} has no argument `{shown(name)}`: known: {known}")
    return found[name]


def _completion(choices: Iterable[str], begun: str) -> dict[str, Any]:
    """Values that begin as the client's does, then those that hold it, ignoring case."""
    folded = begun.casefold()
    fitting = [choice for choice in choices if folded in choice.casefold()]
    fitting.sort(key=lambda choice: not choice.casefold().startswith(folded))
    shown_values = fitting[:_MOST_VALUES]
    return {"values": shown_values, "total": len(fitting), "hasMore": len(fitting) > len(shown_values)}
