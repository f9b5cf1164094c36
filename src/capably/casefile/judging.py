"""Judging a run: what a caller got, compared with what the story says it gets."""

from collections.abc import Iterator

from capably.casefile.callers import Came
from capably.casefile.comparing import ABSENT, Difference, differences, shown
from capably.casefile.records import Answer, Story
from capably.document import Scalar

_ERRORS = 400  # RFC 9110, section 15.5: client and server errors begin here


def judged(story: Story, came: Came) -> Iterator[Difference]:
    """What of an answer is not as the story says."""
    answer = story.answer or Answer(node=story.node)
    wants_error = answer.error is not None or (answer.status or 0) >= _ERRORS
    told = _told(came)
    if answer.status is not None and came.status is not None and answer.status != came.status:
        yield Difference(answer.value_span("status"), "answer.status", str(answer.status), told)
        return
    if wants_error != came.is_error and (answer.status is None or came.status is None):
        place = answer.value_span("error" if answer.error is not None else "status")
        yield Difference(place, "answer", "an error" if wants_error else "a success", told)
        return
    if answer.error is not None and answer.error not in came.text:
        yield Difference(answer.value_span("error"), "answer.error", shown(answer.error), shown(came.text))
    if came.status is not None:
        yield from _headers(answer, came)
    if answer.type is not None and came.media_type is not None and answer.type != came.media_type:
        yield Difference(answer.value_span("type"), "answer.type", answer.type, came.media_type)
    if came.status is None and came.is_error:
        return  # an error over MCP is a text for models: `error` says what must be in it
    body = answer.node.get("body") if story.answer is not None else None
    if body is not None:
        yield from differences(body, came.body, "answer.body")
    if answer.includes is not None:
        yield from differences(answer.includes, came.body, "answer.includes", exact=False)


def _told(came: Came) -> str:
    """An answer in a line."""
    kind = "an error" if came.is_error else "a success"
    start = kind if came.status is None else str(came.status)
    said = came.text if came.is_error else shown(came.body)
    return f"{start}: {said}" if said else start


def _headers(answer: Answer, came: Came) -> Iterator[Difference]:
    for name, node in (answer.headers or {}).items():
        expected = node.text if isinstance(node, Scalar) and node.value is not None else None
        value = came.headers.get(name.lower())
        if expected != value:
            yield Difference(node.span, f"answer header `{name}`", expected or ABSENT, value or ABSENT)
