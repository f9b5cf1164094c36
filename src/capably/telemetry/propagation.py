"""Traces that callers tell in headers, and those that are told to upstreams.

W3C Trace Context Level 2, and B3 as Zipkin has it (https://github.com/openzipkin/b3-propagation): one header ``b3``, or
one ``X-B3-*`` for each part. What is malformed is left out, and nothing fails because of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from capably.plan.trace_context import BAGGAGE, PARENT, STATE, TraceContext, trace_of_headers
from capably.telemetry.recording import Recording
from capably.telemetry.settings import Propagation
from capably.upstream.request import Request

RawHeaders: TypeAlias = Iterable[tuple[bytes, bytes]]

_SAMPLED: Final = 1
_SINGLE: Final = re.compile(
    r"(?P<trace>[0-9a-f]{16}|[0-9a-f]{32})-(?P<span>[0-9a-f]{16})(?:-(?P<sampled>[01d])(?:-[0-9a-f]{16})?)?"
)
_DECISIONS: Final = {"0": False, "1": True, "d": True, "false": False, "true": True}
_B3: Final = {
    b"b3": "b3",
    b"x-b3-traceid": "trace",
    b"x-b3-spanid": "span",
    b"x-b3-sampled": "sampled",
    b"x-b3-flags": "flags",
}


@dataclass(frozen=True, slots=True)
class Parent:
    """The span of a caller: its numbers, 0 when it only says whether to record (``is_sampled``, if it does)."""

    trace_id: int = 0
    span_id: int = 0
    is_sampled: bool | None = None
    state: str = ""


NOBODY: Final = Parent()


def parent_of(headers: RawHeaders, propagation: Propagation) -> Parent:
    """The span that a request's headers tell; names are in lower case."""
    if propagation is Propagation.W3C:
        for name, _value in headers:
            if name == b"traceparent":
                return parent_in(trace_of_headers(headers))
        return NOBODY
    told = {_B3[name]: value.decode("latin-1").strip() for name, value in headers if name in _B3}
    return _b3(told) if told else NOBODY


def parent_in(trace: TraceContext) -> Parent:
    """The span that a checked W3C trace tells."""
    told = dict(trace.headers)
    stated = told.get(PARENT)
    if stated is None:
        return NOBODY
    _version, trace_id, span_id, flags, *_later = stated.split("-")
    return Parent(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & _SAMPLED), told.get(STATE, ""))


def _b3(told: dict[str, str]) -> Parent:
    """The single header wins over the others, as B3 has it."""
    single = told.get("b3", "").lower()
    if match := _SINGLE.fullmatch(single):
        return _numbered(match["trace"], match["span"], match["sampled"] or "")
    if single in _DECISIONS:
        return Parent(is_sampled=_DECISIONS[single])
    decision = "d" if told.get("flags") == "1" else told.get("sampled", "").lower()
    trace, span = told.get("trace", "").lower(), told.get("span", "").lower()
    if _SINGLE.fullmatch(f"{trace}-{span}"):
        return _numbered(trace, span, decision)
    return Parent(is_sampled=_DECISIONS.get(decision))


def _numbered(trace: str, span: str, decision: str) -> Parent:
    trace_id, span_id, is_sampled = int(trace, 16), int(span, 16), _DECISIONS.get(decision)
    return Parent(trace_id, span_id, is_sampled) if trace_id and span_id else Parent(is_sampled=is_sampled)


def with_parent(request: Request, span: Recording, propagation: Propagation, caller: TraceContext) -> Request:
    """The request that tells an upstream that ``span`` is its parent, unless the document tells it something else.

    Args:
        request: what is sent.
        span: the span of the call.
        propagation: in which headers it is told.
        caller: what the caller told, of which some goes along unchanged.
    """
    if propagation is not Propagation.W3C or caller.headers or span.tree.state:
        return told_by(span, propagation, caller).joined_to(request)
    for name, _value in request.headers:  # nearly every call: there is nothing but our own to tell
        if len(name) == _LENGTH and name.lower() == PARENT:
            return request
    return request.with_headers(((PARENT, _written(span)),))


def _written(span: Recording) -> str:
    tree = span.tree
    return f"00-{tree.trace_id:032x}-{span.span_id:016x}-0{'1' if tree.is_sampled else '0'}"


_LENGTH: Final = len(PARENT)


def told_by(span: Recording, propagation: Propagation, caller: TraceContext) -> TraceContext:
    """What tells an upstream that ``span`` is its parent, with what goes along unchanged from the caller."""
    tree = span.tree
    if propagation is Propagation.W3C:
        parent = (PARENT, _written(span))
        state = ((STATE, tree.state),) if tree.state else ()
        baggage = tuple(pair for pair in caller.headers if pair[0] == BAGGAGE) if caller.headers else ()
        return TraceContext((parent, *state, *baggage))
    flag = "1" if tree.is_sampled else "0"
    if propagation is Propagation.B3_SINGLE:
        return TraceContext((("b3", f"{tree.trace_id:032x}-{span.span_id:016x}-{flag}"), *caller.headers))
    trace, number = f"{tree.trace_id:032x}", f"{span.span_id:016x}"
    ours = (("x-b3-traceid", trace), ("x-b3-spanid", number), ("x-b3-sampled", flag))
    return TraceContext((*ours, *caller.headers))
