"""Flows: several steps behind one operation, and the aggregates that hold flows for every server."""

from dataclasses import dataclass

from capably.document import Node
from capably.model.fields import OURS, Record, key
from capably.model.values import Output, Parameter

KINDS_OF_STEP = ("call", "lookup", "script", "transform", "elicit", "sample", "roots", "log")
LOG_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
ON_ERROR = ("stop", "continue", "fallback")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord(Record):
    """One step of a flow."""

    name: str | None = key("name", "Its name; later steps read its result by it.")
    type: str | None = key(
        "type",
        "What it does: call, lookup or script; ours: transform, elicit, sample, roots, log.",
        one_of=KINDS_OF_STEP,
    )
    display: str | None = key("display", "A title for people.", since=OURS)
    description: str | None = key("description", "What it is for.", since=OURS)
    call: str | None = key("call", "The consumed operation: `namespace.operation`.")
    with_: dict[str, Node] | None = key("with", "Values for parameters, or for a script's context.")
    index: str | None = key("index", "Lookup: the earlier step whose result is searched.")
    match: str | None = key("match", "Lookup: the field of its entries that is compared.")
    lookup_value: Node | None = key("lookupValue", "Lookup: what to find, or a list of that.")
    outputs: Node | None = key("outputParameters", "Lookup: the fields that are wanted.")
    language: str | None = key("language", "Script: javascript or python.")
    location: str | None = key("location", "Script: the folder of its files; the document's when absent.")
    file: str | None = key("file", "Script: the main file.")
    dependencies: tuple[str, ...] = key("dependencies", "Script: files that run before it.", default=())
    value: Node | None = key("value", "Transform: the value it makes, of templates and paths.", since=OURS)
    message: str | None = key(
        "message", "Elicit and sample: what the caller is asked. Log: what it is told.", since=OURS
    )
    level: str | None = key("level", "Log: how severe it is (info).", one_of=LOG_LEVELS, since=OURS)
    schema: Node | None = key("schema", "Elicit: the JSON Schema of the answer.", since=OURS)
    system: str | None = key("system", "Sample: the system prompt.", since=OURS)
    max_tokens: int | None = key("maxTokens", "Sample: the most tokens of the answer (1000).", since=OURS)
    condition: Node | None = key("condition", "The step is left out unless this holds.", since=OURS)
    for_each: Node | None = key("forEach", "A list: the step is done for each of its elements.", since=OURS)
    on_error: str | None = key(
        "onError", "What a failure does: stop (default), continue or fallback.", one_of=ON_ERROR, since=OURS
    )
    fallback: Node | None = key("fallback", "The result of a step that failed.", since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopRecord(Record):
    """How a step is done for each element of a list."""

    in_: Node | None = key("in", "The list.", required=True)
    as_: str | None = key("as", "The name of the element at hand (item).")
    index: str | None = key("index", "The name of its number, from 0 (index).")
    concurrency: int | None = key("concurrency", "How many elements at once: 4, or 1 where a step changes something.")
    most: int | None = key("max", "More elements than this fail the step (1000).")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMapping(Record):
    """A field of the answer that is made of step results."""

    target: str = key("target", "The field; dots lead into objects.", required=True)
    value: Node | None = key("value", "A path such as `$.step.field`, a template or a constant.", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Semantics(Record):
    """What running a flow means to the world."""

    safe: bool | None = key("safe", "It changes nothing.")
    idempotent: bool | None = key("idempotent", "Running it twice is like running it once.")
    cacheable: bool | None = key("cacheable", "Its answer may be kept.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateFlow(Record):
    """A flow that operations and tools use with `ref`."""

    name: str = key("name", "The name after the dot in `ref`.", required=True)
    display: str | None = key("display", "A title for people.")
    description: str | None = key("description", "What it does.")
    tags: tuple[str, ...] = key("tags", "Words to group by.", default=(), since="1.0.0-alpha3")
    semantics: Semantics | None = key("semantics", "What running it means to the world.")
    inputs: tuple[Parameter, ...] = key("inputParameters", "What it is given.", default=())
    call: str | None = key("call", "The consumed operation: `namespace.operation`.")
    with_: dict[str, Node] | None = key("with", "Values for the consumed operation's parameters.")
    steps: tuple[StepRecord, ...] = key("steps", "Several steps in a row.", default=())
    mappings: tuple[StepMapping, ...] = key("mappings", "How step results become the answer.", default=())
    outputs: tuple[Output, ...] = key("outputParameters", "What the answer is made of.", default=())
    output_media_type: str | None = key("outputMediaType", "The media type of a binary answer.", since="1.0.0-beta1")
    deadline: str | None = key("deadline", "The longest it may take, such as 30s.", since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Record):
    """Flows of one subject, defined once and used by every server."""

    namespace: str | None = key("namespace", "The name before the dot in `ref`.")
    display: str | None = key("display", "A title for people.")
    description: str | None = key("description", "What it is about.", since=OURS)
    flows: tuple[AggregateFlow, ...] = key("flows", "Its flows (`functions` until 1.0.0-alpha2).", default=())
