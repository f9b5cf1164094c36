"""Conditions: small expressions over inputs and results that are true or false (docs/flows.md, "Conditions").

    or     :  and ("or" | "||") and ...
    and    :  not ("and" | "&&") not ...
    not    :  ("not" | "!") not | test
    test   :  operand (operator operand)? | "(" or ")"
    operator: == != < <= > >= in contains

An operand is a number, a quoted text, ``true``, ``false``, ``null``, a JSONPath, a template or a reference. Alone it is
true unless it is absent, null, false, or an empty text, list or object. Values of different types are not equal and not
ordered; what is absent equals null.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any, Protocol, TypeAlias

from capably.expr.source import ABSENT, Constant, Source, evaluate


class ConditionError(ValueError):
    """A text that is no condition; ``position`` counts characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class Condition(Protocol):
    """A compiled condition."""

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it is true of these values."""
        ...


@dataclass(frozen=True, slots=True)
class Truth:
    """An operand that stands alone."""

    source: Source

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether there is something."""
        value = _value(self.source, values)
        return value is not None and value is not False and value not in ("", [], {})


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands and an operator."""

    left: Source
    operator: str
    right: Source

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the operator says so; never an error."""
        return _OPERATORS[self.operator](_value(self.left, values), _value(self.right, values))


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    inner: Condition

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the inner one does not hold."""
        return not self.inner.holds(values)


@dataclass(frozen=True, slots=True)
class Every:
    """All of several."""

    parts: tuple[Condition, ...]

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether each holds."""
        return all(part.holds(values) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of several."""

    parts: tuple[Condition, ...]

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether one holds."""
        return any(part.holds(values) for part in self.parts)


def _value(source: Source, values: Mapping[str, Any]) -> Any:
    value = evaluate(source, values)
    return None if value is ABSENT else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) != isinstance(right, bool):
        return False  # 1 is not true
    return bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compared(left: Any, right: Any) -> bool:
        alike = (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))
        return alike and compare(left, right)

    return compared


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, str):
        return isinstance(part, str) and part in whole
    if isinstance(whole, Mapping):
        return isinstance(part, str) and part in whole
    return isinstance(whole, list) and any(_equal(item, part) for item in whole)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(lt),
    "<=": _ordered(le),
    ">": _ordered(gt),
    ">=": _ordered(ge),
    "in": lambda left, right: _contains(right, left),
    "contains": _contains,
}

CompileOperand: TypeAlias = Callable[[str], Source]
"""Compiles a JSONPath, a template or a reference as it is written."""

_WORDS = {"and": "&&", "or": "||", "not": "!"}
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<operator>==|!=|<=|>=|<|>|&&|\|\||!|\(|\))
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)(?![\w.])
    | (?P<template>\{\{.*?\}\})
    | (?P<path>[$@](?:[\w$.*-]|\[(?:[^\[\]'"]|'[^']*'|"[^"]*"|\[[^\]]*\])*\]|\(\))*)
    | (?P<word>[A-Za-z_](?:[\w.-]|\[[^\]]*\])*)
    )""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def compile_condition(text: str, compile_operand: CompileOperand) -> Condition:
    """Compile a condition.

    Raises:
        ConditionError: it is none; the position is where.
    """
    return _Parser(list(_tokens(text)), compile_operand, len(text)).whole()


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            raise ConditionError(f"`{text[position:].strip()[:20]}` cannot stand in a condition", position)
        kind = str(match.lastgroup)
        written = match[kind]
        start = match.start(kind)
        if kind == "word" and written in _WORDS:
            yield _Token("operator", _WORDS[written], start)
        elif kind == "word" and written in {"in", "contains"}:
            yield _Token("operator", written, start)
        else:
            yield _Token(kind, written, start)
        position = match.end()


_DEEPEST = 50


class _Parser:
    def __init__(self, tokens: list[_Token], compile_operand: CompileOperand, end: int) -> None:
        self._tokens = tokens
        self._compile = compile_operand
        self._end = end
        self._at = 0
        self._depth = 0

    def whole(self) -> Condition:
        condition = self._some()
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            raise ConditionError(f"`{token.text}` cannot stand here", token.position)
        return condition

    def _peek(self) -> str | None:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        return token.text if token is not None and token.kind == "operator" else None

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise ConditionError("something is missing at the end", self._end)
        self._at += 1
        return self._tokens[self._at - 1]

    def _some(self) -> Condition:
        parts = self._joined("||", self._every)
        return parts[0] if len(parts) == 1 else Some(parts)

    def _every(self) -> Condition:
        parts = self._joined("&&", self._not)
        return parts[0] if len(parts) == 1 else Every(parts)

    def _joined(self, operator: str, part: Callable[[], Condition]) -> tuple[Condition, ...]:
        parts = [part()]
        while self._peek() == operator:
            self._at += 1
            parts.append(part())
        return tuple(parts)

    def _not(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ConditionError("it is nested too deep", self._tokens[self._at - 1].position)
        try:
            if self._peek() == "!":
                self._at += 1
                return Not(self._not())
            return self._test()
        finally:
            self._depth -= 1

    def _test(self) -> Condition:
        if self._peek() == "(":
            self._at += 1
            inner = self._some()
            token = self._next()
            if token.text != ")" or token.kind != "operator":
                raise ConditionError("a `)` is missing", token.position)
            return inner
        left = self._operand()
        operator = self._peek()
        if operator not in _OPERATORS:
            return Truth(left)
        self._at += 1
        return Comparison(left, operator, self._operand())

    def _operand(self) -> Source:
        token = self._next()
        if token.kind == "operator":
            raise ConditionError(f"`{token.text}` cannot stand here", token.position)
        if token.kind == "text":
            return Constant(re.sub(r"\\(.)", r"\1", token.text[1:-1]))
        if token.kind == "number":
            return Constant(_number(token))
        if token.text in _CONSTANTS:
            return Constant(_CONSTANTS[token.text])
        return self._compile(token.text)


def _number(token: _Token) -> int | float:
    try:
        return float(token.text) if any(mark in token.text for mark in ".eE") else int(token.text)
    except ValueError:  # more digits than Python reads
        raise ConditionError("the number is too long", token.position) from None
