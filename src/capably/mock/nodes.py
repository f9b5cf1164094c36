"""Reading the nodes of an OpenAPI document: references followed, kinds checked, unknown keys told."""

from collections.abc import Collection

from capably.diagnostics import Diagnostic, Span, did_you_mean, error, warning
from capably.document import Mapping, Node, Scalar, Sequence, plain

_MOST_REFERENCES = 50


class Nodes:
    """The nodes of one document, and what is wrong with them."""

    def __init__(self, root: Mapping) -> None:
        """Start with nothing found."""
        self.root = root
        self.found: list[Diagnostic] = []
        self._told: set[tuple[str, Span]] = set()

    def tell(self, diagnostic: Diagnostic) -> None:
        """Keep a finding; what several references share is told once."""
        if (diagnostic.code, diagnostic.span) not in self._told:
            self._told.add((diagnostic.code, diagnostic.span))
            self.found.append(diagnostic)

    def follow(self, node: Node | None) -> Node | None:
        """The node that a reference leads to, through further references; any other node is itself.

        OAS004 is told of a reference that leads nowhere, and ``None`` given.
        """
        for _ in range(_MOST_REFERENCES):
            ref = node.get("$ref") if isinstance(node, Mapping) else None
            if not isinstance(ref, Scalar):
                return node
            node = self._target(ref)
        if node is not None:
            self.tell(error("OAS004", "the reference leads to itself", node.span, "name the thing that is meant"))
        return None

    def _target(self, ref: Scalar) -> Node | None:
        if not ref.text.startswith("#/"):
            message = f"`{ref.text}` is not in this document"
            self.tell(error("OAS004", message, ref.span, "bundle the files into one document, and write `#/...`"))
            return None
        node: Node | None = self.root
        for part in ref.text.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            node = self._within(node, key, ref)
            if node is None:
                return None
        return node

    def _within(self, node: Node | None, key: str, ref: Scalar) -> Node | None:
        if isinstance(node, Sequence) and key.isdecimal() and int(key) < len(node.items):
            return node.items[int(key)]
        known = list(node.entries) if isinstance(node, Mapping) else []
        if isinstance(node, Mapping) and key in node.entries:
            return node.get(key)
        message = f"`{ref.text}` leads nowhere: there is no `{key}`"
        self.tell(error("OAS004", message, ref.span, *did_you_mean(key, known)))
        return None

    def mapping(self, node: Node | None, what: str, known: Collection[str] = ()) -> Mapping | None:
        """A mapping, after references; OAS003 is told of anything else, OAS005 of keys that are not ``known``."""
        target = self.follow(node)
        if target is None:
            return None
        if not isinstance(target, Mapping):
            self._wrong(target, what, "a mapping")
            return None
        for key, entry in target.entries.items() if known else ():
            if key not in known and not key.startswith("x-"):
                message = f"`{key}` is no key of {what}"
                self.tell(warning("OAS005", message, entry.key_span, *did_you_mean(key, known)))
        return target

    def items(self, node: Node | None, what: str) -> tuple[Node, ...]:
        """The items of a list, none where the key is missing; OAS003 is told of anything else."""
        if node is None:
            return ()
        if not isinstance(node, Sequence):
            self._wrong(node, what, "a list")
            return ()
        return node.items

    def text(self, owner: Mapping, key: str, what: str) -> str | None:
        """A text that must be there; OAS003 is told when it is not."""
        node = owner.get(key)
        if isinstance(node, Scalar) and node.value is not None:
            return node.text
        if node is None:
            self.tell(error("OAS003", f"{what} has no `{key}`", owner.span, f"write `{key}:`"))
        else:
            self._wrong(node, f"`{key}` of {what}", "text")
        return None

    def _wrong(self, node: Node, what: str, wanted: str) -> None:
        kind = {Mapping: "a mapping", Sequence: "a list"}.get(type(node)) or _scalar_kind(node)
        self.tell(error("OAS003", f"{what} must be {wanted}, not {kind}", node.span, "this part is left out"))


def _scalar_kind(node: Node) -> str:
    return "nothing" if isinstance(node, Scalar) and node.value is None else "a single value"


def flag(owner: Mapping, key: str, *, default: bool = False) -> bool:
    """A true or false of a mapping."""
    node = owner.get(key)
    return bool(node.value) if isinstance(node, Scalar) else default


def data(node: Node | None) -> object:
    """A node as plain data; ``None`` for a missing one."""
    return None if node is None else plain(node)
