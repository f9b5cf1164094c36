"""``capably traces``: what happened in the last requests of a running process."""

import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import click

from capably.cli.console import paint, table, wants_colour
from capably.cli.control_client import EXITS, client_from, client_options, print_json
from capably.render.excerpt import escape

_RED = "\x1b[1;31m"


@click.command(epilog=EXITS)
@click.argument("trace_id", required=False, metavar="[ID]")
@click.option("--operation", metavar="TEXT", help="Only traces whose operation holds this text.")
@click.option("--status", type=click.Choice(["OK", "ERROR"], case_sensitive=False), help="Only those that ended so.")
@client_options
def traces(
    *,
    trace_id: str | None,
    operation: str | None,
    status: str | None,
    control: str | None,
    token: str | None,
    user: str | None,
    headers: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Show the traces of the last requests of a running process, or one of them as a tree.

    \b
    Examples:
      capably traces --status ERROR
      capably traces 0af7651916cd43dd8448eb211c80319c
    """
    client = client_from(control, token, user, headers)
    if trace_id is not None:
        found = client.get(f"/traces/{quote(trace_id, safe='')}")
    else:
        query = {"operation": operation or "", "status": status or ""}
        found = client.get("/traces", {name: value for name, value in query.items() if value})
    if as_json:
        print_json(found)
        return
    lines = _tree(found) if trace_id is not None else [_listed(found["traces"])]
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _listed(found: list[dict[str, Any]]) -> str:
    if not found:
        return "No traces found."
    rows = [
        (
            escape(str(item.get("traceId"))),
            escape(str(item.get("operation"))),
            f"{item.get('durationMs')} ms",
            escape(str(item.get("status"))),
            str(item.get("spanCount")),
            escape(str(item.get("timestamp"))),
        )
        for item in found
    ]
    heads = ("TRACE ID", "OPERATION", "DURATION", "STATUS", "SPANS", "TIME")
    return table(heads, rows, colour=wants_colour(sys.stdout))


def _tree(trace: dict[str, Any]) -> Iterator[str]:
    spans = trace.get("spans", [])
    known = {span["spanId"] for span in spans}
    below: dict[str | None, list[dict[str, Any]]] = {}
    for span in spans:
        parent = span.get("parentSpanId")
        below.setdefault(parent if parent in known else None, []).append(span)
    yield escape(
        f"{trace.get('traceId')}  {trace.get('operation')}  {trace.get('durationMs')} ms  {trace.get('status')}"
    )
    yield from _branches(below, None, "")


def _branches(below: dict[str | None, list[dict[str, Any]]], parent: str | None, indent: str) -> Iterator[str]:
    spans = below.get(parent, [])
    for number, span in enumerate(spans, 1):
        is_last = number == len(spans)
        yield f"{indent}{'└── ' if is_last else '├── '}{_span(span)}"
        yield from _branches(below, span["spanId"], indent + ("    " if is_last else "│   "))


def _span(span: dict[str, Any]) -> str:
    told = escape(f"{span.get('name')} [{span.get('kind')}] {span.get('durationMs')} ms {span.get('status')}")
    why = escape(f": {span['error']}") if span.get("error") else ""
    return paint(told + why, _RED, colour=wants_colour(sys.stdout) and span.get("status") == "ERROR")
