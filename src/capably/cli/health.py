"""``capably health``: whether a running process lives and is ready."""

import sys

import click

from capably.cli.control_client import client_from, client_options, print_json
from capably.render.excerpt import escape

_READY = 200


@click.command(epilog="Exit codes: 0 ready, 1 not ready or not reached, 2 used wrongly.")
@client_options
def health(
    *,
    control: str | None,
    token: str | None,
    user: str | None,
    headers: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Tell whether a running process lives and is ready.

    \b
    Examples:
      capably health
      capably health --control 127.0.0.1:9090 --json
    """
    client = client_from(control, token, user, headers)
    live = client.get("/health/live")
    status, ready = client.probe("/health/ready")
    if as_json:
        print_json({"live": live, "ready": ready})
    else:
        _show(live, ready)
    if status != _READY:
        sys.exit(1)


def _show(live: dict[str, str], ready: dict[str, object]) -> None:
    listed = ready.get("adapters")
    adapters = [item for item in listed if item.get("type") != "control"] if isinstance(listed, list) else []
    stopped = [item for item in adapters if item.get("state") != "started"]
    count = f"{len(adapters) - len(stopped)}/{len(adapters)} adapters started"
    lines = [f"Liveness:  {live.get('status')}", f"Readiness: {ready.get('status')} ({count})"]
    lines += [f"  {item.get('namespace')} ({item.get('type')}): {item.get('state')}" for item in stopped]
    if "reason" in ready:
        lines.append(f"  {ready['reason']}")
    last = ready.get("lastReload")
    if isinstance(last, dict) and last.get("status") == "rejected":
        lines.append(f"  the last reload was rejected ({last.get('at')}): {last.get('reason')}")
    sys.stdout.writelines(f"{escape(line)}\n" for line in lines)
