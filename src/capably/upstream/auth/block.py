"""Reading an authentication block while it is compiled."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from capably.diagnostics import Diagnostic, Span, did_you_mean, error, warning
from capably.document import Mapping, Node, Scalar, Sequence
from capably.expr.template import holes
from capably.model.auth import Authentication
from capably.upstream.sendable import is_field_name

Reveal: TypeAlias = Callable[[str, Span], str]
"""Gives the text of a template with its variables filled in, or with stand-ins such as ``<API_KEY>``."""

_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_STAND_IN = re.compile(r"<[^<>]+>")


def is_stand_in(text: str) -> bool:
    """Whether a text is only the name of a value that is not to be seen here."""
    return _STAND_IN.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Block:
    """A block with what is needed to read it: how templates are filled, and where problems are told."""

    stated: Authentication
    reveal: Reveal
    found: list[Diagnostic]

    @property
    def folder(self) -> Path:
        """Where the document stands; files that a block names are relative to it."""
        return Path(self.stated.node.span.file).parent

    def written(self, *keys: str) -> str | None:
        """The first of these keys that holds more than nothing, as the document spells it: ``client_id`` will do."""
        spelled = (self._spelled(key) for key in keys)
        return next((key for key in spelled if self._text(key).strip()), None)

    def text(self, *keys: str, default: str = "") -> str:
        """The one line under the first of these keys that is written, with its variables filled in."""
        key = self.written(*keys)
        if key is None:
            return default
        value = self._filled(key).strip()
        if _CONTROLS.search(value):
            self.refuse("AUT004", f"`{key}` holds control characters and cannot be sent", key, "give it anew")
        return value

    def secret(self, *keys: str, lines: bool = False) -> str:
        """The secret under the first of these keys that is written; AUT002 when none is, AUT004 when it is empty.

        Args:
            keys: the spellings of the key, the one to recommend first.
            lines: whether it may have several lines, as PEM has.
        """
        key = self.written(*keys)
        if key is None:
            self.lacks(keys[0])
            return ""
        value = self._filled(key).strip("\r\n")
        if not value.strip():
            self.refuse("AUT004", f"`{key}` is empty: nothing would be authenticated", key, "give it a value")
        elif not lines and _CONTROLS.search(value):
            self.refuse("AUT004", f"`{key}` holds control characters and cannot be sent", key, "give it anew")
        return value

    def optional_secret(self, *keys: str) -> str:
        """The secret under the first of these keys that is written, else an empty text."""
        return self.secret(*keys) if self.written(*keys) is not None else ""

    def user(self) -> tuple[str, str]:
        """User name and password.

        Either may be written as empty when the other is a secret: some APIs take a token for one of them.
        """
        username = "" if self._is_left_empty("username", "password") else self.secret("username")
        password = "" if self._is_left_empty("password", "username") else self.secret("password")
        return username, password

    def template(self, key: str) -> str:
        """A text as it is written, blanks and line breaks included, with its variables filled in."""
        return self._filled(key)

    def texts(self, *keys: str) -> str:
        """A list of words, written as text or as a list, joined by spaces."""
        for key in keys:
            node = self.stated.node.get(self._spelled(key))
            if isinstance(node, Sequence):
                return " ".join(self.reveal(item.text, item.span) for item in node.items if isinstance(item, Scalar))
        return self.text(*keys)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """Headers: names and values, written as a mapping, or as a list of ``{key, value}`` or ``{name, value}``."""
        node = self.stated.node.get(key)
        pairs = tuple((name, self._pair_value(name, value)) for name, value in _pair_nodes(node))
        for name, _value in pairs:
            self.names_header(name, key)
        return pairs

    def choice(self, choices: tuple[str, ...], *keys: str) -> str:
        """One of several words, the first of them by default; AUT005 for any other, case and ``-`` aside."""
        key = self.written(*keys)
        if key is None:
            return choices[0]
        text = self.text(key)
        by_fold = {fold(choice): choice for choice in choices}
        if fold(text) not in by_fold and not is_stand_in(text):
            message = f"`{key}` of `{self.stated.type}` authentication cannot be `{self.shown(key, text)}`"
            self.refuse("AUT005", message, key, *did_you_mean(text, choices))
        return by_fold.get(fold(text), choices[0])

    def names_header(self, name: str, key: str) -> None:
        """Tell that what stands under a key is no name of a header, if it is none."""
        if not is_field_name(name) and not is_stand_in(name):
            self.refuse("AUT006", f"`{self.shown(key, name)}` is no name of a header", key, "such as `X-Api-Key`")

    def shown(self, key: str, value: str) -> str:
        """A value that stands under a key, as the document writes it: what a variable holds is never told."""
        node = self.stated.node.get(self._spelled(key))
        items = node.items if isinstance(node, Sequence) else (node,)
        texts = [item.text for item in items if isinstance(item, Scalar)]
        return " ".join(texts) if any(map(holes, texts)) else value

    def lacks(self, key: str, *advice: str) -> None:
        """Tell that the block lacks a key."""
        message = f"`{self.stated.type}` authentication needs `{key}`"
        self.refuse("AUT002", message, key, *(advice or (f"add `{key}: '{{{{env.NAME}}}}'` and a bind",)))

    def refuse(self, code: str, message: str, key: str, *advice: str) -> None:
        """Tell that the block cannot be used because of what stands under a key."""
        self.found.append(error(code, message, self.stated.value_span(key), *advice))

    def doubt(self, code: str, message: str, key: str, *advice: str) -> None:
        """Tell that the value of a key cannot work: an error when the document states it, else a warning.

        A value that is given from outside can be given anew while the document stays as it is; until then calls fail.
        """
        tell = warning if holes(self._text(key)) else error
        self.found.append(tell(code, message, self.stated.value_span(key), *advice))

    def _is_left_empty(self, key: str, other: str) -> bool:
        node = self.stated.node.get(key)
        is_empty = isinstance(node, Scalar) and node.value == ""
        return is_empty and (key == "username" or bool(holes(self._text(other))))

    def _pair_value(self, name: str, node: Scalar) -> str:
        value = self.reveal(node.text, node.span).strip()
        if not value or _CONTROLS.search(value):
            message = f"`{name}` is empty or cannot be sent"
            self.found.append(error("AUT004", message, node.span, "give it a value"))
        return value

    def _spelled(self, key: str) -> str:
        entries = self.stated.node.entries
        return key if key in entries else next((name for name in entries if fold(name) == fold(key)), key)

    def _text(self, key: str) -> str:
        node = self.stated.node.get(key)
        return node.text if isinstance(node, Scalar) and node.value is not None else ""

    def _filled(self, key: str) -> str:
        return self.reveal(self._text(key), self.stated.value_span(key))


def fold(text: str) -> str:
    """A word without what spellings differ in: case, ``-``, ``_``, dots and blanks."""
    return re.sub(r"[-_.\s]", "", text).casefold()


def _pair_nodes(node: Node | None) -> list[tuple[str, Scalar]]:
    if isinstance(node, Mapping):
        return [(name, entry.value) for name, entry in node.entries.items() if isinstance(entry.value, Scalar)]
    found = []
    for item in node.items if isinstance(node, Sequence) else ():
        name = (item.get("key") or item.get("name")) if isinstance(item, Mapping) else None
        value = item.get("value") if isinstance(item, Mapping) else None
        if isinstance(name, Scalar) and isinstance(value, Scalar):
            found.append((name.text, value))
    return found
