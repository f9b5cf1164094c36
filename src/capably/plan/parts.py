"""What of a document an operation is made of, so that it is left out when an error stands there.

An error in one operation does not keep the others from being served; an error in something several share, such as the
authentication of an API, leaves out all of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from capably.diagnostics import Diagnostic, Span
from capably.model.consumes import Consumes
from capably.model.exposes import ExposedResource, Exposes
from capably.model.fields import Record
from capably.model.skills import Skill
from capably.plan.operation import Forward, Operation, Plan, ResourcePlan, ServerPlan, SkillPlan, SkillTool
from capably.plan.prompt import PromptPlan
from capably.plan.target import Candidate

_OF_THE_ENTRY = ("baseUri", "inputParameters", "authentication")


def parts_of(
    server: Exposes, resource: ExposedResource | None, doing: Iterable[Record], called: Iterable[Candidate]
) -> tuple[Span, ...]:
    """The ranges of text that say what an operation does.

    Args:
        server: its server.
        resource: the resource it belongs to, on a REST server.
        doing: the operation, and the flow it refers to.
        called: the consumed operations it calls.
    """
    return tuple(dict.fromkeys(_parts(server, resource, doing, called)))


def _parts(
    server: Exposes, resource: ExposedResource | None, doing: Iterable[Record], called: Iterable[Candidate]
) -> Iterator[Span]:
    yield from (record.node.span for record in doing)
    yield from _written(server, "inputParameters", "authentication")
    if resource is not None:
        yield from _written(resource, "path", "inputParameters")
    for candidate in called:
        yield candidate.operation.node.span
        yield from _written(candidate.resource, "path", "inputParameters")
        yield from _written(candidate.consumes, *_OF_THE_ENTRY)


def parts_of_forward(server: Exposes, resource: ExposedResource, entry: Consumes) -> tuple[Span, ...]:
    """The ranges of text that say what a forward does."""
    ours = (*_written(server, "authentication"), *_written(resource, "path", "forward"))
    return tuple(dict.fromkeys((*ours, *_written(entry, *_OF_THE_ENTRY))))


def parts_of_skill(server: Exposes, skill: Skill) -> tuple[Span, ...]:
    """The ranges of text that say what a skill is; its tools are parts of their own."""
    return (*_written(server, "authentication"), *_written(skill, "name", "location"))


def _written(record: Record, *keys: str) -> Iterator[Span]:
    """Where the values of those keys stand that are written, with the keys themselves."""
    for key in keys:
        if key in record.node.entries:
            yield record.key_span(key)
            yield record.value_span(key)


def without_faulty(plan: Plan, diagnostics: Iterable[Diagnostic]) -> Plan:
    """The plan without what an error keeps from being served."""
    faults = [item.span for item in diagnostics if item.is_error]
    return replace(plan, servers=tuple(_sound(server, faults) for server in plan.servers)) if faults else plan


def _sound(server: ServerPlan, faults: list[Span]) -> ServerPlan:
    def is_sound(item: Operation | Forward | SkillPlan | SkillTool | ResourcePlan | PromptPlan) -> bool:
        return not any(part.contains(fault) for part in item.parts for fault in faults)

    return replace(
        server,
        operations=tuple(item for item in server.operations if is_sound(item)),
        forwards=tuple(item for item in server.forwards if is_sound(item)),
        skills=tuple(
            replace(skill, tools=tuple(tool for tool in skill.tools if is_sound(tool)))
            for skill in server.skills
            if is_sound(skill)
        ),
        resources=tuple(item for item in server.resources if is_sound(item)),
        prompts=tuple(item for item in server.prompts if is_sound(item)),
    )
