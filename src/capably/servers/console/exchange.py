"""Requests, replies and outcomes as the JSON that the page shows of them: secrets left out, long bodies cut."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from capably.plan.effects import Call, Execute, Progress
from capably.plan.outcome import Fault, Outcome
from capably.servers.console.hiding import hidden, shown_headers, shown_target
from capably.servers.http import problem_body
from capably.servers.mcp_media import media_of
from capably.telemetry.redaction import Hide
from capably.upstream.reply import Reply

Object: TypeAlias = dict[str, Any]

MOST_BYTES: Final = 256 * 1024
"""How much of a body is shown."""

_MOST_RESULT: Final = 64 * 1024


def body_json(body: bytes, media_type: str | None, hide: Hide) -> Object:
    """A body: its text, as far as it is text and as it is shown, and its size in bytes."""
    media = media_of(media_type, body[:MOST_BYTES])
    found: Object = {"media_type": media_type or "", "size": len(body), "is_cut": len(body) > MOST_BYTES}
    if not body:
        return found
    if media.is_text:
        found["text"] = hide(media.decode(body[:MOST_BYTES]))
    return found


def performed_json(key: str, effect: Call | Execute, answer: Any, seconds: float, hide: Hide) -> Object:
    """An upstream call, or a script, with what came of it."""
    told: Object = {"event": "performed", "step": key, "ms": seconds * 1000}
    if isinstance(effect, Call):
        request = effect.shown
        sent = {name.lower(): value for name, value in request.headers}
        told["namespace"] = effect.namespace
        told["request"] = {
            "method": request.method,
            "url": shown_target(request, hide),
            "headers": shown_headers(request.headers, hide),
            "body": None if request.body is None else body_json(request.body, sent.get("content-type"), hide),
        }
    else:
        told["script"] = {"language": effect.script.language, "file": effect.script.main.name}
    if isinstance(answer, Fault):
        told["fault"] = fault_json(answer, hide)
    elif isinstance(answer, Reply):
        told["reply"] = _reply(answer, hide)
    elif answer is not None:
        told["result"] = result_text(answer, hide)
    return told


def _reply(reply: Reply, hide: Hide) -> Object:
    told: Object = {"status": reply.status, "headers": shown_headers(reply.headers, hide)}
    is_stream = reply.stream is not None
    told["is_stream"] = is_stream
    told["body"] = None if is_stream else body_json(reply.body, reply.header("content-type"), hide)
    return told


def ended_json(progress: Progress, hide: Hide) -> Object:
    """A step that has ended."""
    return {
        "event": "step",
        "step": progress.step.name,
        "kind": progress.step.kind,
        "end": progress.end.value,
        "fault": hide(progress.fault),
        "result": None if progress.result is None else result_text(progress.result, hide),
    }


def result_text(value: Any, hide: Hide) -> str:
    """A step's result as JSON text, no longer than a person reads."""
    text = hide(msgspec.json.encode(value, enc_hook=str).decode("utf-8", "replace"))
    return text if len(text) <= _MOST_RESULT else text[:_MOST_RESULT] + "…"


def fault_json(fault: Fault, hide: Hide) -> Object:
    """A failure: what it is called, what happened and what to do."""
    problems = [{"input": item.input, "in": item.location, "detail": item.message} for item in fault.problems]
    told: Object = {"status": fault.status, "kind": fault.kind, "title": fault.title, "detail": fault.detail}
    found: Object = hidden({**told, "problems": problems}, hide)
    return found


def refused_json(fault: Fault, hide: Hide) -> Object:
    """The outcome of a call over REST that gave none: the problem detail its caller gets."""
    body = body_json(problem_body(fault), "application/problem+json", hide)
    return {"status": fault.status, "is_error": True, "headers": shown_headers(fault.headers, hide), "body": body}


def outcome_json(outcome: Outcome, hide: Hide) -> Object:
    """What a caller over REST gets; the body of a stream follows in pieces."""
    is_stream = outcome.stream is not None
    return {
        "status": outcome.status,
        "is_error": outcome.is_error,
        "media_type": outcome.media_type or "",
        "headers": shown_headers(outcome.headers, hide),
        "is_stream": is_stream,
        "body": None if is_stream else body_json(outcome.body, outcome.media_type, hide),
    }


def advice(outcome: Outcome) -> str:
    """What whoever runs this server can do about an upstream that refused."""
    if not outcome.is_error:
        return ""
    told = _ADVICE.get(outcome.status, _OTHERS[outcome.status >= 500])  # noqa: PLR2004 -- RFC 9110, section 15.6
    after = next((value for name, value in outcome.headers if name == "retry-after"), "")
    where = f"Step `{outcome.step}` stopped here. " if outcome.step else ""
    return f"{where}{told}" + (f" It asks to wait: retry-after {after}." if after else "")


_OTHERS: Final = (
    "The upstream refused the request: its answer says why, the request beside it what was sent.",
    "The failure is on the upstream's side: try again later, or look into its log.",
)
_ADVICE: Final[Mapping[int, str]] = {
    400: "The upstream cannot use the request: compare what was sent with what its answer says.",
    401: "The upstream does not accept the credentials: check the secret and the `authentication` of what is consumed.",
    403: "The credentials are known, and may not do this: give the upstream's account the right, or use another.",
    404: "What the inputs name does not exist there; when nothing does, check the base URI and the path.",
    405: "The upstream has no such method at this path: check `method` and `path` of the consumed operation.",
    409: "The call conflicts with the present state of what it names: read that first.",
    415: "The upstream does not take a body of this type: check the `body` of the consumed operation.",
    422: "The upstream does not accept these values: compare what was sent with what its answer says.",
    429: "Too many calls: wait before the next.",
}
