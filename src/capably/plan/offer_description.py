"""Resources and prompts of a plan as data, for ``capably plan``."""

from typing import Annotated, TypedDict

from msgspec import Meta

from capably.plan.consumed import Consumed
from capably.plan.operation import ResourcePlan
from capably.plan.prompt import PromptPlan


class ResourceDescription(TypedDict):
    """What MCP clients can read."""

    namespace: Annotated[str, Meta(description="Its server's name.")]
    name: str
    uri: Annotated[str, Meta(description="Its address; {x} is a placeholder, files of a folder stand below it.")]
    title: str
    description: str
    mime_type: Annotated[str, Meta(description="Its media type; empty when the content tells it.")]
    source: Annotated[
        str,
        Meta(description="Where it comes from: a path, the consumed operation that is called, or the document itself."),
    ]
    scopes: Annotated[list[str], Meta(description="What callers' tokens must grant, besides the server's own scopes.")]
    line: Annotated[int, Meta(description="The line of the document it stands on.")]


class PromptDescription(TypedDict):
    """A prompt that people choose in an MCP client."""

    namespace: Annotated[str, Meta(description="Its server's name.")]
    name: str
    title: str
    description: str
    arguments: Annotated[list[str], Meta(description="What it is filled with; `?` ends the name of an optional one.")]
    scopes: Annotated[list[str], Meta(description="What callers' tokens must grant, besides the server's own scopes.")]
    line: Annotated[int, Meta(description="The line of the document it stands on.")]


def describe_resource(namespace: str, resource: ResourcePlan) -> ResourceDescription:
    """One resource."""
    return {
        "namespace": namespace,
        "name": resource.name,
        "uri": resource.uri,
        "title": resource.title,
        "description": resource.description,
        "mime_type": resource.mime_type,
        "source": _source(resource),
        "scopes": list(resource.scopes),
        "line": resource.span.line,
    }


def _source(resource: ResourcePlan) -> str:
    if resource.path is not None:
        return str(resource.path)
    work = resource.operation.work if resource.operation is not None else None
    if isinstance(work, Consumed):
        return f"{work.target.namespace}.{work.target.operation}"
    return work.decided_by if work is not None else ""


def describe_prompt(namespace: str, prompt: PromptPlan) -> PromptDescription:
    """One prompt."""
    return {
        "namespace": namespace,
        "name": prompt.name,
        "title": prompt.title,
        "description": prompt.description,
        "arguments": [f"{argument.name}{'' if argument.required else '?'}" for argument in prompt.arguments],
        "scopes": list(prompt.scopes),
        "line": prompt.span.line,
    }
