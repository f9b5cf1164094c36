"""Rules about operations with steps and the flows of aggregates."""

from collections.abc import Iterable, Iterator

from capably.diagnostics import Diagnostic, warning
from capably.model.capability import Capability
from capably.model.exposes import Exposed, ExposedOperation
from capably.model.fields import OURS, Record
from capably.model.flows import AggregateFlow, StepRecord
from capably.plan.compile import Compiled
from capably.plan.consumed import Consumed
from capably.plan.sites import sites
from capably.plan.step_order import SAFE, is_safe
from capably.plan.steps import CallTask, Flow

_EXTENSIONS: dict[type[Record], tuple[str, ...]] = {}
_OF_A_FLOW = ("deadline", "confirm")
_KINDS_OF_OURS = frozenset({"transform", "elicit", "sample", "roots", "log"})


def semantics_at_odds(capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """Semantics of a flow that its steps, or the methods it is exposed with, contradict."""
    changing = _changing(compiled)
    for server in capability.exposes:
        for site in sites(server, []):
            flow = _flow_of(capability, site.exposed)
            stated = flow.semantics if flow is not None else None
            if flow is None or stated is None or stated.safe is None:
                continue
            is_get = isinstance(site.exposed, ExposedOperation) and site.method in SAFE
            if not stated.safe and is_get:
                message = f"`{site.exposed.ref}` changes something, but it is exposed as {site.method}"
                advice = "expose it as POST; clients repeat a GET as they like"
                yield warning("FLW009", message, site.exposed.value_span("method"), advice)
            method = changing.get(site.exposed.node.span)
            if stated.safe and method is not None:
                message = f"`{site.exposed.ref}` is said to be safe, but it makes a {method} request"
                yield warning("FLW009", message, stated.value_span("safe"), "write `safe: false`, or remove it")


def _flow_of(capability: Capability, exposed: Exposed) -> AggregateFlow | None:
    for aggregate in capability.aggregates:
        for flow in aggregate.flows:
            if exposed.ref == f"{aggregate.namespace}.{flow.name}":
                return flow
    return None


def _changing(compiled: Compiled) -> dict[object, str]:
    """The method with which an operation changes something, by the place of the operation."""
    found: dict[object, str] = {}
    for server in compiled.plan.servers:
        for operation in server.operations:
            work = operation.work
            calls = _calls(work) if isinstance(work, Flow) else [work] if isinstance(work, Consumed) else []
            unsafe = next((call.target.method for call in calls if not is_safe(call)), None)
            if unsafe is not None and operation.parts:
                found[operation.parts[0]] = unsafe
    return found


def _calls(flow: Flow) -> Iterable[Consumed]:
    return [step.task.consumed for step in flow.steps if isinstance(step.task, CallTask)]


def extension_used(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """Keys of flows that no published version of the language has."""
    for record in _flows(capability):
        for key in _OF_A_FLOW:
            if key in record.node.entries:
                yield _extension(record, key, f"`{key}`")
        for step in record.steps:
            for key in _keys_of_ours(StepRecord):
                if key in step.node.entries:
                    yield _extension(step, key, f"`{key}`")
            if step.type in _KINDS_OF_OURS:
                yield _extension(step, "type", f"`type: {step.type}`")


def _extension(record: Record, key: str, what: str) -> Diagnostic:
    message = f"{what} is an extension of capably: no published version of the language has it"
    return warning("FLW010", message, record.key_span(key), "capably runs it; other engines do not")


def _keys_of_ours(kind: type[Record]) -> tuple[str, ...]:
    if kind not in _EXTENSIONS:
        declared = (item.metadata for item in kind.__dataclass_fields__.values() if "key" in item.metadata)
        _EXTENSIONS[kind] = tuple(item["key"] for item in declared if item["since"] == OURS)
    return _EXTENSIONS[kind]


def _flows(capability: Capability) -> Iterator[Exposed | AggregateFlow]:
    for server in capability.exposes:
        yield from (site.exposed for site in sites(server, []))
    for aggregate in capability.aggregates:
        yield from aggregate.flows
