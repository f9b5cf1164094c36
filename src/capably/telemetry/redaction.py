"""Keeping secrets out of what is told: values of declared secrets are replaced wherever they stand.

The values are searched for as they are and as a URL or a JSON text writes them. A value shorter than four characters
is not looked for: it stands everywhere by chance.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias
from urllib.parse import quote, quote_plus

from capably.plan.variables import SECRET_NAMES, Variable, VariableKind

Hide: TypeAlias = Callable[[str], str]
"""Gives a text without secrets."""

SHORTEST: Final = 4
HIDDEN: Final = "<hidden>"


def hide_nothing(text: str) -> str:
    """The text as it is."""
    return text


class Redactor:
    """Replaces the values of secrets by their stand-ins, the longest values first; for what a reload adds as well."""

    def __init__(self, variables: Iterable[Variable] = (), stand_in: str = "") -> None:
        """Know the secrets among some variables; ``stand_in`` replaces them all, instead of their names."""
        self._stand_in = stand_in
        self._stand_ins: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self.add(variables)

    def add(self, variables: Iterable[Variable]) -> None:
        """Know the secrets among these variables, too; none is ever forgotten, for records may still hold it."""
        for item in variables:
            if item.kind is VariableKind.SECRET and item.value and len(item.value) >= SHORTEST:
                for written in _written(item.value):
                    self._stand_ins.setdefault(written, self._stand_in or item.shown)
        if self._stand_ins:
            longest_first = sorted(self._stand_ins, key=lambda value: -len(value))
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def hide(self, text: str) -> str:
        """The text with stand-ins in the place of secrets."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: self._stand_ins[match[0]], text)


def _written(value: str) -> tuple[str, ...]:
    """A value as it can stand in a text, in a URL, and in JSON."""
    plain = json.dumps(value, ensure_ascii=False)[1:-1]
    return value, quote(value, safe=""), quote(value), quote_plus(value), json.dumps(value)[1:-1], plain


def shown_url(url: str) -> str:
    """A URL without its user and password, and without the values of query parameters whose names tell of secrets.

    Source: OpenTelemetry semantic conventions, ``url.full``.
    """
    base, mark, query = url.partition("?")
    scheme, colon, rest = base.partition("://")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        base = f"{scheme}{colon}{authority.rpartition('@')[2]}{slash}{path}"
    if not mark:
        return base
    return f"{base}?{'&'.join(map(_shown_pair, query.split('&')))}"


def _shown_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    return f"{name}={HIDDEN}" if equals and value and SECRET_NAMES.search(name) else pair


def without_controls(text: str) -> str:
    """A text of one line, which cannot forge others, nor steer a terminal."""
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
