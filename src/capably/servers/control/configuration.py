"""What is in force: the documents after their imports, the values given from outside, and the settings; no secrets."""

import re
from collections.abc import Callable
from typing import Any, Final

from capably.document import Mapping, Node, Scalar, Sequence
from capably.expr.template import holes
from capably.model.auth import SECRETS
from capably.plan.variables import SECRET_NAMES, Variable, VariableKind
from capably.servers.control.asked import Answer, Asked, Room, answer
from capably.servers.desk import Document
from capably.telemetry.redaction import Redactor, shown_url

MASK: Final = "***"
_URL: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S+")


async def shown(room: Room, asked: Asked) -> Answer:
    """Everything, with secrets as `***`."""
    asked.query()
    desk = room.desk
    documents = [_document(item) for item in desk.documents]
    return answer({"generation": desk.generation, "documents": documents, "settings": room.instruments.settings})


def _document(document: Document) -> dict[str, Any]:
    hide = Redactor(document.secrets, stand_in=MASK).hide
    return {
        "file": document.file,
        "files": list(document.texts),
        "title": document.plan.title,
        "specVersion": document.plan.language,
        "generation": document.generation,
        "document": _plain(document.capability.node, hide),
        "variables": [_variable(item, hide) for item in document.variables],
        "upstreams": {name: hide(shown_url(url)) for name, url in document.plan.upstreams.items()},
    }


def _variable(variable: Variable, hide: Callable[[str], str]) -> dict[str, Any]:
    """A variable: what it is called, and where its value comes from; the value itself unless it is a secret."""
    value = variable.value
    if value is not None:
        value = MASK if variable.kind is VariableKind.SECRET else hide(shown_url(value))
    return {"name": variable.name, "kind": variable.kind.value, "value": value, "from": variable.given_by or None}


def _plain(node: Node, hide: Callable[[str], str]) -> Any:
    """A node as JSON, without secrets that are written out in it."""
    if isinstance(node, Sequence):
        return [_plain(item, hide) for item in node.items]
    if isinstance(node, Mapping):
        secret = _secret_keys(node)
        return {
            hide(key): MASK if key in secret and _is_written_out(entry.value) else _entry(key, entry.value, hide)
            for key, entry in node.entries.items()
        }
    return hide(_URL.sub(lambda url: shown_url(url[0]), node.value)) if isinstance(node.value, str) else node.value


def _entry(key: str, node: Node, hide: Callable[[str], str]) -> Any:
    if key == "authentication" and isinstance(node, Mapping):
        return {
            name: MASK if name in SECRETS and _is_written_out(entry.value) else _plain(entry.value, hide)
            for name, entry in node.entries.items()
        }
    return _plain(node, hide)


def _secret_keys(node: Mapping) -> frozenset[str]:
    """The keys of a mapping that may hold a secret: those of a parameter whose name tells so, and plain passwords."""
    name, where = node.get("name"), node.get("in")
    is_parameter = isinstance(where, Scalar) and isinstance(name, Scalar)
    return _OF_PARAMETERS if is_parameter and SECRET_NAMES.search(name.text) else _ALWAYS  # type: ignore[union-attr]


_ALWAYS: Final = frozenset(SECRETS) - {"value", "token", "secret"}
_OF_PARAMETERS: Final = _ALWAYS | {"value", "const", "default"}


def _is_written_out(node: Node) -> bool:
    """Whether it is a text of its own, not one that names a variable."""
    return isinstance(node, Scalar) and node.value is not None and not holes(node.text)
