"""Which documented answer a request gets: what it prefers, what its parameters say, what it accepts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capably.mock.api import Answering, Condition, Content, Example, Operation, Place
from capably.mock.check import Checked
from capably.plan.outcome import Fault


@dataclass(frozen=True, slots=True)
class Preference:
    """What a request asks for itself (RFC 7240): a status, an example by name, a value made from the schema."""

    code: str | None = None
    example: str | None = None
    is_made: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer; without ``content`` it has no body, without ``example`` its value is made from the schema."""

    answering: Answering
    content: Content | None
    example: Example | None


def preference(header: str) -> Preference:
    """Read a ``Prefer`` header; what is not meant for a mock is left alone (RFC 7240, section 2)."""
    parts = (part.partition("=") for piece in header.split(",") for part in piece.split(";"))
    said = {name.strip().lower(): value.strip().strip('"') for name, _equals, value in parts}
    return Preference(said.get("code"), said.get("example"), said.get("dynamic", "").lower() == "true")


def choose(operation: Operation, checked: Checked, accept: str, wanted: Preference) -> Choice | None:
    """The answer for a request; ``None`` when the operation documents none at all.

    In this order: the answer and the example that ``Prefer`` names; the example whose conditions hold, the one with
    most of them first; the example named as fallback; the first without conditions; a documented 404 when the path
    names something that no example is about; the first example; a made value.

    Raises:
        Fault: 400, what is preferred is not documented; 406, no documented media type is acceptable.
    """
    if wanted.code is not None or wanted.example is not None:
        return _preferred(operation, accept, wanted)
    usual = usual_answer(operation.answers)
    if usual is None:
        return None
    if wanted.is_made:
        return Choice(usual, acceptable(usual, accept), None)
    for answering, name in _meant(operation, usual, checked):
        content = acceptable(answering, accept)
        example = next((item for item in content.examples if item.name == name), None) if content is not None else None
        if example is not None:
            return Choice(answering, content, example)
    if _is_elsewhere(usual, checked):
        absent = next((answering for answering in operation.answers if answering.code == 404), None)  # noqa: PLR2004
        if absent is not None:
            return _first(absent, accept)
    return _first(usual, accept)


def usual_answer(answers: Sequence[Answering]) -> Answering | None:
    """The answer of a request that succeeds: the first 2xx, else the default (as 200), else the first."""
    for answering in answers:
        if answering.status[0] == "2":
            return answering
    for answering in answers:
        if answering.status == "default":
            return Answering("200", answering.headers, answering.contents)
    return next(iter(answers), None)


def _first(answering: Answering, accept: str) -> Choice:
    content = acceptable(answering, accept)
    return Choice(answering, content, next(iter(content.examples), None) if content is not None else None)


def _preferred(operation: Operation, accept: str, wanted: Preference) -> Choice:
    answers = [item for item in operation.answers if wanted.code is None or _has_code(item, wanted.code)]
    if not answers:
        known = ", ".join(item.status for item in operation.answers)
        raise _undocumented(f"`code={wanted.code}`: {operation.name} documents {known or 'no answers'}")
    if wanted.code is not None and answers[0].code != int(wanted.code):
        answers = [Answering(wanted.code, item.headers, item.contents) for item in answers]
    if wanted.example is None:
        choice = _first(answers[0], accept)
        return Choice(choice.answering, choice.content, None) if wanted.is_made else choice
    for answering in answers:
        for content in _by_preference(answering, accept):
            for example in content.examples:
                if example.name == wanted.example:
                    return Choice(answering, content, example)
    names = dict.fromkeys(item.name for each in answers for content in each.contents for item in content.examples)
    known = ", ".join(f"`{name}`" for name in names if name)
    raise _undocumented(f"`example={wanted.example}`: {operation.name} has {known or 'no named examples'}")


def _has_code(answering: Answering, code: str) -> bool:
    if not (code.isascii() and code.isdecimal() and 100 <= int(code) <= 599):  # noqa: PLR2004 -- RFC 9110, section 15
        return False
    status = answering.status.upper()
    return status in {code, f"{code[0]}XX", "DEFAULT"}


def _undocumented(detail: str) -> Fault:
    return Fault(400, "not-documented", "What is preferred is not documented", f"the Prefer header asks for {detail}")


def _meant(operation: Operation, usual: Answering, checked: Checked) -> Iterator[tuple[Answering, str]]:
    """The examples that a request means by name, the best first."""
    every = [(answering, example) for answering in operation.answers for example in _examples(answering)]
    holding = [(answering, item) for answering, item in every if item.conditions and _holds(item.conditions, checked)]
    for answering, example in sorted(holding, key=lambda pair: -len(pair[1].conditions)):
        yield answering, example.name
    if operation.fallback is not None:
        for answering, example in every:
            if example.name == operation.fallback:
                yield answering, example.name
    for example in _examples(usual):
        if not example.conditions:
            yield usual, example.name


def _examples(answering: Answering) -> Iterator[Example]:
    for content in answering.contents:
        yield from content.examples


def _holds(conditions: Sequence[Condition], checked: Checked) -> bool:
    return all(_is_met(condition, checked) for condition in conditions)


def _is_met(condition: Condition, checked: Checked) -> bool:
    if condition.place is Place.BODY:
        return bool(checked.body == condition.value)
    key = (condition.place, condition.name)
    if key not in checked.values:
        return False
    value = checked.values[key]
    return bool(value == condition.value) or _text(value) == _text(condition.value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_elsewhere(answering: Answering, checked: Checked) -> bool:
    """Whether every example is about something that the path of the request does not name."""
    examples = list(_examples(answering))
    return bool(examples) and all(
        any(item.place is Place.PATH and not _is_met(item, checked) for item in example.conditions)
        for example in examples
    )


def acceptable(answering: Answering, accept: str) -> Content | None:
    """The content that a request accepts best; ``None`` for an answer without contents.

    Raises:
        Fault: 406, it accepts none of them.
    """
    if not answering.contents:
        return None
    ordered = _by_preference(answering, accept)
    if not ordered:
        known = ", ".join(content.media_type for content in answering.contents)
        raise Fault(406, "not-acceptable", "No media type is acceptable", f"this answer is documented as {known}")
    return ordered[0]


def _by_preference(answering: Answering, accept: str) -> list[Content]:
    """The contents that are accepted, best first (RFC 9110, section 12.5.1)."""
    ranges = _ranges(accept)
    if not ranges:
        return list(answering.contents)
    rated = [(_quality(content.media_type, ranges), content) for content in answering.contents]
    return [content for quality, content in sorted(rated, key=lambda pair: -pair[0]) if quality > 0]


def _ranges(accept: str) -> Mapping[str, float]:
    ranges = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        if name:
            ranges[name] = _number(weight)
    return ranges


def _number(weight: str) -> float:
    try:
        return min(max(float(weight), 0.0), 1.0)
    except ValueError:
        return 0.0


def _quality(media_type: str, ranges: Mapping[str, float]) -> float:
    bare = media_type.partition(";")[0].strip().lower()
    for name in (bare, bare.partition("/")[0] + "/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return max(ranges.values()) if bare == "*/*" else 0.0
