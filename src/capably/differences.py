"""What differs between two sets of plans, told in the words of documents and without secrets."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, TypeAlias

from capably.plan.consumed import Consumed
from capably.plan.gate import DigestGate, OpenGate, SecretGate, scheme_of
from capably.plan.gate_oauth2 import OAuthGate
from capably.plan.operation import Hints, Input, Kind, Operation, Plan, Route, ServerPlan
from capably.plan.steps import Flow
from capably.servers.desk import Difference
from capably.telemetry.redaction import shown_url

Hide: TypeAlias = Callable[[str], str]

HIDDEN: Final = "***"
"""Stands for what is secret, and for what is too large to be shown: that it differs is all that is told."""

_UNTOLD: Final = frozenset({"span", "port_span", "parts", "kind", "server", "namespace", "name", "control"})
"""Fields that say where something stands, or what it is known by."""

_WORDS: Final[Mapping[str, str]] = {
    "gate": "authentication",
    "inputs": "inputParameters",
    "work": "call",
    "answer": "outputs",
    "route": "path",
    "served_as": "name",
    "describes_itself": "documentation",
    "max_bytes": "maxBytes",
    "mime_type": "mimeType",
    "wire_name": "name",
    "location": "in",
    "stated_schema": "inputSchema",
    "output": "outputSchema",
}
"""Fields of plans by the words of documents, where these differ."""

_STRUCTURAL: Final = frozenset({"address", "port", "tls", "over_stdio"})
_LISTED: Final = frozenset({"operations", "forwards", "skills", "resources", "prompts", "inputs", "tools"})


def differences(before: Iterable[Plan], after: Iterable[Plan], hide: Hide) -> tuple[Difference, ...]:
    """What differs, in the order of the later documents; what went comes last.

    Args:
        before: the plans that were served.
        after: those that take their place.
        hide: takes secrets out of a text.
    """
    before, after = list(before), list(after)
    teller = _Teller(hide)
    found = [*teller.servers(_servers(before), _servers(after)), *teller.upstreams(before, after)]
    return tuple(found)


def _servers(plans: Iterable[Plan]) -> dict[str, ServerPlan]:
    servers = {server.namespace: server for plan in plans for server in plan.servers}
    return servers | {plan.control.namespace: plan.control for plan in plans if plan.control is not None}


class _Teller:
    def __init__(self, hide: Hide) -> None:
        self._hide = hide

    def servers(self, before: Mapping[str, ServerPlan], after: Mapping[str, ServerPlan]) -> Iterator[Difference]:
        for path, old, new in _matched("servers", before, after):
            if old is None or new is None or old.kind is not new.kind:
                yield Difference(path, _kind(old), _kind(new), is_structural=True)
            else:
                yield from self._fields(path, old, new)

    def upstreams(self, before: Iterable[Plan], after: Iterable[Plan]) -> Iterator[Difference]:
        old = {name: url for plan in before for name, url in plan.upstreams.items()}
        new = {name: url for plan in after for name, url in plan.upstreams.items()}
        for path, one, other in _matched("upstreams", old, new):
            if one != other:
                yield Difference(path, self._url(one), self._url(other))

    def _fields(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        for field in fields(old):
            one, other = getattr(old, field.name), getattr(new, field.name)
            if not field.compare or field.name in _UNTOLD or one == other:
                continue
            below = f"{path}.{_word(field.name, old)}"
            if field.name in _LISTED:
                yield from self._list(below, one, other)
            else:
                shown, shown_now = self._shown(one), self._shown(other)
                if shown != shown_now or not _differs_in_place_alone(one, other):
                    told, told_now = (HIDDEN, HIDDEN) if shown == shown_now else (shown, shown_now)
                    yield Difference(below, told, told_now, is_structural=field.name in _STRUCTURAL)

    def _list(self, path: str, before: tuple[Any, ...], after: tuple[Any, ...]) -> Iterator[Difference]:
        old, new = _named(before), _named(after)
        for below, one, other in _matched(path, old, new):
            if one is None or other is None:
                yield Difference(below, _summary(one), _summary(other))
            else:
                yield from self._fields(below, one, other)
        if [name for name in old if name in new] != [name for name in new if name in old]:
            yield Difference(path, list(old), list(new))

    def _url(self, url: str | None) -> str | None:
        return None if url is None else self._text(shown_url(url))

    def _text(self, text: str) -> str:
        return text if self._hide(text) == text else HIDDEN

    def _shown(self, value: Any) -> Any:
        """A value as it may be shown."""
        match value:
            case str():
                shown: Any = self._text(str(value))
            case None | bool() | int() | float():
                shown = value
            case Mapping():
                shown = {str(key): self._shown(item) for key, item in value.items()}
            case tuple() | list():
                shown = [self._shown(item) for item in value]
            case frozenset():
                shown = sorted(map(str, value))
            case _:
                shown = _shown_record(value)
        return shown


def _shown_record(value: Any) -> Any:
    """A record in a few words, ``HIDDEN`` where there are none."""
    match value:
        case Route():
            return value.path
        case Consumed():
            return value.target.name
        case Flow():
            return f"{len(value.steps)} steps"
        case SecretGate() | DigestGate() | OAuthGate() | OpenGate():
            return scheme_of(value)
        case Hints():
            hints = {
                "readOnly": value.read_only,
                "destructive": value.destructive,
                "idempotent": value.idempotent,
                "openWorld": value.open_world,
            }
            return {name: hint for name, hint in hints.items() if hint is not None}
    return HIDDEN


def _differs_in_place_alone(one: Any, other: Any) -> bool:
    """Whether two values are the same but for where they stand in their documents."""
    if type(one) is not type(other):
        return False
    if is_dataclass(one) and not isinstance(one, type):
        names = [field.name for field in fields(one) if field.compare and field.name not in _PLACES]
        return all(_differs_in_place_alone(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_differs_in_place_alone, one, other))
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(_differs_in_place_alone(one[key], other[key]) for key in one)
    return bool(one == other)


_PLACES: Final = frozenset({"span", "port_span", "parts"})


def _matched(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys((*after, *before)):
        yield f"{path}.{name}", before.get(name), after.get(name)


def _named(items: Iterable[Any]) -> dict[str, Any]:
    """Items by what they are known by; those that share it are counted."""
    named: dict[str, Any] = {}
    for item in items:
        name = _name(item)
        number = 1
        while (key := name if number == 1 else f"{name}#{number}") in named:
            number += 1
        named[key] = item
    return named


def _name(item: Any) -> str:
    route = getattr(item, "route", None)
    stated = getattr(item, "name", "")
    return stated or (f"{getattr(item, 'method', '') or ''} {route.path}".strip() if route is not None else "")


def _word(name: str, owner: Any) -> str:
    if name == "operations" and isinstance(owner, ServerPlan) and owner.kind is Kind.MCP:
        return "tools"
    return _WORDS.get(name, name)


def _kind(server: ServerPlan | None) -> str | None:
    return None if server is None else server.kind.value


def _summary(item: Any) -> str | None:
    """What came or went, in a few words."""
    match item:
        case None:
            return None
        case Operation(route=Route(path=path), method=method):
            return f"{method} {path}"
        case Operation(work=Consumed(target=target)):
            return target.name
        case Input(type=kind):
            return kind
    return _name(item) or HIDDEN
