"""Runs one operation without doing I/O: yields the calls it needs, receives the replies, returns the outcome.

Whoever drives the generator performs the calls: the runtime over HTTP, a test with made-up replies.
"""

from collections.abc import Generator
from dataclasses import dataclass

import msgspec

from capably.plan.inputs import invalid_inputs
from capably.plan.operation import Inputs, Operation
from capably.plan.outcome import Fault, Headers, Outcome, Problem
from capably.upstream.auth import Scheme
from capably.upstream.reply import Reply
from capably.upstream.request import Request, RequestError, build_request

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


@dataclass(frozen=True, slots=True)
class Call:
    """One upstream request to be made, the namespace it belongs to, and the scheme that authenticates it."""

    namespace: str
    request: Request
    scheme: Scheme | None = None

    @property
    def shown(self) -> Request:
        """The request with stand-ins for what authentication adds when it is sent."""
        return self.request if self.scheme is None else self.scheme.preview(self.request)


def run(operation: Operation, inputs: Inputs) -> Generator[Call, Reply, Outcome]:
    """Run an operation.

    Raises:
        Fault: status 400, an input cannot stand where the request needs it; status 502, the upstream's answer cannot
            be mapped.
    """
    try:
        request = build_request(operation.request, inputs)
    except RequestError as problem:
        location = next((item.location.value for item in operation.inputs if item.name == problem.input), "path")
        raise invalid_inputs([Problem(problem.input, location, str(problem))]) from None
    reply = yield Call(operation.target.namespace, request, operation.scheme)
    return _outcome(operation, reply)


def _outcome(operation: Operation, reply: Reply) -> Outcome:
    media_type = reply.header("content-type")
    headers = passed_on(reply.headers)
    is_success = 200 <= reply.status < 300  # noqa: PLR2004 -- RFC 9110, section 15.3
    if reply.stream is not None or not reply.body or not is_success or operation.answer.passes_through:
        return Outcome(reply.status, media_type, reply.body, headers, reply.stream)
    answer = operation.answer.apply(_decoded(operation, reply))
    return Outcome(reply.status, _JSON, msgspec.json.encode(answer), headers)


def _decoded(operation: Operation, reply: Reply) -> object:
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        detail = f"`{operation.target.namespace}` answered {reply.status} with a body that is not JSON"
        raise Fault(502, "upstream-not-json", "The upstream's answer cannot be read", detail) from None


def passed_on(headers: Headers) -> Headers:
    """The upstream headers that callers may see, without content-type."""
    return tuple((name, value) for name, value in headers if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES))
