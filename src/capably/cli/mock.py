"""``capably mock``: serve the examples of OpenAPI documents until told to stop."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capably.cli.console import bold, hint, paint, table, wants_colour
from capably.cli.options import Pair
from capably.errors import CommandError
from capably.render.count import amount

if TYPE_CHECKING:
    from capably.mock.serving import MockSettings, Opened, Running

EPILOG = "Exit codes: 0 stopped by a signal, 1 could not serve, 2 used wrongly."
_COLOURS = {"2": "\x1b[32m", "4": "\x1b[33m", "5": "\x1b[31m"}


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4010,
    show_default=True,
    help="Port of the first file; each further file takes the next. 0 takes free ones.",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDR", help="Address to listen on.")
@click.option("--strict", is_flag=True, help="Refuse requests that the document does not describe: 400, or 401.")
@click.option(
    "--expect",
    "demands",
    type=Pair(),
    multiple=True,
    metavar="NAME=VALUE",
    help="Refuse requests in which a header, query key, cookie or security scheme of that name has another value.",
)
def mock(*, files: tuple[Path, ...], port: int, host: str, strict: bool, demands: tuple[tuple[str, str], ...]) -> None:
    """Serve the examples of OpenAPI documents, before the APIs exist.

    A request gets the example that belongs to its parameters: examples of parameters, of the request body and of
    answers belong together when they have one name. Where there is no example, a value is made from the schema.
    `Prefer: code=404`, `Prefer: example=NAME` and `Prefer: dynamic=true` choose otherwise; `{{request.body/FIELD}}`
    in an example is filled in. What is wrong with a request is told in the log, and with --strict to the caller.

    \b
    Examples:
      capably mock registry.yaml
      capably mock registry.yaml dockyard.yaml --port 4010 --strict
      capably mock registry.yaml --expect bearerAuth=dummy-token
      capably serve fleet.yaml --upstream registry=http://127.0.0.1:4010
    """
    from capably.loop import run_until_signal
    from capably.mock.check import Demand
    from capably.mock.serving import MockSettings, open_file

    opened = [open_file(path) for path in files]
    _show_findings(opened)
    if any(item.api is None or not item.api.operations for item in opened):
        raise CommandError("there is nothing to serve")
    expected = tuple(Demand(name, value) for name, value in demands)
    settings = MockSettings(host=host, port=port, demands=expected, is_strict=strict)
    run_until_signal(lambda stop: _serve(opened, settings, stop))


def _show_findings(opened: Sequence["Opened"]) -> None:
    from capably.render.text import render_text

    found = [diagnostic for item in opened for diagnostic in item.diagnostics]
    if found:
        texts = {item.file: item.text for item in opened}
        sys.stderr.write(render_text(found, texts, colour=wants_colour(sys.stderr)))


async def _serve(opened: Sequence["Opened"], settings: "MockSettings", stop: asyncio.Event) -> None:
    from capably.mock.serving import mocking

    colour = wants_colour(sys.stderr)
    async with mocking(opened, settings, lambda line: hint(_coloured(line, colour=colour))) as running:
        rows = [(item.api.title, item.url, _count(item)) for item in running]
        hint(table(("API", "URL", "OFFERS"), rows, colour=colour))
        hint(bold("ready", colour=colour) + "; stop with Ctrl-C")
        await stop.wait()
        hint("stopping: open requests may end")


def _count(running: "Running") -> str:
    return amount(len(running.api.operations), "operation")


def _coloured(line: str, *, colour: bool) -> str:
    """A line of the log, its status in the colour of its class."""
    parts = line.split("  ", 2)
    if not colour or len(parts) < 3:  # noqa: PLR2004 -- request, status, the rest
        return line
    return "  ".join((parts[0], paint(parts[1], _COLOURS.get(parts[1][:1], ""), colour=True), parts[2]))
