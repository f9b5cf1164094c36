"""A flow drawn for a terminal: stages from above to below, and what each step waits for."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capably.plan.flow_description import FlowDescription, StepDescription


def flow_lines(flow: "FlowDescription") -> Iterator[str]:
    """The lines of a flow: its steps by stage; those of one stage run at the same time."""
    ref = f", the flow {flow['ref']}" if flow["ref"] else ""
    within = f", within {flow['deadline_s']:g} s" if flow["deadline_s"] is not None else ""
    yield f"    runs   {len(flow['steps'])} steps{ref}{within}"
    stages = sorted({step["stage"] for step in flow["steps"]})
    for stage in stages:
        steps = [step for step in flow["steps"] if step["stage"] == stage]
        for number, step in enumerate(steps):
            mark = "   " if number else f"{stage:>2} "
            edge = _edge(number, len(steps))
            yield f"      {mark}{edge} {_step(step)}"


def _edge(number: int, count: int) -> str:
    if count == 1:
        return "─"
    return "┬" if number == 0 else "└" if number == count - 1 else "├"


def _step(step: "StepDescription") -> str:
    target = step["target"]
    what = f"{step['kind']} {target['method']} {target['path']}" if target is not None else step["kind"]
    notes = []
    if step["waits_for"]:
        notes.append(f"after {', '.join(step['waits_for'])}")
    if step["conditional"]:
        notes.append("if its condition holds")
    if step["loop"] is not None:
        notes.append(f"for each {step['loop']['item']}, {step['loop']['at_once']} at once")
    if step["on_error"] != "stop":
        notes.append(f"on error {step['on_error']}")
    return f"{step['name']}: {what}" + (f"  ({'; '.join(notes)})" if notes else "")
