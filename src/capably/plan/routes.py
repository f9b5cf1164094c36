"""REST paths, cut for routing."""

from capably.expr.template import Hole, cut, holes
from capably.plan.operation import Route


def compile_route(path: str) -> Route:
    """Cut a path at its slashes; a segment holds at most one placeholder.

    Raises:
        ValueError: a segment has two placeholders.
    """
    written = path if path.startswith("/") else f"/{path}"
    shown = "".join(f"{{{piece.name}}}" if isinstance(piece, Hole) else piece for piece in cut(written, single=True))
    return Route(shown, tuple(_segment(segment) for segment in shown[1:].split("/")))


def _segment(text: str) -> str | tuple[str, str, str]:
    found = holes(text, single=True)
    if not found:
        return text
    if len(found) > 1:
        raise ValueError(f"the segment `{text}` has two placeholders")
    hole = found[0]
    return text[: hole.start], hole.name, text[hole.end :]


def placeholders(path: str) -> tuple[str, ...]:
    """Names of a path's placeholders, in order, each once."""
    return tuple(dict.fromkeys(hole.name for hole in holes(path, single=True)))
