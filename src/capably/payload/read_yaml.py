"""YAML 1.2 (core schema): the first document of the stream, anchors and merge keys written out.

The last of equal keys counts; keys are text as they are written; NaN and infinities, which JSON cannot say, are null.
"""

import math
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from capably.payload.charset import read_text
from capably.payload.contract import Budget, Limits, Payload, PayloadError, check_nesting
from capably.scalars import read_plain, read_tagged

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML has it: ten times faster


def decode(payload: Payload) -> Any:
    """The first document's value, null when there is none.

    Raises:
        PayloadError: the body is not YAML, is nested too deep, or holds too much once anchors are written out.
    """
    return parse_yaml(read_text(payload), payload.limits)


def parse_yaml(text: str, limits: Limits) -> Any:
    """The value of a YAML text; errors as of `decode`."""
    try:
        return _Builder(text, limits).read()
    except yaml.YAMLError as problem:
        raise PayloadError(f"the body is not YAML{_reason(problem)}") from None
    except UnicodeError:  # a tag or an escape that is not Unicode
        raise PayloadError("the body is not YAML: it has an escape that is not UTF-8") from None


class _Builder:
    """Builds values from parser events, counting what anchors repeat."""

    def __init__(self, text: str, limits: Limits) -> None:
        self.parser = _Loader(text)
        self.limits = limits
        self.budget = Budget(limits.max_values)
        self.deepest = 0
        self.anchors: dict[str, tuple[Any, int, int]] = {}  # a value, how many it holds, and how deep

    def read(self) -> Any:
        while self.parser.check_event():
            if isinstance(self.parser.get_event(), DocumentStartEvent):
                return self.build(self.parser.get_event(), 0)
        return None

    def build(self, event: Any, depth: int) -> Any:
        if isinstance(event, AliasEvent):
            return self.alias(event.anchor, depth)
        before, outside = self.budget.left, self.deepest
        self.budget.take(1)
        self.deepest = depth
        check_nesting(depth, self.limits)
        value = self.content(event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = value, before - self.budget.left, self.deepest - depth
        self.deepest = max(outside, self.deepest)
        return value

    def content(self, event: Any, depth: int) -> Any:
        if isinstance(event, MappingStartEvent):
            return self.mapping(depth + 1)
        if isinstance(event, SequenceStartEvent):
            return self.sequence(depth + 1)
        return _scalar(event)

    def alias(self, name: str | None, depth: int) -> Any:
        if name is None or name not in self.anchors:
            raise PayloadError(f"the body is not YAML: the alias `*{str(name)[:40]}` has no anchor before it")
        value, size, height = self.anchors[name]
        self.budget.take(size)
        check_nesting(depth + height, self.limits)
        self.deepest = max(self.deepest, depth + height)
        return value

    def sequence(self, depth: int) -> list[Any]:
        items = []
        while not isinstance(event := self.parser.get_event(), SequenceEndEvent):
            items.append(self.build(event, depth))
        return items

    def mapping(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        while not isinstance(event := self.parser.get_event(), MappingEndEvent):
            key = self.key(event)
            value = self.build(self.parser.get_event(), depth)
            is_merge = key == "<<" and isinstance(event, ScalarEvent) and event.implicit[0]
            if is_merge and (sources := self.sources(value)):
                merged += sources
            else:
                members[key] = value
        for source in merged:
            for name, value in source.items():
                members.setdefault(name, value)
        return members

    def key(self, event: Any) -> str:
        if isinstance(event, ScalarEvent):
            self.budget.take(1)
            if event.anchor is not None:
                self.anchors[event.anchor] = _scalar(event), 1, 0
            return _encodable(event.value)
        if isinstance(event, AliasEvent) and isinstance(value := self.alias(event.anchor, 0), str):
            return value
        raise PayloadError("the body has a key that is a list or a mapping, which JSON cannot say")

    def sources(self, value: Any) -> list[dict[str, Any]]:
        """The mappings that a merge key names, paid for as the copies they become."""
        named = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
        self.budget.take(sum(map(len, named)))
        return named


def _scalar(event: ScalarEvent) -> Any:
    text = _encodable(event.value)
    value: Any = text
    if event.tag is not None:
        value = read_tagged(event.tag, text)
    elif event.implicit[0]:
        value = read_plain(text)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return text if isinstance(value, int) and value.bit_length() > _MOST_BITS else value


def _encodable(text: str) -> str:
    """The text, unless it has half of a surrogate pair (which only the parser in Python lets through)."""
    text.encode()
    return text


_MOST_BITS = 14_000  # of a number that Python still writes in decimal; hexadecimal ones can be longer


def _reason(problem: yaml.YAMLError) -> str:
    mark = getattr(problem, "problem_mark", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    what = getattr(problem, "problem", None) or getattr(problem, "reason", None)
    return f"{where}: {what}" if what else where
