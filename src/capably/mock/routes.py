"""Which path of a document a request is for: with and without the path of ``servers``, the most literal one first."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote

from capably.mock.api import Api, Operation

_HOLE = re.compile(r"\{([^{}]+)\}")
_Rank: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Route:
    """A path: its segments as patterns, in the order of their placeholders, and the operations by method."""

    path: str
    rank: _Rank
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    operations: Mapping[str, Operation]

    def values(self, path: str) -> dict[str, str] | None:
        match = self.pattern.fullmatch(path)
        if match is None:
            return None
        return {name: unquote(value) for name, value in zip(self.names, match.groups(), strict=True)}


@dataclass(frozen=True, slots=True)
class Found:
    """The operation for a request, with the values of its path; ``None`` for a method that the path has not."""

    operation: Operation | None
    values: Mapping[str, str]
    segments: tuple[str, ...]
    allowed: str


class Routes:
    """The paths of an API."""

    def __init__(self, api: Api) -> None:
        """Order the paths: a literal segment beats one with text and placeholders, which beats a bare placeholder."""
        by_path: dict[str, dict[str, Operation]] = {}
        for operation in api.operations:
            by_path.setdefault(operation.path, {})[operation.method] = operation
        routes = [_route(path, operations) for path, operations in by_path.items()]
        self._routes = sorted(routes, key=lambda route: route.rank)
        self._bases = sorted(api.bases, key=len, reverse=True)
        self.paths = tuple(by_path)

    def find(self, method: str, raw_path: str) -> Found | None:
        """What a path, still percent-encoded, leads to; ``None`` when the document has no such path."""
        for path in self._below_bases(raw_path):
            found = self._find(method, path)
            if found is not None:
                return found
        return None

    def shown(self, raw_path: str) -> str:
        """A path as the document would write it: without the path of a server."""
        return next(iter(self._below_bases(raw_path)))

    def _below_bases(self, raw_path: str) -> Iterable[str]:
        for base in self._bases:
            if raw_path == base or raw_path.startswith(base + "/"):
                yield raw_path[len(base) :] or "/"
        yield raw_path

    def _find(self, method: str, path: str) -> Found | None:
        matches = [(route, values) for route in self._routes if (values := route.values(path)) is not None]
        if not matches:
            return None
        segments = tuple(unquote(part) for part in path.split("/")[1:])
        methods = {name for route, _values in matches for name in route.operations} | {"OPTIONS"}
        allowed = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
        for wanted in (method, "GET") if method == "HEAD" else (method,):
            for route, values in matches:
                if wanted in route.operations:
                    return Found(route.operations[wanted], values, segments, allowed)
        return Found(None, {}, segments, allowed)


def _route(path: str, operations: Mapping[str, Operation]) -> _Route:
    rank = tuple(0 if not _HOLE.search(part) else 2 if _HOLE.fullmatch(part) else 1 for part in path.split("/"))
    pieces = _HOLE.split(path)
    texts = [re.escape(piece) if at % 2 == 0 else "([^/]+?)" for at, piece in enumerate(pieces)]
    return _Route(path, rank, re.compile("".join(texts)), tuple(pieces[1::2]), operations)
