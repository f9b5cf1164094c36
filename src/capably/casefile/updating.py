"""Writing what came as what is expected: the text of `answer.body`, and nothing else of a case file.

Only where it is safe: a story differs in nothing but its body, and all of its runs got the same one. The new text is
read again before it counts; if anything else than these bodies would change, the story is left as it is.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import yaml

from capably.casefile.comparing import differences, plain_json
from capably.casefile.records import Story
from capably.casefile.running import Result, Told
from capably.document import Mapping, Node, parse_document

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # as the reader of documents counts lines
_BODY = re.compile(r"answer\.body(?![a-z])")


@dataclass(frozen=True, slots=True)
class Updated:
    """A case file with new bodies, and the results that are so made true."""

    text: str
    settled: tuple[Result, ...]


def updated(told: Told) -> Updated:
    """The text of a case file with every body that can safely be written."""
    text = told.case.text
    settled: list[Result] = []
    stories = told.case.record.stories if told.case.record is not None else ()
    positions = {item.value_span("name"): number for number, item in enumerate(stories)}
    # From the end, so that the places of what stands before stay right.
    for results in reversed(list(_by_story(told))):
        position = positions[results[0].span]
        new = _with_body(text, stories[position], position, results) if _differs_in_body_alone(results) else None
        if new is not None:
            text = new
            settled += results
    return Updated(text, tuple(settled))


def without_settled(told: Told, settled: tuple[Result, ...]) -> Told:
    """What came of a case file once its new bodies are written."""
    results = tuple(replace(item, differences=()) if item in settled else item for item in told.results)
    return replace(told, results=results)


def _by_story(told: Told) -> Iterator[list[Result]]:
    for _span, results in groupby(told.results, key=lambda item: item.span):
        yield list(results)


def _differs_in_body_alone(results: list[Result]) -> bool:
    found = [item for result in results for item in result.differences]
    if not found or any(result.problem for result in results) or not all(_BODY.match(item.what) for item in found):
        return False
    return len({json.dumps(result.body, sort_keys=True) for result in results}) == 1


def _with_body(text: str, story: Story, position: int, results: list[Result]) -> str | None:
    """The text with another body of one story, ``None`` when it cannot be had without harm."""
    node = story.answer.node.get("body") if story.answer is not None else None
    if node is None:
        return None
    body, span = results[0].body, node.span
    start, end = _offset(text, span.line, span.column), _offset(text, span.end_line, span.end_column)
    for written in _spellings(node, body):
        new = text[:start] + written + text[end:]
        if _is_safe(text, new, position, body):
            return new
    return None


def _spellings(node: Node, body: Any) -> Iterator[str]:
    """The body as YAML: in lines where it was in lines, else as JSON."""
    if node.span.line != node.span.end_line and isinstance(body, dict | list) and body:
        lines = yaml.safe_dump(body, allow_unicode=True, sort_keys=False, width=100).rstrip("\n").split("\n")
        yield f"\n{' ' * (node.span.column - 1)}".join(lines)
    yield json.dumps(body, ensure_ascii=False)
    yield json.dumps(body)


def _is_safe(old: str, new: str, position: int, body: Any) -> bool:
    """Whether the new text says what the old one says, but for this body."""
    before, after = _read(old), _read(new)
    if before is None or after is None:
        return False
    written = _body_node(after, position)
    if written is None or list(differences(written, body, "")):
        return False
    plain_before, plain_after = plain_json(before), plain_json(after)
    plain_before["stories"][position]["answer"]["body"] = plain_after["stories"][position]["answer"]["body"]
    return json.dumps(plain_before) == json.dumps(plain_after)


def _read(text: str) -> Mapping | None:
    parsed, found = parse_document("", text.encode())
    return parsed.root if parsed is not None and isinstance(parsed.root, Mapping) and not found else None


def _body_node(root: Mapping, position: int) -> Node | None:
    node: Any = root.get("stories")
    items = getattr(node, "items", ())
    answer = items[position].get("answer") if position < len(items) and isinstance(items[position], Mapping) else None
    return answer.get("body") if isinstance(answer, Mapping) else None


def _offset(text: str, line: int, column: int) -> int:
    """Where a place of a span is in the text."""
    starts = [0, *(found.end() for found in _LINE_BREAK.finditer(text))]
    return starts[line - 1] + column - 1
