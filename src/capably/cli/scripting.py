"""``capably scripting``: what holds for the scripts of a running process."""

import json
import sys
from typing import Any

import click

from capably.cli.console import hint
from capably.cli.control_client import EXITS, client_from, client_options, print_json
from capably.cli.options import Pair
from capably.render.excerpt import escape


@click.command(epilog=EXITS)
@click.option(
    "--set",
    "changes",
    type=Pair(),
    multiple=True,
    metavar="KEY=VALUE",
    help="Change enabled, timeout, statementLimit, memoryLimit or allowedLanguages; `null` takes a change back.",
)
@client_options
def scripting(
    *,
    changes: tuple[tuple[str, str], ...],
    control: str | None,
    token: str | None,
    user: str | None,
    headers: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Show what holds for the scripts of a running process, or change it until the process ends.

    What is changed holds for the next run of each script.

    \b
    Examples:
      capably scripting
      capably scripting --set enabled=false
      capably scripting --set timeout=3000 --set allowedLanguages=javascript,python
    """
    client = client_from(control, token, user, headers)
    if changes:
        shown = client.send("PUT", "/scripting", {key: _value(key, text) for key, text in changes})
        hint("✓ scripting was updated")
    else:
        shown = client.get("/scripting")
    if as_json:
        print_json(shown)
    else:
        _show(shown)


def _value(key: str, text: str) -> Any:
    """A value as JSON has it: numbers, true, false and null as such, lists with commas, all else as text."""
    if key == "allowedLanguages" and text != "null":
        return [item.strip() for item in text.split(",") if item.strip()]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _show(shown: dict[str, Any]) -> None:
    stats = shown.get("stats", {})
    switched = f" (by {shown['switchedOffBy']})" if "switchedOffBy" in shown else ""
    lines = [
        f"Scripting:   {'ENABLED' if shown.get('enabled') else 'DISABLED'}{switched}",
        f"Location:    {shown.get('defaultLocation') or '-'}",
        f"Language:    {shown.get('defaultLanguage') or '-'}",
        f"Timeout:     {shown.get('timeout')} ms",
        f"Stmt Limit:  {shown.get('statementLimit')}",
        f"Memory:      {int(shown.get('memoryLimit') or 0) // 2**20} MiB",
        f"Allowed:     {', '.join(shown.get('allowedLanguages', [])) or 'none'}",
        "Stats:",
        f"  Executions: {stats.get('totalExecutions')}",
        f"  Errors:     {stats.get('totalErrors')}",
        f"  Average:    {stats.get('averageDurationMs')} ms",
        f"  Last:       {stats.get('lastExecutionAt', '-')}",
    ]
    sys.stdout.writelines(f"{escape(line)}\n" for line in lines)
