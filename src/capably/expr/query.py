"""Paths that may lead to several nodes: RFC 9535 by the library, with what documents take over from Jayway's dialect.

That is: operators such as ``nin`` and ``size`` in filters, ``=~ /re/``, and functions behind a path, as in
``$.items.length()``.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import pstdev
from types import MappingProxyType
from typing import Any, Final

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError, Lexer, NodeList, Parser
from jsonpath.token import TOKEN_EOF

from capably.expr.jsonpath import AnyPath, PathError, compile_path

_Operator = Callable[[Any, Any], bool]


def _all_in(left: Any, right: Any) -> bool:
    return isinstance(left, list) and isinstance(right, list) and all(item in right for item in left)


def _any_in(left: Any, right: Any) -> bool:
    return isinstance(left, list) and isinstance(right, list) and any(item in right for item in left)


def _has_length(value: Any) -> bool:
    return isinstance(value, str | list | dict)


_OPERATORS: Mapping[str, _Operator] = MappingProxyType(
    {
        "nin": lambda left, right: isinstance(right, list) and left not in right,
        "subsetof": _all_in,
        "anyof": _any_in,
        "noneof": lambda left, right: isinstance(left, list) and not _any_in(left, right),
        "size": lambda left, right: _has_length(left) and len(left) == right,
        "empty": lambda left, right: _has_length(left) and (len(left) == 0) == right,
    }
)
"""Operators of filters that the library does not have, by the word that names them."""


_MISSING: Final = object()
"""An operand that a filter's path does not lead to."""


class _Lexer(Lexer):
    def compile_rules(self) -> re.Pattern[str]:
        words = "|".join(rf"(?P<{_token(name)}>{name}\b(?!\())" for name in _OPERATORS)
        return re.compile(f"{words}|{super().compile_rules().pattern}", re.DOTALL)


def _token(name: str) -> str:
    return f"TOKEN_{name.upper()}"


class _Parser(Parser):
    INFIX_LITERAL_OPERATORS = Parser.INFIX_LITERAL_OPERATORS | set(_OPERATORS)

    def __init__(self, *, env: JSONPathEnvironment) -> None:
        super().__init__(env=env)
        words = {_token(name): name for name in _OPERATORS}
        self.BINARY_OPERATORS = self.BINARY_OPERATORS | words
        self.PRECEDENCES = self.PRECEDENCES | dict.fromkeys(words, self.PRECEDENCE_MEMBERSHIP)


class _Environment(JSONPathEnvironment):
    lexer_class = _Lexer
    parser_class = _Parser
    # The library's own additions to the syntax that would shadow names and operators of the standard.
    pseudo_root_token = ""
    filter_context_token = ""
    union_token = ""
    intersection_token = ""
    max_recursion_depth = 250  # deeper than any body that is read

    def compare(self, left: object, operator: str, right: object) -> bool:
        compare = _OPERATORS.get(operator)
        if compare is None:
            return super().compare(left, operator, right)
        return compare(*(_MISSING if isinstance(side, NodeList) else side for side in (left, right)))


_ENVIRONMENT: Final = _Environment()


@dataclass(frozen=True, slots=True)
class Query:
    """A path the library walks. ``is_definite`` when it can only lead to one node."""

    text: str
    is_definite: bool
    walk: Callable[[Any], list[Any]] = field(compare=False, repr=False)

    @property
    def is_root(self) -> bool:
        """Never: the root needs no library."""
        return False

    def find(self, value: Any) -> Any:
        """The node or ``None``, or the list of all nodes."""
        found = self._found(value)
        if self.is_definite:
            return found[0] if found else None
        return found

    def _found(self, value: Any) -> list[Any]:
        if not isinstance(value, dict | list):
            return []
        try:
            return self.walk(value)
        except (JSONPathError, re.error):  # a filter whose operands do not fit what the upstream gave
            return []


@dataclass(frozen=True, slots=True)
class Summary:
    """A function of what a path leads to: ``$.items.length()``."""

    text: str
    path: AnyPath
    compute: Callable[[Any], Any] = field(compare=False, repr=False)

    @property
    def is_root(self) -> bool:
        """Never: it is something about a value."""
        return False

    def find(self, value: Any) -> Any:
        """The function's value, ``None`` where it has none."""
        return self.compute(self.path.find(value))


def _numbers(value: Any) -> list[float]:
    items = value if isinstance(value, list) else []
    return [float(item) for item in items if isinstance(item, int | float) and not isinstance(item, bool)]


def _of_numbers(compute: Callable[[list[float]], float]) -> Callable[[Any], Any]:
    def computed(value: Any) -> Any:
        numbers = _numbers(value)
        return compute(numbers) if numbers else None

    return computed


def _length(value: Any) -> Any:
    return len(value) if isinstance(value, list | dict) else None


