"""What a text in ``with`` means: a caller's input, a template, or a constant (docs/names.md, "Values in `with`")."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

GENERIC_SCOPES = ("rest", "tools", "mcp")
"""Names that always mean "the inputs of the server this stands in"."""

_DOTTED = re.compile(r"([A-Za-z_][\w-]*)\.([A-Za-z_$@][^\s]*)")
_THIS = "$this."


@dataclass(frozen=True, slots=True)
class InputReference:
    """The caller's input of this name (``rest.threadId``)."""

    name: str


@dataclass(frozen=True, slots=True)
class StrayReference:
    """A dotted word that looks like a reference, but whose head is no known scope."""

    head: str
    name: str


def read_reference(text: str, scopes: Iterable[str]) -> InputReference | StrayReference | None:
    """What a whole text refers to; ``None`` when it is a constant or a template.

    Args:
        text: the text, without surrounding white space.
        scopes: heads that mean the caller's inputs: the generic ones, this server's namespace, an aggregate's.
    """
    if "{{" in text:
        return None
    known = tuple(scopes)
    if text.startswith(_THIS):
        text = text.removeprefix(_THIS)
    for scope in known:
        if text.startswith(f"{scope}.") and len(text) > len(scope) + 1:
            return InputReference(text[len(scope) + 1 :])
    match = _DOTTED.fullmatch(text)
    return StrayReference(match[1], match[2]) if match is not None else None


def strip_scope(name: str, scopes: Iterable[str]) -> str | None:
    """The input a template hole names with a scope (``{{tools.X}}``), or ``None`` when it has no scope."""
    for scope in scopes:
        if name.startswith(f"{scope}.") and len(name) > len(scope) + 1:
            return name[len(scope) + 1 :]
    return None
