"""The table that benchmarks print: what, capably, peer, ratio, target, met or not."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bench import Bench

WIDTHS = (38, 12, 20, 7, 14)
HEAD = ("what", "capably", "peer", "ratio", "target")


@dataclass(frozen=True, slots=True)
class Row:
    """A line: figures as they are shown; ``is_met`` is ``None`` where there is no target or nothing to compare with."""

    what: str
    own: str
    peer: str = ""
    ratio: str = ""
    target: str = ""
    is_met: bool | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is measured. ``is_long`` says that it is left out of the short form."""

    title: str
    rows: Callable[[Bench], Iterable[Row]]
    is_long: bool = False


def beside(what: str, own: float, peer: str, other: float | None, most: float | None) -> Row:
    """A figure beside a peer's, in microseconds of CPU time; the less, the better.

    ``most`` is how many times the peer's it may be, if there is a target.
    """
    target = "" if most is None else f"<= {most:.3g} x" if most != 1.0 else "< 1 x"
    if other is None:
        return Row(what, f"{own:.0f} µs", f"{peer}: not here", "", target)
    ratio = own / other
    return Row(
        what, f"{own:.0f} µs", f"{peer} {other:.0f} µs", f"{ratio:.3g}", target, None if most is None else ratio <= most
    )


def within(what: str, own: float, unit: str, most: float | None = None, told: str = "") -> Row:
    """A figure that has a target of its own, or none."""
    target = "" if most is None else f"<= {most:g} {unit}"
    return Row(what, f"{own:.3g} {unit}", told, "", target, None if most is None else own <= most)


def printed(row: Row) -> str:
    """A line of the table."""
    met = {True: "met", False: "not met", None: ""}[row.is_met]
    return _line((row.what, row.own, row.peer, row.ratio, row.target, met))


def heading() -> str:
    """Its first line."""
    return _line((*HEAD, ""))


def _line(cells: Iterable[str]) -> str:
    def padded() -> Iterator[str]:
        for number, cell in enumerate(cells):
            width = WIDTHS[number] if number < len(WIDTHS) else 0
            yield cell.rjust(width) if number in {1, 3} else cell.ljust(width)

    return "  ".join(padded()).rstrip()
