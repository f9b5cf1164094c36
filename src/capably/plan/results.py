"""Results of earlier steps, as the texts of a flow name them: ``{{step.field}}``, ``$.step.field``, ``step``.

Compiling a text tells what it reads, which is what decides the order of the steps.
"""

import re
from dataclasses import dataclass, field

from capably.diagnostics import Diagnostic, Span, did_you_mean, error, nearest, warning
from capably.expr.jsonpath import PathError, compile_path
from capably.expr.names import Match, find_name
from capably.expr.source import Constant, FromPath, Source

_HEAD = re.compile(r"\s*([^\s.\[\](){}]+)")
_ROOTED = re.compile(
    r"""\$\s*(?:\.\s*(?![.*])(?P<bare>[^\s.\[\](){}=!<>&|,]+)|\[\s*(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\s*\])"""
)
_STRINGS = re.compile(r"""(?<!\[)(?<!\[ )('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
_SCOPE = "steps."


@dataclass(slots=True)
class Results:
    """What can be read at one place of a flow.

    ``names`` are all steps in order, of which the first ``before`` come earlier. ``elements`` are the names of the
    element at hand and its number, inside ``forEach``. ``read`` collects the steps, by position, that were read.
    """

    names: tuple[str, ...]
    before: int
    found: list[Diagnostic]
    elements: tuple[str, ...] = ()
    read: set[int] = field(default_factory=set)

    def named(self, name: str, span: Span, *, loosely: bool = False) -> Source | None:
        """The source of ``step``, ``step.field`` or ``step.list[0].field``; ``None`` when no step is named.

        Args:
            name: what stands in a template.
            span: where.
            loosely: whether names may differ in case, ``-`` and ``_``.
        """
        if name.startswith(_SCOPE) and not self._knows(_head(name), loosely=False):
            name = name.removeprefix(_SCOPE)
        head = _head(name)
        if head is None or not self._knows(head, loosely=loosely):
            return None
        rest = name.strip()[len(head) :]
        return self.path(f"$['{head}']{_without_numbers(rest)}", span)

    def is_ahead(self, name: str) -> bool:
        """Whether a name is that of a step whose result is not there yet: this one's, or a later one's."""
        return name not in self.elements and name in self.names[self.before :]

    def is_close(self, name: str) -> bool:
        """Whether a dotted name looks like a step's, mistyped."""
        head, _, rest = name.partition(".")
        return bool(rest) and nearest(head, self.names) is not None

    def tell_unknown(self, name: str, span: Span) -> None:
        """Tell that no step has a name."""
        head = _head(name) or name
        message = f"no step is named `{head}`"
        advice = did_you_mean(head, self.names) or (f"steps: {', '.join(self.names)}",)
        self.found.append(error("FLW002", message, span, *advice))

    def path(self, text: str, span: Span) -> Source:
        """The source of a JSONPath into results: its first name is a step, or the element at hand."""
        rooted = self._rooted(text.strip(), span)
        try:
            return FromPath(compile_path(rooted))
        except PathError as problem:
            advice = "such as `$.step.field`, `$.step.items[0].id` or `$.step[*].id`"
            self.found.append(error("OUT002", f"this JSONPath cannot be used: {problem}", span, advice))
            return Constant(None)

    def _rooted(self, text: str, span: Span) -> str:
        """The path with the names of steps as they are written where they are declared."""

        def meant(match: re.Match[str]) -> str:
            name = match["bare"] or match["quoted"]
            known = self._meant(name, span)
            return match[0] if known is None else "$['{}']".format(known.replace("'", "\\'"))

        pieces = _STRINGS.split(text)  # what stands in quotes is data, but for names in brackets
        return "".join(piece if at % 2 else _ROOTED.sub(meant, piece) for at, piece in enumerate(pieces))

    def _knows(self, name: str | None, *, loosely: bool) -> bool:
        known = (*self.elements, *self.names)
        return name is not None and (bool(find_name(name, known).names) if loosely else name in known)

    def _meant(self, name: str, span: Span) -> str | None:
        if name in self.elements:
            return name
        matched = find_name(name, self.names)
        if len(matched.names) > 1:
            choices = ", ".join(f"`{item}`" for item in matched.names)
            self.found.append(error("REF004", f"`{name}` may mean {choices}", span, "write the name exactly"))
        if not matched.names:
            loose = find_name(name, self.elements).one
            if loose is None:
                self.tell_unknown(name, span)
            return loose
        step = matched.names[0]
        if matched.match is not Match.EXACT:
            message = f"`{name}` is taken to mean `{step}`: the names match {matched.match.value}"
            self.found.append(warning("REF006", message, span, f"write `{step}`"))
        position = self.names.index(step)
        if position >= self.before:
            what = "itself" if position == self.before else f"`{step}`, which comes later"
            here = self.names[self.before]
            self.found.append(error("FLW003", f"`{here}` reads {what}", span, "a step reads the steps before it"))
        else:
            self.read.add(position)
        return step


def _head(name: str) -> str | None:
    match = _HEAD.match(name)
    return match[1] if match is not None else None


def _without_numbers(rest: str) -> str:
    """``.items.0.id`` as ``.items[0].id``, as some template languages write positions."""
    return re.sub(r"\.(\d+)(?=[.\[]|$)", r"[\1]", rest)
