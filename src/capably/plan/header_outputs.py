"""Headers of answers: outputs that are declared `in: header`.

One without a `mapping` and a value is the upstream's header of that name.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from capably.diagnostics import Diagnostic, warning
from capably.expr.source import as_text
from capably.model.values import Output
from capably.plan.answer import Answer, Expected, Run
from capably.upstream.request import OF_THE_CONNECTION
from capably.upstream.sendable import is_field_name

Fields = tuple[tuple[str, str], ...]

_OURS: Final = frozenset({"content-type", "content-encoding", "content-range", "date", "server", "vary"})
_SENDABLE: Final = re.compile("[\t\x20-\x7e\xa0-\xff]*")  # RFC 9110, section 5.5


def is_header(output: Output) -> bool:
    """Whether an output is a header of the answer."""
    return (output.in_ or "").strip().lower() == "header"


def usable_headers(outputs: Iterable[Output], found: list[Diagnostic]) -> list[Output]:
    """The outputs that can be headers; what is wrong with the others is told."""
    return [output for output in outputs if is_header(output) and _is_usable(output, found)]


def _is_usable(output: Output, found: list[Diagnostic]) -> bool:
    name = (output.name or "").lower()
    if not is_field_name(name):
        told = f"`{output.name}` is no name of a header" if name else "an output in a header needs a `name`"
        found.append(warning("OUT008", told, output.value_span("name"), "such as `X-Total-Count`"))
        return False
    if name in OF_THE_CONNECTION or name in _OURS or name.startswith("access-control-"):
        told = f"the server itself writes `{output.name}`: the output is left out"
        advice = "say which pages may call with `cors`" if name.startswith("access-control-") else "remove it"
        found.append(warning("OUT008", told, output.value_span("name"), advice))
        return False
    return True


def with_headers(passed: Fields, answer: Answer, value: Any, received: Fields, run: Run) -> Fields:
    """The headers of an answer: those passed on, and those declared, which win.

    Args:
        passed: upstream headers that callers may see anyway.
        answer: what is declared.
        value: the upstream's value.
        received: the upstream's headers.
        run: takes what cannot be told.
    """
    told: dict[str, str] = {}
    for name, shape in answer.headers:
        if shape is None:
            text = ", ".join(text for known, text in received if known == name) or None
        else:
            text = _text(shape.tell(value, run))
        if text is not None and _SENDABLE.fullmatch(text):
            told[name] = text.strip()
        elif text is not None:
            run.null(Expected("text that a header can hold", name=name), text)
    return (*(field for field in passed if field[0] not in told), *told.items())


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return ", ".join(as_text(each) for each in value) if isinstance(value, list) else as_text(value)
