"""``capably reload``: have a running process read its documents again."""

import sys
from typing import Any

import click

from capably.cli.control_client import client_from, client_options, print_json
from capably.render.excerpt import escape

_REJECTED = 422


@click.command(epilog="Exit codes: 0 applied or nothing to do, 1 rejected or not reached, 2 used wrongly.")
@click.option("--check", is_flag=True, help="Only tell what a reload would do.")
@client_options
def reload(
    *,
    check: bool,
    control: str | None,
    token: str | None,
    user: str | None,
    headers: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Have a running process read its documents again, without dropping a request.

    Documents that cannot be served are rejected with what is wrong with them; what was served before is served still.

    \b
    Examples:
      capably reload --check
      capably reload
    """
    client = client_from(control, token, user, headers)
    told = client.send("POST", "/config/validate" if check else "/config/reload", also=_REJECTED)
    if as_json:
        print_json(told)
    else:
        _show(told)
    if told.get("status") == "rejected":
        sys.exit(1)


def _show(told: dict[str, Any]) -> None:
    is_rejected = told.get("status") == "rejected"
    why = f": {told.get('reason')}" if is_rejected else ""
    lines = [f"{'✗' if is_rejected else '✓'} {told.get('status')} (generation {told.get('generation')}){why}"]
    lines += [f"  = {line}" for line in told.get("advice", [])]
    lines += [f"  {item.get('path')}: {_change(item)}" for item in told.get("changes", [])]
    for item in told.get("diagnostics", []) if is_rejected else []:
        place = f"{item.get('file')}:{item.get('line')}:{item.get('column')}"
        lines.append(f"  {place}: {item.get('severity')} {item.get('code')}: {item.get('message')}")
        lines += [f"    = {line}" for line in item.get("help", [])]
    sys.stdout.writelines(f"{escape(line)}\n" for line in lines)


def _change(item: dict[str, Any]) -> str:
    before, after = item.get("from"), item.get("to")
    if before is None:
        return "new" if after is None else f"new: {after}"
    return f"{before} is gone" if after is None else f"{before} -> {after}"
