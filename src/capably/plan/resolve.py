"""Which consumed operation a ``call`` means (docs/names.md, "Which operation is called").

A name may stand for several operations. Evidence narrows them down step by step and stops as soon as one is left; what
cannot be decided is an error that lists the candidates.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from capably.diagnostics import Diagnostic, Span, did_you_mean, error, warning
from capably.document import plain
from capably.expr.names import Match, find_name, fold
from capably.expr.template import Hole, cut
from capably.model.exposes import Exposed
from capably.model.flows import AggregateFlow, StepRecord
from capably.plan.target import Candidate


@dataclass(frozen=True, slots=True)
class Caller:
    """An exposed operation that calls: what of it is evidence. ``nth`` counts its server's calls of the same name."""

    exposed: Exposed | AggregateFlow | StepRecord
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


Directory: TypeAlias = Mapping[str, Mapping[str, Sequence[Candidate]]]
"""Consumed operations by namespace, and there by name."""


def directory(namespaces: Iterable[str], known: Iterable[Candidate]) -> Directory:
    """Sort operations by their names; a namespace without operations is known all the same."""
    spaces: dict[str, dict[str, list[Candidate]]] = {namespace: {} for namespace in namespaces}
    for item in known:
        spaces[item.consumes.namespace].setdefault(item.operation.name, []).append(item)
    return spaces


def resolve(caller: Caller, known: Directory) -> tuple[Decision | None, list[Diagnostic]]:
    """Decide which of the known operations a caller means."""
    if "." in caller.call or "/" not in caller.call:
        return _resolve(caller, known)
    caller = replace(caller, call=caller.call.replace("/", "."))  # `namespace/resource/operation` is seen in the wild
    decision, problems = _resolve(caller, known)
    told = warning("REF006", "the names in `call` are joined by dots", caller.span, f"write `{caller.call}`")
    return decision, problems if decision is None else [told, *problems]


def _resolve(caller: Caller, known: Directory) -> tuple[Decision | None, list[Diagnostic]]:
    namespace, name = _cut(caller.call, known)
    spaces = find_name(namespace, known)
    if len(spaces.names) > 1:
        return None, [_several(caller, spaces.names)]
    if spaces.one is None or not name:
        return None, [_unknown_namespace(caller, namespace, known)]
    within = known[spaces.one]
    full = _by_full_name(name, within)
    if full:
        decision, problems = _narrow(caller, full)
        return (replace(decision, rule="full-name") if decision is not None and len(full) == 1 else decision), problems
    names = find_name(name, within)
    if len(names.names) > 1:
        return None, [_several(caller, [f"{spaces.one}.{item}" for item in names.names])]
    if names.one is None:
        return None, [_unknown_operation(caller, spaces.one, name, within)]
    loose = _matched_loosely(caller, f"{spaces.one}.{names.one}", max(spaces.match, names.match, key=_LOOSENESS.index))
    decision, problems = _narrow(caller, within[names.one])
    return decision, [*loose, *problems]


def _cut(call: str, known: Directory) -> tuple[str, str]:
    """Namespace and name: cut at the first dot, or behind a known namespace that holds one itself."""
    dotted = (space for space in known if "." in space and call.startswith(f"{space}."))
    namespace = max(dotted, key=len, default=call.partition(".")[0])
    return namespace, call[len(namespace) + 1 :]


_LOOSENESS = list(Match)


def _matched_loosely(caller: Caller, meant: str, match: Match) -> list[Diagnostic]:
    if match is Match.EXACT:
        return []
    message = f"`{caller.call}` is taken to mean `{meant}`: the names match {match.value}"
    return [warning("REF006", message, caller.span, f"write `{meant}`")]


def _by_full_name(name: str, within: Mapping[str, Sequence[Candidate]]) -> list[Candidate]:
    """Operations whose ``resource.operation`` is the name; both halves may contain dots themselves."""
    if "." not in name or name in within:
        return []
    return [item for items in within.values() for item in items if _full_name(item) == name]


