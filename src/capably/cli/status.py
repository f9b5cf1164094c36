"""``capably status``: what a running process is and serves."""

import re
import sys
from typing import Any

import click

from capably.cli.console import table, wants_colour
from capably.cli.control_client import EXITS, client_from, client_options, print_json
from capably.render.excerpt import escape


@click.command(epilog=EXITS)
@client_options
def status(
    *,
    control: str | None,
    token: str | None,
    user: str | None,
    headers: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Show what a running process is, since when, and what it serves.

    The control server needs `management.info: true`, or the process `--control`.

    \b
    Examples:
      capably status
      capably status --json | jq .adapters
    """
    shown = client_from(control, token, user, headers).get("/status")
    if as_json:
        print_json(shown)
    else:
        _show(shown)


def _show(shown: dict[str, Any]) -> None:
    names = ", ".join(str(item.get("display")) for item in shown.get("capabilities", []))
    engine, otel = shown.get("engine", {}), shown.get("otel", {})
    lines = [
        f"{names}: {shown.get('status')}",
        f"Engine:     {engine.get('name')} {engine.get('version')} (Python {engine.get('python')})",
        f"Uptime:     {_spoken(str(shown.get('uptime', '')))}",
        f"Generation: {shown.get('generation')}{_last_reload(shown)}",
        f"OTel:       {' '.join(filter(None, (otel.get('status'), otel.get('exporter'), otel.get('endpoint'))))}",
    ]
    sys.stdout.writelines(f"{escape(line)}\n" for line in lines)
    rows = [
        [escape(str(item.get(key, ""))) for key in ("namespace", "type", "url", "state")]
        for item in shown.get("adapters", [])
    ]
    sys.stdout.write(table(("ADAPTER", "KIND", "URL", "STATE"), rows, colour=wants_colour(sys.stdout)) + "\n")


def _last_reload(shown: dict[str, Any]) -> str:
    last = shown.get("lastReload")
    if not last:
        return ""
    why = f": {last['reason']}" if "reason" in last else ""
    return f" (last reload {last.get('status')} at {last.get('at')}{why})"


def _spoken(duration: str) -> str:
    """`PT1H2M3S` as `1h 2m 3s`."""
    return " ".join(part.lower() for part in re.findall(r"[0-9.]+[HMS]", duration)) or duration
