"""Which consumed operation a ``call`` means (docs/names.md, "Which operation is called").

A name may stand for several operations. Evidence narrows them down step by step and stops as soon as one is left; what
cannot be decided is an error that lists the candidates.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from capably.diagnostics import Diagnostic, Span, did_you_mean, error
from capably.expr.names import find_name, fold
from capably.expr.template import Hole, cut
from capably.model.exposes import Exposed
from capably.plan.target import Candidate


@dataclass(frozen=True, slots=True)
class Caller:
    """An exposed operation that calls: what of it is evidence. ``nth`` counts its server's calls of the same name."""

    exposed: Exposed
    call: str
    span: Span
    nth: int
    method: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The operation that is meant, the rule that decided, and the others that had the name."""

    candidate: Candidate
    rule: str
    others: tuple[Candidate, ...] = ()


def resolve(caller: Caller, known: list[Candidate]) -> tuple[Decision | None, list[Diagnostic]]:
    """Decide which of the known operations a caller means."""
    namespace, _, name = caller.call.partition(".")
    spaces = find_name(namespace, (item.consumes.namespace for item in known))
    if spaces.one is None:
        return None, [_unknown_namespace(caller, namespace, known)]
    within = [item for item in known if item.consumes.namespace == spaces.one]
    full = _by_full_name(name, within)
    if full:
        return Decision(full[0], "full-name"), []
    names = find_name(name, (item.operation.name for item in within))
    if len(names.names) != 1:
        return None, [_unknown_operation(caller, spaces.one, name, within)]
    named = [item for item in within if item.operation.name == names.one]
    if len(named) == 1:
        return Decision(named[0], "name"), []
    return _narrow(caller, named)


def _by_full_name(name: str, within: list[Candidate]) -> list[Candidate]:
    """Operations whose ``resource.operation`` is the name; both halves may contain dots themselves."""
    if "." not in name:
        return []
    exact = [item for item in within if item.operation.name == name]
    full = [item for item in within if f"{item.resource.name}.{item.operation.name}" == name]
    return full if full and not exact else []


def _narrow(caller: Caller, named: list[Candidate]) -> tuple[Decision | None, list[Diagnostic]]:
    left = named
    for rule, narrow in _RULES:
        kept = narrow(caller, left, named)
        if len(kept) == 1:
            others = tuple(item for item in named if item is not kept[0])
            return Decision(kept[0], rule, others), []
        left = kept or left
    if len({_request_key(item) for item in left}) == 1:
        return Decision(left[0], "identical", tuple(item for item in named if item is not left[0])), []
    return None, [_ambiguous(caller, left)]


def _by_with(caller: Caller, left: list[Candidate], _named: list[Candidate]) -> list[Candidate]:
    given = {fold(key) for key in caller.exposed.with_ or {}}
    if not given:
        return []
    return [item for item in left if {fold(parameter.name) for parameter in item.parameters} == given]


def _by_path(caller: Caller, left: list[Candidate], _named: list[Candidate]) -> list[Candidate]:
    if caller.path is None:
        return []
    same_method = [item for item in left if item.operation.method == caller.method] or left
    if len(same_method) == 1:
        return same_method
    wanted = _folded_segments(caller.path)
    equal = [item for item in same_method if _folded_segments(item.path) == wanted]
    if equal:
        return equal
    lengths = [_common_suffix(_folded_segments(item.path), wanted) for item in same_method]
    best = max(lengths)
    return [
        item for item, length in zip(same_method, lengths, strict=True) if length == best and best > 0
    ] or same_method


def _folded_segments(path: str) -> list[str]:
    pieces = (piece.name if isinstance(piece, Hole) else piece for piece in cut(path, single=True))
    segments = [fold(segment) for segment in "".join(pieces).strip("/").split("/")]
    return segments[1:] if segments and re.fullmatch(r"v\d+", segments[0]) else segments


def _common_suffix(one: list[str], other: list[str]) -> int:
    length = 0
    for mine, theirs in zip(reversed(one), reversed(other), strict=False):
        if mine != theirs:
            break
        length += 1
    return length


def _by_description(caller: Caller, left: list[Candidate], _named: list[Candidate]) -> list[Candidate]:
    wanted = (caller.exposed.description or "").strip()
    return [item for item in left if wanted and (item.operation.description or "").strip() == wanted]


def _by_order(caller: Caller, left: list[Candidate], named: list[Candidate]) -> list[Candidate]:
    if caller.nth >= len(named):
        return []
    return [item for item in left if item is named[caller.nth]]


_Rule = Callable[[Caller, list[Candidate], list[Candidate]], list[Candidate]]
_RULES: tuple[tuple[str, _Rule], ...] = (
    ("with", _by_with),
    ("path", _by_path),
    ("description", _by_description),
    ("order", _by_order),
)


def _request_key(item: Candidate) -> tuple[str, ...]:
    return (item.consumes.namespace, item.operation.method, "/".join(_folded_segments(item.path)))


def _unknown_namespace(caller: Caller, namespace: str, known: list[Candidate]) -> Diagnostic:
    names = [item.consumes.namespace for item in known]
    message = f"no namespace `{namespace}` is consumed"
    if "." not in caller.call:
        message = f"`{caller.call}` does not name an operation: write `namespace.operation`"
    return error("REF002", message, caller.span, *did_you_mean(namespace, names))


def _unknown_operation(caller: Caller, namespace: str, name: str, within: list[Candidate]) -> Diagnostic:
    names = (f"{namespace}.{item.operation.name}" for item in within)
    advice = did_you_mean(f"{namespace}.{name}", names)
    return error("REF001", f"no operation `{name}` in `{namespace}`", caller.span, *advice)


def _ambiguous(caller: Caller, left: Iterable[Candidate]) -> Diagnostic:
    places = [(item.span, f"{item.operation.method} {item.path}") for item in left]
    names = ", ".join(f"`{item.consumes.namespace}.{item.resource.name}.{item.operation.name}`" for item in left)
    return error(
        "REF003",
        f"`{caller.call}` may mean {len(places)} operations, and nothing tells them apart",
        caller.span,
        f"name the resource too: {names}",
        related=places,
    )
