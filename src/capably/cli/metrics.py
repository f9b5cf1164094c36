"""``capably metrics``: the metrics of a running process."""

import re
import sys

import click

from capably.cli.control_client import EXITS, client_from, client_options, print_json
from capably.errors import EXIT_USAGE, CommandError


@click.command(epilog=EXITS)
@click.option("--filter", "pattern", metavar="REGEX", help="Only lines that match, in any case.")
@client_options
def metrics(
    *,
    pattern: str | None,
    control: str | None,
    token: str | None,
    user: str | None,
    headers: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Print the metrics of a running process, as Prometheus reads them.

    With --json each line that is no comment is an object of `name`, `labels` and `value`.

    \b
    Examples:
      capably metrics --filter request_total
    """
    try:
        wanted = re.compile(pattern or "", re.IGNORECASE)
    except re.error as problem:
        raise CommandError(f"--filter {pattern}: {problem}", exit_code=EXIT_USAGE) from None
    text = client_from(control, token, user, headers).text("/metrics", accept="text/plain")
    lines = [line for line in text.splitlines() if wanted.search(line)]
    if as_json:
        print_json([found for line in lines if (found := _sample(line)) is not None])
        return
    sys.stdout.writelines(f"{line}\n" for line in lines if line.isprintable())


_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'(?P<name>\w+)="(?P<value>(?:[^"\\]|\\.)*)"')


def _sample(line: str) -> dict[str, object] | None:
    """A line of Prometheus text (exposition format 0.0.4) as an object; ``None`` for a comment."""
    match = _SAMPLE.match(line)
    if match is None:
        return None
    labels = {label["name"]: label["value"] for label in _LABEL.finditer(match["labels"] or "")}
    return {"name": match["name"], "labels": labels, "value": float(match["value"])}