def _full_name(item: Candidate) -> str:
    return f"{item.target.resource}.{item.operation.name}"


def _narrow(caller: Caller, named: Sequence[Candidate]) -> tuple[Decision | None, list[Diagnostic]]:
    if len(named) == 1:
        return Decision(named[0], "name"), []
    left = list(named)
    for rule, narrow in _RULES:
        kept = narrow(caller, left, named)
        if len(kept) == 1:
            others = tuple(item for item in named if item is not kept[0])
            return Decision(kept[0], rule, others), []
        left = kept or left
    if len({_request_key(item) for item in left}) == 1:
        return Decision(left[0], "identical", tuple(item for item in named if item is not left[0])), []
    return None, [_ambiguous(caller, left)]


def _by_with(caller: Caller, left: list[Candidate], _named: Sequence[Candidate]) -> list[Candidate]:
    given = {fold(key) for key in caller.exposed.with_ or {}}
    if not given:
        return []
    return [item for item in left if {fold(parameter.name) for parameter in item.parameters} == given]


def _by_path(caller: Caller, left: list[Candidate], _named: Sequence[Candidate]) -> list[Candidate]:
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


def _by_description(caller: Caller, left: list[Candidate], _named: Sequence[Candidate]) -> list[Candidate]:
    wanted = (caller.exposed.description or "").strip()
    return [item for item in left if wanted and (item.operation.description or "").strip() == wanted]


def _by_order(caller: Caller, left: list[Candidate], named: Sequence[Candidate]) -> list[Candidate]:
    if caller.nth >= len(named):
        return []
    return [item for item in left if item is named[caller.nth]]


_Rule = Callable[[Caller, list[Candidate], Sequence[Candidate]], list[Candidate]]
_RULES: tuple[tuple[str, _Rule], ...] = (
    ("with", _by_with),
    ("path", _by_path),
    ("description", _by_description),
    ("order", _by_order),
)


def _request_key(item: Candidate) -> tuple[str, ...]:
    """What two operations must share to make the same request of the same inputs."""
    stated = [item.operation.body, *(parameter.fixed for parameter in item.parameters)]
    return (
        item.operation.method,
        "/".join(_folded_segments(item.path)),
        *sorted(f"{parameter.location} {fold(parameter.name)}" for parameter in item.parameters),
        *(repr(plain(node)) for node in stated if node is not None),
    )


def _unknown_namespace(caller: Caller, namespace: str, known: Directory) -> Diagnostic:
    if "." in caller.call:
        message = f"no namespace `{namespace}` is consumed"
        return error("REF002", message, caller.span, *did_you_mean(namespace, known))
    message = f"`{caller.call}` does not name an operation: write `namespace.operation`"
    names = [f"{space}.{name}" for space, within in known.items() for name in within]
    meant = [name for name in names if name.endswith(f".{caller.call}")]
    return error("REF002", message, caller.span, *did_you_mean(meant[0] if meant else caller.call, names))


def _unknown_operation(caller: Caller, namespace: str, name: str, within: Iterable[str]) -> Diagnostic:
    advice = did_you_mean(f"{namespace}.{name}", (f"{namespace}.{item}" for item in within))
    return error("REF001", f"no operation `{name}` in `{namespace}`", caller.span, *advice)


def _several(caller: Caller, names: Sequence[str]) -> Diagnostic:
    choices = ", ".join(f"`{name}`" for name in names)
    return error("REF003", f"`{caller.call}` may mean {choices}", caller.span, "write the name exactly")


def _ambiguous(caller: Caller, left: Iterable[Candidate]) -> Diagnostic:
    places = [(item.span, f"{item.operation.method} {item.path}") for item in left]
    names = ", ".join(f"`{item.consumes.namespace}.{_full_name(item)}`" for item in left)
    return error(
        "REF003",
        f"`{caller.call}` may mean {len(places)} operations, and nothing tells them apart",
        caller.span,
        f"name the resource too: {names}",
        related=places,
    )
