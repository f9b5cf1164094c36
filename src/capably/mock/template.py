"""Examples with holes, in the notation of Microcks: ``{{ request.body/shipImo }}``, ``{{ uuid() }}``.

A text that is one whole hole keeps its value's type; a hole that finds nothing is null, or nothing at all within
longer text. What a request says is never expanded again.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from capably.expr.template import Hole, cut


@dataclass(frozen=True, slots=True)
class Setting:
    """What holes are filled from: a request (``params`` of the query and the path), the time, and chance."""

    path: tuple[str, ...]
    params: Mapping[str, Any]
    headers: Mapping[str, str]
    body: Any
    now: datetime
    chance: Random


Hold = Callable[[Setting], Any]
"""What a hole means: its value, given the setting."""


class UnknownHoleError(ValueError):
    """A hole that means nothing here; the message names it."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A value whose texts may have holes; one without is told as it is."""

    value: Any
    has_holes: bool = False

    def of(self, setting: Setting, escape: Callable[[str], str] = str) -> Any:
        """The value for a request; ``escape`` makes what is put into text safe where that stands."""
        return _with(self.value, setting, escape) if self.has_holes else self.value


def compiled(value: Any) -> Rendered:
    """Prepare a value.

    Raises:
        UnknownHoleError: a hole means nothing.
    """
    prepared = _prepared(value)
    return Rendered(prepared, _has_holes(prepared))


@dataclass(frozen=True, slots=True)
class _Text:
    """A text with holes."""

    pieces: tuple[str | Hold, ...]


def _prepared(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _prepared(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_prepared(item) for item in value]
    if isinstance(value, str) and "{{" in value:
        pieces = cut(value)
        if any(isinstance(piece, Hole) for piece in pieces):
            return _Text(tuple(_meaning(piece.name) if isinstance(piece, Hole) else piece for piece in pieces))
    return value


def _has_holes(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_holes, value.values()))
    return any(map(_has_holes, value)) if isinstance(value, list) else isinstance(value, _Text)


def _with(value: Any, setting: Setting, escape: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _with(item, setting, escape) for key, item in value.items()}
    if isinstance(value, list):
        return [_with(item, setting, escape) for item in value]
    if not isinstance(value, _Text):
        return value
    if escape is str and len(value.pieces) == 1 and not isinstance(value.pieces[0], str):
        return value.pieces[0](setting)
    return "".join(piece if isinstance(piece, str) else escape(_text(piece(setting))) for piece in value.pieces)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


_REQUEST = re.compile(r"request\.(body|path|params|headers)\s*(.*)", re.DOTALL)
_CALL = re.compile(r"\$?(\w+)\s*(?:\((.*)\))?", re.DOTALL)
_INDEX = re.compile(r"\[\s*(\d{1,3})\s*\]")
_KEY = re.compile(r"""\[\s*(?:'([^']*)'|"([^"]*)"|([^\]'"]+?))\s*\]|\.([\w.-]+)""")


def _meaning(name: str) -> Hold:
    request = _REQUEST.fullmatch(name)
    if request is not None:
        part, rest = request.groups()
        found = _PARTS[part](rest)
        if found is not None:
            return found
    call = _CALL.fullmatch(name)
    if call is not None and call[1] in _FUNCTIONS and (call[2] is not None or name.startswith("$")):
        return _function(_FUNCTIONS[call[1]], call[2])
    raise UnknownHoleError(name)


def _body(rest: str) -> Hold | None:
    if rest and not rest.startswith("/"):
        return None
    keys = tuple(key.replace("~1", "/").replace("~0", "~") for key in rest.split("/")[1:])
    return lambda setting: _pointed(setting.body, keys)


def _pointed(value: Any, keys: tuple[str, ...]) -> Any:
    """What a JSON Pointer (RFC 6901) leads to, ``None`` when there is nothing."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _path(rest: str) -> Hold | None:
    match = _INDEX.fullmatch(rest)
    if match is None:
        return None
    index = int(match[1])
    return lambda setting: setting.path[index] if index < len(setting.path) else None


def _keyed(table: Callable[[Setting], Mapping[str, Any]], *, lower: bool = False) -> Callable[[str], Hold | None]:
    def read(rest: str) -> Hold | None:
        match = _KEY.fullmatch(rest)
        if match is None:
            return None
        name = next(filter(None, match.groups()), "")
        name = name.lower() if lower else name
        return lambda setting: table(setting).get(name)

    return read


_PARTS: Mapping[str, Callable[[str], Hold | None]] = {
    "body": _body,
    "path": _path,
    "params": _keyed(lambda setting: setting.params),
    "headers": _keyed(lambda setting: setting.headers, lower=True),
}


def _function(make: Callable[..., Any], arguments: str | None) -> Hold:
    given = [part.strip().strip("'\"") for part in arguments.split(",")] if arguments and arguments.strip() else []

    def call(setting: Setting) -> Any:
        try:
            return make(setting, *given)
        except (TypeError, ValueError, LookupError, OverflowError):
            return None

    try:
        make(_TRIAL, *given)
    except (TypeError, ValueError, LookupError, OverflowError):
        raise UnknownHoleError(f"{make.__name__.strip('_')}({arguments})") from None
    return call


_LETTERS = {
    "yyyy": "%Y",
    "yy": "%y",
    "MM": "%m",
    "dd": "%d",
    "HH": "%H",
    "mm": "%M",
    "ss": "%S",
    "SSS": "000",
    "X" * 3: "+00:00",
}
_PATTERN = re.compile("|".join([*_LETTERS, "'([^']*)'"]))
_UNITS = {"d": 1440, "h": 60, "m": 1, "M": 43_200, "y": 525_600}  # in minutes
_DELTA = re.compile(r"(\d{1,6})([dhmMy])")


def _now(setting: Setting, pattern: str = "", delta: str = "") -> Any:
    moment = setting.now
    if delta:
        match = _DELTA.fullmatch(delta)
        if match is None:
            raise ValueError(delta)
        moment += timedelta(minutes=int(match[1]) * _UNITS[match[2]])
    if not pattern:
        return int(moment.timestamp() * 1000)
    return moment.strftime(_PATTERN.sub(lambda match: _LETTERS.get(match[0]) or match[1], pattern))


def _random_int(setting: Setting, *bounds: str) -> int:
    low, high = {0: ("-65635", "65635"), 1: ("0", *bounds), 2: bounds}[len(bounds)]
    return setting.chance.randint(int(low), int(high))


_LETTER = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_LONGEST = 4096


def _random_string(setting: Setting, length: str = "32") -> str:
    if int(length) > _LONGEST:
        raise ValueError(length)
    return "".join(setting.chance.choices(_LETTER, k=int(length)))


def _uuid(setting: Setting) -> str:
    return str(UUID(int=setting.chance.getrandbits(128), version=4))


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "now": _now,
    "timestamp": lambda setting: int(setting.now.timestamp()),
    "isoTimestamp": lambda setting: setting.now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    "uuid": _uuid,
    "guid": _uuid,
    "randomUUID": _uuid,
    "randomInt": _random_int,
    "randomString": _random_string,
    "randomBoolean": lambda setting: setting.chance.random() < 0.5,  # noqa: PLR2004 -- one of two
    "randomValue": lambda setting, *values: setting.chance.choice(values),
}
_TRIAL = Setting((), {}, {}, None, datetime(2026, 1, 1, tzinfo=None), Random(0))  # noqa: S311, DTZ001 -- thrown away
