"""``capably logs``: what a running process logs, and at which levels."""

import signal
import sys
from typing import Any
from urllib.parse import quote

import click

from capably.cli.console import hint
from capably.cli.control_client import EXITS, ControlClient, client_from, client_options, print_json
from capably.cli.options import Pair
from capably.render.excerpt import escape


@click.command(epilog=EXITS)
@click.option("--follow", "-f", is_flag=True, help="Show records as they come, until stopped with Ctrl-C.")
@click.option("--limit", type=click.IntRange(0, 1000), default=100, show_default=True, help="How many of the last.")
@click.option("--least", metavar="LEVEL", help="Only records of this level or a more severe one.")
@click.option("--logger", metavar="NAME", help="Only records of this logger and those below it.")
@click.option(
    "--level",
    "levels",
    type=Pair(),
    multiple=True,
    metavar="LOGGER=LEVEL",
    help="Log from now on what is of this level or a more severe one. May be repeated.",
)
@click.option("--for", "duration", metavar="TIME", default="10m", show_default=True, help="How long --level holds.")
@click.option("--reset", "resets", multiple=True, metavar="LOGGER", help="Take --level back before its time.")
@client_options
def logs(
    *,
    follow: bool,
    limit: int,
    least: str | None,
    logger: str | None,
    levels: tuple[tuple[str, str], ...],
    duration: str,
    resets: tuple[str, ...],
    control: str | None,
    token: str | None,
    user: str | None,
    headers: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Show what a running process has logged of late, follow its log, or change the level of a logger for a while.

    \b
    Examples:
      capably logs --least warning
      capably logs --level capably=debug --for 5m --follow
    """
    client = client_from(control, token, user, headers)
    changed = [
        client.send("PUT", f"/logs/{quote(name, safe='')}", {"level": level, "duration": duration})
        for name, level in levels
    ]
    changed += [client.send("DELETE", f"/logs/{quote(name, safe='')}") for name in resets]
    for item in changed:
        until = f" until {item['until']}" if "until" in item else ""
        hint(escape(f"✓ {item.get('logger')} logs {item.get('level')}{until}"))
    query = {name: value for name, value in (("level", least), ("logger", logger)) if value}
    if follow:
        _follow(client, query, as_json=as_json)
    elif not changed:
        found = client.get("/logs", {**query, "limit": str(limit)})
        if as_json:
            print_json(found)
        else:
            _show(found)


def _follow(client: ControlClient, query: dict[str, str], *, as_json: bool) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have what they start in the background ignore it
    try:
        for record in client.events("/logs/stream", query):
            if as_json:
                print_json(record)
            else:
                sys.stdout.writelines(_lines(record))
            sys.stdout.flush()
    except KeyboardInterrupt:
        return


def _show(found: dict[str, Any]) -> None:
    for record in found["records"]:
        sys.stdout.writelines(_lines(record))
    if not found["records"]:
        hint("nothing was logged of late")
    told = ", ".join(f"{item.get('logger')} {item.get('level')}" for item in found["levels"])
    hint(escape(f"levels: {told}"))


def _lines(record: dict[str, Any]) -> list[str]:
    level = str(record.get("level")).upper()
    worker = f"worker {record['worker']} " if "worker" in record else ""
    first = escape(f"{record.get('timestamp')} {level:<8} {worker}{record.get('logger')}: {record.get('message')}")
    return [f"{first}\n", *(f"  {escape(line)}\n" for line in str(record.get("exception", "")).splitlines())]
