"""XML as JSON: what is below the root element, by local names.

An element without attributes and children is its text. Otherwise it is an object: attributes first, then children;
names that repeat become a list where the first one stands, and text that stands beside them is under the key ``""``.
Prefixes, comments and instructions are dropped, ``xsi:nil`` is null. A document type may be named (it is not fetched),
but it may not define entities: that is how XML bombs and file disclosure are written.
"""

import re
from typing import Any, NoReturn
from xml.parsers import expat

from capably.payload.charset import read_text
from capably.payload.contract import Budget, Limits, Payload, PayloadError, check_nesting, start_of


def decode(payload: Payload) -> Any:
    """What the root element holds.

    Raises:
        PayloadError: the body is not XML, defines or uses entities of its own, or is too large or nested too deep.
    """
    text = read_text(payload, _declared_charset(payload.body))
    builder = _Builder(payload.limits)
    try:
        builder.parser.Parse(text, True)
    except expat.ExpatError as problem:
        where = f"{expat.ErrorString(problem.code)} at line {problem.lineno}, column {problem.offset + 1}"
        raise PayloadError(f"the body is not XML, {where}: {start_of(text)}") from None
    root = builder.root
    if isinstance(root, str):
        return {"": root} if root.strip(_SPACE) else {}
    return root


def _declared_charset(body: bytes) -> str | None:
    """The charset that the XML declaration names, unless it cannot be: .NET is known to write UTF-8 as "utf-16"."""
    found = _DECLARATION.match(body)
    charset = found[1].decode().lower() if found else None
    return None if charset is None or charset.startswith(("utf-16", "utf-32")) else charset


class _Element:
    """An element that is open: what it holds so far, and the text since its last child."""

    __slots__ = ("is_nil", "members", "text")

    def __init__(self, attributes: dict[str, str]) -> None:
        self.members: dict[str, Any] = {}
        self.text: list[str] = []
        self.is_nil = (attributes.pop(_NIL, "") if attributes else "") in _TRUE
        for name, value in attributes.items():
            self.add(_local(name), value)

    def add(self, name: str, value: Any) -> None:
        """Put a member in; a second one of its name makes a list of both."""
        members = self.members
        if name not in members:
            members[name] = value
        elif isinstance(members[name], list):
            members[name].append(value)
        else:
            members[name] = [members[name], value]

    def end_text(self) -> None:
        """A child begins, or the element ends: what was said until here is one piece."""
        text = "".join(self.text)
        self.text.clear()
        if text.strip(_SPACE):
            self.add("", text)

    def value(self) -> Any:
        """What the element says, now that it ends."""
        if self.is_nil:
            return None
        if not self.members:
            return "".join(self.text)
        self.end_text()
        return self.members


class _Builder:
    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.budget = Budget(limits.max_values)
        self.open: list[_Element] = []
        self.root: Any = None
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.specified_attributes = True  # or a document type could add long ones to every element
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.EntityDeclHandler = self.define_entity
        self.parser.SkippedEntityHandler = self.use_entity

    def start(self, _name: str, attributes: dict[str, str]) -> None:
        check_nesting(len(self.open), self.limits)
        self.budget.take(1 + len(attributes))
        if self.open:
            self.open[-1].end_text()
        self.open.append(_Element(attributes))

    def end(self, name: str) -> None:
        value = self.open.pop().value()
        if self.open:
            self.open[-1].add(_local(name), value)
        else:
            self.root = value

    def characters(self, text: str) -> None:
        self.open[-1].text.append(text)

    def define_entity(self, *_declaration: object) -> NoReturn:
        raise PayloadError("the body's document type defines entities, which are not expanded")

    def use_entity(self, name: str, _is_parameter: object) -> NoReturn:
        raise PayloadError(f"the body uses the entity `{name[:40]}`, which XML does not define")


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


_SPACE = " \t\r\n"  # XML 1.0, section 2.3: a no-break space is text
_NIL = "http://www.w3.org/2001/XMLSchema-instance nil"
_TRUE = frozenset({"true", "1"})
_DECLARATION = re.compile(rb"""<\?xml\s[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
