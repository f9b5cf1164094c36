"""Texts that fit a schema: by format, by pattern, by length."""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

_FORMATS = {
    "date": "2026-01-{:02d}",
    "date-time": "2026-01-{:02d}T12:00:00Z",
    "time": "12:00:{:02d}Z",
    "duration": "P{}D",
    "email": "user{}@example.com",
    "idn-email": "user{}@example.com",
    "hostname": "host{}.example.com",
    "idn-hostname": "host{}.example.com",
    "ipv4": "192.0.2.{}",
    "ipv6": "2001:db8::{}",
    "uri": "https://example.com/{}",
    "url": "https://example.com/{}",
    "uri-reference": "https://example.com/{}",
    "iri": "https://example.com/{}",
    "uri-template": "https://example.com/{}",
    "uuid": "00000000-0000-4000-8000-{:012d}",
    "json-pointer": "/{}",
    "regex": "^{}$",
    "byte": "bW9j{:04d}",
    "password": "password{}",
}
_MOST_TEXT = 10_000


def make_text(data: Mapping[str, Any], nth: int) -> str:
    """A text for a schema; ``nth`` counts the different ones."""
    pattern, kind = data.get("pattern"), data.get("format")
    least, most = min(data.get("minLength", 0), _MOST_TEXT), data.get("maxLength", _MOST_TEXT)
    if isinstance(pattern, str) and (text := sample(pattern, least, nth)) is not None:
        return text
    if kind in _FORMATS:
        return _FORMATS[kind].format(nth + 1)
    text = f"text{nth}" if nth else "text"
    if len(text) > most:
        text = str(nth)[:most] if nth else text[:most]
    return text.ljust(least, "x")


def sample(pattern: str, least: int = 0, nth: int = 0) -> str | None:
    """A text that a regular expression finds itself in, ``None`` when it is written in a way that is not read here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sets that a later Python may read otherwise
        return _tried(pattern, least, nth)


def _tried(pattern: str, least: int, nth: int) -> str | None:
    try:
        parsed = import_module("re._parser").parse(pattern)  # private: do without where it is not
    except (ImportError, re.error, RecursionError, OverflowError):
        return None
    found = None
    for extra in (0, 1, max(least, 1), least + 1):
        try:
            text = _Sampler(extra, nth).text(parsed)
        except _UnreadError:
            return found
        if re.search(pattern, text) is not None:
            found = text if found is None or len(text) >= least > len(found) else found
            if len(found) >= least:
                break
    return found


class _UnreadError(Exception):
    """A construct that is not sampled, such as a look-behind."""


class _Sampler:
    """Walks a parsed expression, taking the first way; repetitions are taken ``extra`` times more than they must."""

    def __init__(self, extra: int, nth: int) -> None:
        self.extra = extra
        self.nth = nth
        self.groups: dict[int, str] = {}

    def text(self, parsed: Iterable[Any]) -> str:
        return "".join(self._part(str(code), argument) for code, argument in parsed)

    def _part(self, code: str, argument: Any) -> str:
        read = _PARTS.get(code)
        if read is None:
            raise _UnreadError(code)
        return read(self, argument)

    def repeated(self, argument: Any) -> str:
        low, high, inner = argument
        return "".join(self.text(inner) for _ in range(min(int(low) + self.extra, int(high), _MOST_TEXT)))

    def group(self, argument: Any) -> str:
        number, _add, _drop, inner = argument
        text = self.text(inner)
        self.groups |= {number: text} if number is not None else {}
        return text

    def branch(self, argument: Any) -> str:
        return self.text(argument[1][self.nth % len(argument[1])])

    def one_of(self, items: Any) -> str:
        """A character of a set: of the first letters and digits that are in it."""
        tests = [(str(code), argument) for code, argument in items]
        negated = bool(tests) and tests[0][0] == "NEGATE"
        chosen = [item for item in _CHARACTERS if _is_in(item, tests) is not negated]
        if not chosen:
            chosen = [chr(argument) for code, argument in tests if code == "LITERAL"]
            chosen += [chr(argument[0]) for code, argument in tests if code == "RANGE"]
        if not chosen:
            raise _UnreadError("IN")
        return chosen[self.nth % len(chosen)]


_PARTS: Mapping[str, Callable[[_Sampler, Any], str]] = {
    "LITERAL": lambda _sampler, argument: chr(argument),
    "NOT_LITERAL": lambda _sampler, argument: "y" if argument == ord("x") else "x",
    "ANY": lambda _sampler, _argument: "x",
    "IN": _Sampler.one_of,
    "MAX_REPEAT": _Sampler.repeated,
    "MIN_REPEAT": _Sampler.repeated,
    "POSSESSIVE_REPEAT": _Sampler.repeated,
    "SUBPATTERN": _Sampler.group,
    "ATOMIC_GROUP": _Sampler.text,
    "BRANCH": _Sampler.branch,
    "GROUPREF": lambda sampler, argument: sampler.groups.get(argument, ""),
    # What does not take characters is left to the try of the whole.
    "AT": lambda _sampler, _argument: "",
    "ASSERT": lambda _sampler, _argument: "",
    "ASSERT_NOT": lambda _sampler, _argument: "",
}
_CHARACTERS = "aA0bB1cC2dD3eE4fF5gG6hH7iI8jJ9kKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ-_. /+"
_CATEGORIES: Mapping[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda item: item.isalnum() or item == "_",
}


def _is_in(item: str, tests: list[tuple[str, Any]]) -> bool:
    for code, argument in tests:
        if code == "LITERAL" and ord(item) == argument:
            return True
        if code == "RANGE" and argument[0] <= ord(item) <= argument[1]:
            return True
        if code == "CATEGORY":
            name = str(argument)
            test = _CATEGORIES.get(name.replace("_NOT_", "_"))
            if test is not None and test(item) is not ("_NOT_" in name):
                return True
    return False
