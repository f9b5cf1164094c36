"""Runs an operation of one call without doing I/O: yields the call, receives the reply, returns the outcome.

Whoever drives the generator performs the calls: the runtime over HTTP, a test with made-up replies. Operations with
steps are run by :mod:`capably.plan.interpreter`.
"""

from collections.abc import Generator
from typing import Any

import msgspec

from capably.payload.decode import PayloadError, decode_payload
from capably.plan.answer import Run
from capably.plan.consumed import Consumed
from capably.plan.effects import Call
from capably.plan.header_outputs import with_headers
from capably.plan.inputs import invalid_inputs
from capably.plan.operation import Inputs, Kind, Mock, Operation
from capably.plan.outcome import Fault, Headers, Outcome, Problem
from capably.plan.steps import Flow
from capably.upstream.reply import Reply
from capably.upstream.request import RequestError, build_request

# What a caller may see of an upstream's headers. Cookies, connection headers and whatever names internal
# hosts stay behind.
_PASSED_ON = frozenset(
    {
        *("retry-after", "x-request-id", "request-id", "x-correlation-id", "openai-poll-after-ms"),
        *("cache-control", "content-disposition", "content-language", "etag", "expires", "last-modified", "vary"),
        *("deprecation", "sunset"),
    }
)
_PASSED_ON_PREFIXES = ("ratelimit", "x-ratelimit", "x-rate-limit")
_JSON = "application/json"
_COLLECTED = 256 * 1024
"""Bytes after which a binary answer is passed on while it arrives; a smaller one can be told to be too large."""
_TEXT = "text/plain; charset=utf-8"


def run(operation: Operation, inputs: Inputs) -> Generator[Call, Reply, Outcome]:
    """Run an operation that makes one call, or none.

    Raises:
        Fault: status 400, an input cannot stand where the request needs it; status 502, the upstream's answer cannot
            be read.
    """
    work = operation.work
    if isinstance(work, Mock):
        return _mocked(operation, inputs)
    if isinstance(work, Flow):
        raise TypeError("operations with steps are run by the interpreter")
    try:
        request = build_request(work.request, inputs)
    except RequestError as problem:
        location = next((item.location.value for item in operation.inputs if item.name == problem.input), "path")
        raise invalid_inputs([Problem(problem.input, location, str(problem))]) from None
    if work.raw_format.max_bytes is not None:
        late = _COLLECTED if operation.server is Kind.REST else None  # a tool's result is one message
        request = msgspec.structs.replace(request, answer_bytes=work.raw_format.max_bytes, streams_over=late)
    reply = yield Call(work.target.namespace, request, work.scheme)
    return outcome_of(operation, work, reply, inputs)


def _mocked(operation: Operation, inputs: Inputs) -> Outcome:
    """What the document states; status 204 when that is nothing."""
    if operation.contents:
        pieces = tuple(content.tell(inputs) for content in operation.contents)
        text = "\n".join(piece.text for piece in pieces if piece.text is not None)
        return Outcome(200, _TEXT, text.encode(), pieces=pieces)
    run = Run(inputs)
    value = _without_gaps(operation.answer.apply({}, run))
    headers = with_headers((), operation.answer, {}, (), run) if operation.answer.headers else ()
    losses = tuple(run.losses)
    if value is None:
        return Outcome(204, None, headers=headers, losses=losses)
    return Outcome(200, _JSON, as_json(value), headers, losses=losses)


def _without_gaps(value: Any) -> Any:
    """A stated value without what templates left absent: no nulls and no empty objects."""
    if isinstance(value, dict):
        fields = {name: kept for name, item in value.items() if (kept := _without_gaps(item)) is not None}
        return fields or None
    if isinstance(value, list):
        return [kept for item in value if (kept := _without_gaps(item)) is not None]
    return value


def outcome_of(operation: Operation, work: Consumed, reply: Reply, inputs: Inputs) -> Outcome:
    """What an upstream's reply is to the caller of an operation.

    Raises:
        Fault: status 502, it cannot be read.
    """
    headers = passed_on(reply.headers)
    media_type = reply.header("content-type")
    answer = operation.answer
    run = Run(inputs, work.raw_format.is_listless)
    if answer.headers and is_success(reply):
        headers = with_headers(headers, answer, _mappable(work, reply), reply.headers, run)
    if not is_success(reply) or (reply.stream is None and not reply.body):
        return Outcome(reply.status, media_type, reply.body, headers, reply.stream)
    if work.raw_format.is_binary:
        told = work.raw_format.told_as(reply.status, media_type)
        return Outcome(reply.status, told, reply.body, (*headers, *_length(reply)), reply.stream)
    if reply.stream is not None:
        return Outcome(reply.status, media_type, reply.body, headers, reply.stream)
    if not answer.is_declared or (answer.passes_through and work.raw_format.is_json):
        return Outcome(reply.status, media_type, reply.body, headers)
    told = answer.apply(decoded(work, reply), run)
    return Outcome(reply.status, _JSON, as_json(told), headers, losses=tuple(run.losses))


def _length(reply: Reply) -> Headers:
    """The length of a body that is still arriving, where the upstream tells it."""
    stated = reply.header("content-length") if reply.stream is not None else None
    return (("content-length", stated),) if stated is not None else ()


def _mappable(work: Consumed, reply: Reply) -> Any:
    """What headers are taken out of: nothing, where there is no body that is read."""
    is_read = reply.stream is None and reply.body and not work.raw_format.is_binary
    return decoded(work, reply) if is_read else None


def is_success(reply: Reply) -> bool:
    """Whether an upstream did what it was asked (RFC 9110, section 15.3)."""
    return 200 <= reply.status < 300  # noqa: PLR2004 -- the class of successes


def decoded(work: Consumed, reply: Reply) -> Any:
    """The body of a reply as a plain value.

    Raises:
        Fault: status 502, it cannot be read.
    """
    form = work.raw_format
    try:
        return decode_payload(form.name, reply.body, media_type=reply.header("content-type"), schema=form.schema)
    except PayloadError as problem:
        detail = f"`{work.target.namespace}` answered {reply.status}, but {problem}"
        raise Fault(502, "upstream-unreadable", "The upstream's answer cannot be read", detail) from None


def as_json(value: Any) -> bytes:
    """A plain value as the JSON of an answer."""
    return msgspec.json.encode(value)


def passed_on(headers: Headers) -> Headers:
    """The upstream headers that callers may see, without content-type."""
    return tuple([field for field in headers if field[0] in _PASSED_ON or field[0].startswith(_PASSED_ON_PREFIXES)])
