"""REST paths, cut for routing."""

from capably.expr.template import Hole, cut, holes
from capably.plan.operation import Route


def compile_route(path: str) -> Route:
    """Cut a path at its slashes.

    Raises:
        ValueError: two placeholders of a segment have nothing between them that tells where one ends.
    """
    written = path if path.startswith("/") else f"/{path}"
    shown = "".join(f"{{{piece.name}}}" if isinstance(piece, Hole) else piece for piece in cut(written, single=True))
    return Route(shown, tuple(_segment(segment) for segment in shown[1:].split("/")))


def _segment(text: str) -> str | tuple[str, ...]:
    found = holes(text, single=True)
    if not found:
        return text
    parts: list[str] = []
    end = 0
    for hole in found:
        if parts and hole.start == end:
            raise ValueError(f"nothing stands between `{{{parts[-1]}}}` and `{{{hole.name}}}`, so neither has an end")
        parts += [text[end : hole.start], hole.name]
        end = hole.end
    return (*parts, text[end:])


def placeholders(path: str) -> tuple[str, ...]:
    """Names of a path's placeholders, in order, each once."""
    return tuple(dict.fromkeys(hole.name for hole in holes(path, single=True)))