def _element(position: int) -> Callable[[Any], Any]:
    return lambda value: value[position] if isinstance(value, list) and value else None


_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "length": _length,
        "size": _length,
        "keys": lambda value: list(value) if isinstance(value, dict) else None,
        "first": _element(0),
        "last": _element(-1),
        "min": _of_numbers(min),
        "max": _of_numbers(max),
        "sum": _of_numbers(math.fsum),
        "avg": _of_numbers(lambda numbers: math.fsum(numbers) / len(numbers)),
        "stddev": _of_numbers(pstdev),
    }
)
"""Functions that may stand behind a path; numbers come back as floating point numbers."""

_CALL_AT_THE_END = re.compile(r"\s*\.\s*(\w+)\(([^()]*)\)\s*$")
_LENGTH_IN_A_FILTER = re.compile(r"([@$][\w.$\[\]'\"-]*?)\.(?:length|size)\(\)")


def compile_query(written: str) -> AnyPath:
    """Compile a path that is more than names and positions.

    Raises:
        PathError: it is no path, or uses what is not supported; the position is where.
    """
    call = _CALL_AT_THE_END.search(written)
    if call is not None:
        return _summary(written, call)
    rooted = _rooted(written)
    start = len(rooted) - len(written)
    rooted = _LENGTH_IN_A_FILTER.sub(r"length(\1)", rooted) if "?" in rooted else rooted
    try:
        return _compiled(written, rooted)
    except PathError as problem:
        position = min(max(problem.position - start, 0), len(written))
        quoted = _with_quoted_names(rooted)
        if quoted != rooted:
            try:
                return _compiled(written, quoted)
            except PathError:
                pass  # what is wrong is told in the author's words
        raise PathError(_placed(str(problem), written[position:]), position) from None


def _summary(written: str, call: re.Match[str]) -> AnyPath:
    compute = _FUNCTIONS.get(call[1])
    if compute is None or call[2].strip():
        known = ", ".join(f"{name}()" for name in _FUNCTIONS)
        raise PathError(f"`{call[1]}({call[2]})` is no function of paths: there are {known}", call.start(1))
    return Summary(written, compile_path(written[: call.start()]), compute)


def _placed(message: str, rest: str) -> str:
    shown = rest if len(rest) <= _SHOWN else f"{rest[:_SHOWN]}…"
    return f"{message}, at `{shown}`" if shown else f"{message}, at its end"


_SHOWN = 40


def _rooted(written: str) -> str:
    if written[0] in "$@":
        return f"${written[1:]}"
    return f"${written}" if written[0] in "[." else f"$.{written}"


def _compiled(written: str, rooted: str) -> Query:
    try:
        query = _ENVIRONMENT.compile(rooted)
    except JSONPathError as problem:
        raise PathError(_reason(problem), _position(problem, rooted)) from None
    except re.error as problem:
        raise PathError(f"a regular expression in it is wrong: {problem}", 0) from None
    except (ValueError, OverflowError):
        raise PathError("it cannot be read", 0) from None
    return Query(written, isinstance(query, JSONPath) and query.singular_query(), query.findall)


def _reason(problem: JSONPathError) -> str:
    if isinstance(problem, RecursionError):
        return "it is nested too deep"
    message = str(problem.message)
    if message == "expected a shorthand selector":
        return "a name or `*` is missing"
    return message if "TOKEN_" not in message else "this cannot stand here"


def _position(problem: JSONPathError, rooted: str) -> int:
    if problem.token is None:
        return 0
    return len(rooted) if problem.token.kind == TOKEN_EOF else problem.token.index


_LEFT_ALONE = re.compile(r"[\w-]+|\*||.*[|&=<>!,].*", re.DOTALL)


def _with_quoted_names(rooted: str) -> str:
    """The path with every name quoted that the standard wants quoted, such as one with spaces."""
    pieces = []
    position = 0
    while position < len(rooted):
        if rooted[position] == "[":
            end = _end_of_brackets(rooted, position)
            pieces.append(rooted[position:end])
        elif rooted[position] == ".":
            start = position + (2 if rooted.startswith("..", position) else 1)
            end = next((index for index in range(start, len(rooted)) if rooted[index] in ".["), len(rooted))
            name = rooted[start:end].strip()
            pieces.append(_quoted(name, rooted[position:start]))
        else:
            end = position + 1
            pieces.append(rooted[position])
        position = end
    return "".join(pieces)


def _quoted(name: str, dots: str) -> str:
    if _LEFT_ALONE.fullmatch(name):
        return dots + name
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"{'..' if dots == '..' else ''}['{escaped}']"


_IN_BRACKETS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[\[\]]|.""", re.DOTALL)


def _end_of_brackets(text: str, start: int) -> int:
    depth = 0
    for match in _IN_BRACKETS.finditer(text, start):
        depth += {"[": 1, "]": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return len(text)
