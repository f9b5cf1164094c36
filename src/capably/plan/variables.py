"""Variables: what a document leaves to be given from outside, and what was given.

``{{ns.KEY}}`` and ``{{KEY}}`` name a key of a bind; any other name that no parameter explains is a free variable. A
value comes from ``--set``, else from where the bind says: its location or the environment. While a plan is compiled
every use is noted, so that all missing values can be told at once.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from capably.diagnostics import Span
from capably.model.capability import Bind


@dataclass(frozen=True, slots=True)
class Given:
    """What is given from outside.

    ``sets`` are ``--set`` values by name, ``environ`` the environment, ``upstreams`` base URIs by namespace, ``bound``
    the values that binds with a location gave, by ``namespace.KEY``.
    """

    sets: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    upstreams: Mapping[str, str] = field(default_factory=dict)
    bound: Mapping[str, str] = field(default_factory=dict, repr=False)


NOTHING_GIVEN = Given()
SECRET_NAMES: Final = re.compile(
    r"authorization|cookie|key|token|secret|password|passwd|signature|credential|(?:^|[^a-z])(?:sig|auth|pwd)(?:[^a-z]|$)",
    re.IGNORECASE,
)
"""Names of headers, query parameters and variables whose values are not told, whoever set them."""
READABLE = frozenset({"file", "vault"})
"""Schemes of bind locations that can be read; a location without a scheme is a file."""


def scheme_of(location: str) -> str:
    """The scheme of a bind's location."""
    return location.partition("://")[0].lower() if "://" in location else "file"


class VariableKind(StrEnum):
    """What a variable is to the document."""

    SECRET = "secret"  # noqa: S105 -- the word, not one
    FREE = "variable"
    BASE_URI = "base URI"


@dataclass(frozen=True, slots=True)
class Variable:
    """A name that needs a value.

    ``name`` is what ``--set`` takes, ``environment`` the variables that are looked at, in this order, ``location``
    where a bind says the value is instead. ``value`` is ``None`` when nothing gives one: neither absent nor empty
    ones count. ``given_by`` says where the value comes from, in words of the command line.
    """

    name: str
    kind: VariableKind
    environment: tuple[str, ...]
    spans: tuple[Span, ...]
    value: str | None = field(repr=False)
    is_bound: bool = True
    written: tuple[str, ...] = ()
    location: str | None = None
    given_by: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What ``--set`` may call it: its name, and the qualified one the document writes."""
        return tuple(dict.fromkeys((self.name, *self.written)))

    @property
    def shown(self) -> str:
        """The stand-in for the value where values are not to be seen."""
        return f"<{self.name.rpartition('.')[2]}>"


class Variables:
    """Looks variables up while a plan is compiled, and remembers which were used where."""

    def __init__(self, binds: Iterable[Bind], given: Given, *, reveal: bool) -> None:
        """Know the binds of a document.

        Args:
            binds: the document's binds.
            given: what is given from outside.
            reveal: put values into the plan; otherwise their stand-ins, such as ``<API_KEY>``.
        """
        self._given = given
        self._reveal = reveal
        self._keys: dict[str, tuple[str, str]] = {}
        self._namespaces: set[str] = set()
        self._used: dict[str, Variable] = {}
        self._located: dict[str, tuple[str, str]] = {}
        for bind in binds:
            self._add(bind)

    def _add(self, bind: Bind) -> None:
        namespace = bind.namespace
        if namespace is not None:
            self._namespaces.add(namespace)
        for key, source in (bind.keys or {}).items():
            _name, taken = self._keys.get(key, ("", source))
            name = key if taken == source or namespace is None else f"{namespace}.{key}"
            self._keys.setdefault(key, (name, source))
            if namespace is not None:
                self._keys[f"{namespace}.{key}"] = (name, source)
            if bind.location is not None and scheme_of(bind.location) in READABLE:
                self._located[name] = (bind.location, f"{namespace}.{key}")

    def binds(self, name: str) -> bool:
        """Whether a bind explains this name: as a key, or as an unlisted key of a known namespace."""
        return name in self._keys or (name.partition(".")[0] in self._namespaces and "." in name)

    def use(self, written: str, span: Span, *, secret: bool = False) -> str:
        """The text to put where ``{{written}}`` stands: the value, or a stand-in when there is none."""
        found = self._look_up(written, secret=secret)
        known = self._used.get(found.name, found)
        self._used[found.name] = replace(
            known,
            spans=tuple(dict.fromkeys((*known.spans, span))),
            written=tuple(dict.fromkeys((*known.written, written))),
            value=known.value or found.value,
            given_by=known.given_by or found.given_by,
        )
        return found.value if self._reveal and found.value is not None else found.shown

    def base_uri(self, namespace: str, written: str, span: Span) -> str | None:
        """The base URI given from outside for a namespace; asked for when the document has none."""
        value = self._given.upstreams.get(namespace)
        if written and value is None:
            return None
        name = f"upstream {namespace}"
        given_by = "--upstream" if value is not None else ""
        self._used[name] = Variable(namespace, VariableKind.BASE_URI, (), (span,), value, given_by=given_by)
        return value if self._reveal and value is not None else f"http://<{namespace}>"

    @property
    def used(self) -> tuple[Variable, ...]:
        """Every variable the plan uses, with all its places."""
        return tuple(self._used.values())

    def _look_up(self, written: str, *, secret: bool) -> Variable:
        name, source = self._keys.get(written, ("", ""))
        environment: tuple[str, ...] = (source,)
        spellings = [spelling for spelling, (meant, _source) in self._keys.items() if meant == name]
        if not name and self.binds(written):
            name = written.partition(".")[2]
            environment = (name,)
            spellings = [f"{namespace}.{name}" for namespace in self._namespaces]
        elif not name:
            name = written
            environment = tuple(dict.fromkeys((written, written.upper())))
        location, bound = self._located.get(name, (None, ""))
        environment = environment if location is None else ()
        sets, environ = self._given.sets, self._given.environ
        values = [(sets.get(spelling), "--set") for spelling in dict.fromkeys((written, name, *spellings))]
        values += [(environ.get(variable), f"environment variable {variable}") for variable in environment]
        values += [(self._given.bound.get(bound), location or "")]
        value, given_by = next((found for found in values if found[0]), (None, ""))
        is_bound = self.binds(written)
        is_secret = secret or is_bound or SECRET_NAMES.search(name) is not None
        kind = VariableKind.SECRET if is_secret else VariableKind.FREE
        return Variable(name, kind, environment, (), value, is_bound, (written,), location, given_by)
