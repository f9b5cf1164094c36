"""Which control server stands for the process: the one its documents declare, or the one the command line asks for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from capably.diagnostics import Span
from capably.errors import EXIT_USAGE, CommandError
from capably.examine import Examined
from capably.plan.control import Control, is_open_to_others
from capably.plan.gate import Gate, bearer_gate
from capably.plan.operation import Kind, ServerPlan
from capably.settings import CONTROL, Settings

_NOWHERE: Final = Span("--control", 1, 1, 1, 1)


def control_server(examined: Sequence[Examined], settings: Settings) -> ServerPlan | None:
    """The control server of a process that serves these documents; ``None`` when nobody asks for one.

    Raises:
        CommandError: documents declare different ones, or other machines could reach it without being asked who
            they are.
    """
    declared = _declared(examined)
    asked = settings.control
    if asked is None and declared is not None:
        return replace(declared, port=settings.ports.get(declared.namespace, declared.port))
    if asked is None:
        return None
    plan = declared or _everything(examined)
    gate: Gate | None = bearer_gate(asked.token) if asked.token else plan.gate
    port = asked.port or settings.ports.get(plan.namespace, 0)
    plan = replace(plan, address=asked.host or plan.address, port=port, gate=gate)
    if is_open_to_others(plan.address, has_gate=gate is not None):
        message = f"--control: other machines could reach {plan.address} without being asked who they are"
        advice = "add --control-token-env NAME (a variable that holds a token), or `authentication` in the document"
        raise CommandError(message, advice, "or listen on 127.0.0.1", exit_code=EXIT_USAGE)
    return plan


def _declared(examined: Sequence[Examined]) -> ServerPlan | None:
    """What the documents declare.

    Raises:
        CommandError: they differ; where they stand does not matter.
    """
    plans = [
        (item.file, item.compiled.plan.control)
        for item in examined
        if item.compiled is not None and item.compiled.plan.control is not None
    ]
    if not plans:
        return None
    (first_file, first), *others = plans
    for file, plan in others:
        if _what(plan) != _what(first):
            message = f"{first_file} and {file} declare different control servers, and there is one for all"
            advice = "make them alike, or declare it in one of them"
            raise CommandError(message, advice, exit_code=EXIT_USAGE)
    return first


def _what(plan: ServerPlan) -> tuple[object, ...]:
    return plan.address, plan.port, plan.gate, plan.tls, plan.control


def _everything(examined: Sequence[Examined]) -> ServerPlan:
    """A control server that may do everything: whoever starts the process asks for it."""
    titles = [item.compiled.plan.title for item in examined if item.compiled is not None]
    return ServerPlan(
        kind=Kind.CONTROL,
        namespace=CONTROL,
        address=None,
        port=0,
        description="",
        title=", ".join(titles),
        version="",
        operations=(),
        span=_NOWHERE,
        port_span=_NOWHERE,
        control=Control(),
    )
