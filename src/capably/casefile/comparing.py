"""Comparing what came with what is written; each difference knows where its expectation stands."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from capably.diagnostics import Span
from capably.document import Mapping, Node, Scalar, Sequence

_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it is written: the place, the name of the part, and both sides for people."""

    span: Span
    what: str
    expected: str
    came: str


ABSENT: Final = "nothing"


def differences(expected: Node, came: Any, what: str, *, exact: bool = True) -> Iterator[Difference]:
    """Where a JSON value is not what is written.

    Args:
        expected: the value as it stands in the case file.
        came: the value, as a JSON decoder gives it.
        what: what the value is called, such as ``answer.body``.
        exact: objects have no fields beside those that are written.
    """
    if isinstance(expected, Mapping) and isinstance(came, dict):
        yield from _fields(expected, came, what, exact=exact)
    elif isinstance(expected, Sequence) and isinstance(came, list):
        if len(expected.items) != len(came):
            yield Difference(expected.span, what, _count(len(expected.items)), f"{_count(len(came))}: {shown(came)}")
        for number, (item, value) in enumerate(zip(expected.items, came, strict=False)):
            yield from differences(item, value, f"{what}[{number}]", exact=exact)
    elif not isinstance(expected, Scalar) or not _same(expected.value, came):
        yield Difference(expected.span, what, shown(plain_json(expected)), shown(came))


def _fields(expected: Mapping, came: dict[str, Any], what: str, *, exact: bool) -> Iterator[Difference]:
    for name, entry in expected.entries.items():
        if name in came:
            yield from differences(entry.value, came[name], f"{what}.{name}", exact=exact)
        else:
            yield Difference(entry.key_span, f"{what}.{name}", shown(plain_json(entry.value)), ABSENT)
    for name, value in came.items():
        if exact and name not in expected.entries:
            yield Difference(expected.span, f"{what}.{name}", ABSENT, shown(value))


def _same(expected: Any, came: Any) -> bool:
    """Whether two JSON scalars are equal: 1 is 1.0, but neither is true nor "1"."""
    if isinstance(expected, bool) or isinstance(came, bool):
        return expected is came
    if isinstance(expected, int | float) and isinstance(came, int | float):
        return expected == came
    return type(expected) is type(came) and bool(expected == came)


def plain_json(node: Node) -> Any:
    """A node as a JSON value. Texts stay texts; no number of YAML is outside of JSON but the infinite ones."""
    if isinstance(node, Mapping):
        return {name: plain_json(entry.value) for name, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain_json(item) for item in node.items]
    return node.value


def shown(value: Any) -> str:
    """A value for people: JSON on one line, cut when it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _count(number: int) -> str:
    return "1 item" if number == 1 else f"{number} items"
