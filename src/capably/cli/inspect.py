"""``capably inspect``: what a client sees of an MCP server."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capably.cli.header_option import header_pairs
from capably.errors import EXIT_USAGE, CommandError

if TYPE_CHECKING:
    from capably.inspection.report import Report
    from capably.plan.operation import ServerPlan


@click.command(epilog="Exit codes: 0 shown, 1 there is nothing to show or no answer, 2 used wrongly.")
@click.argument("target", metavar="FILE|URL|COMMAND")
@click.argument("arguments", nargs=-1, metavar="[ARGUMENTS]...", type=click.UNPROCESSED)
@click.option("--stdio", is_flag=True, help="The target is a command that speaks MCP over stdin and stdout.")
@click.option(
    "--header",
    "headers",
    multiple=True,
    callback=header_pairs,
    metavar="'NAME: VALUE'",
    help="A header to send to a URL, such as 'Authorization: Bearer …'. May be repeated.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text for people, json (one object per server and line, with whole schemas) for programs.",
)
def inspect(
    *, target: str, arguments: tuple[str, ...], stdio: bool, headers: tuple[tuple[str, str], ...], output: str
) -> None:
    """Show what a client sees of an MCP server: tools, resources, prompts, and what listing the tools costs.

    A FILE is a capability document, whose MCP servers are shown without being started. A URL is any MCP server, of this
    program or not. Tokens are an estimate: four bytes of compact JSON count as one.

    \b
    Examples:
      capably inspect fleet.yaml
      capably inspect https://example.com/mcp --header "Authorization: Bearer $TOKEN"
      capably inspect --stdio -- python server.py --verbose
    """
    from capably.inspection.text import lines_of

    is_url = target.startswith(("http://", "https://"))
    if arguments and not stdio:
        raise CommandError("more than one target is given", "a command needs --stdio", exit_code=EXIT_USAGE)
    if headers and (stdio or not is_url):
        raise CommandError("--header needs a URL", "nothing else takes headers", exit_code=EXIT_USAGE)
    for report in asyncio.run(_reports(target, arguments, headers, stdio=stdio, is_url=is_url)):
        if output == "json":
            sys.stdout.write(json.dumps(report.as_data(), ensure_ascii=False) + "\n")
        else:
            sys.stdout.writelines(f"{line}\n" for line in lines_of(report))


async def _reports(
    target: str, arguments: tuple[str, ...], headers: tuple[tuple[str, str], ...], *, stdio: bool, is_url: bool
) -> list["Report"]:
    from capably.inspection.carriers import InProcess, over_http, over_stdio
    from capably.inspection.conversation import Conversation
    from capably.inspection.report import inspect_server

    if stdio:
        async with over_stdio((target, *arguments)) as carrier:
            return [await inspect_server(f"`{target}` over stdio", Conversation(carrier))]
    if is_url:
        async with over_http(target, headers) as way:
            return [await inspect_server(target, Conversation(way))]
    return [
        await inspect_server(f"{target}, not started", Conversation(InProcess(server)))
        for server in _servers(Path(target))
    ]


def _servers(path: Path) -> list["ServerPlan"]:
    """The MCP servers of a document.

    Raises:
        CommandError: it has none, or none can be made of it.
    """
    from capably.cli.console import hint
    from capably.examine import examine
    from capably.plan.operation import Kind
    from capably.render.text import render_text

    examined = examine(path)
    errors = [item for item in examined.diagnostics if item.is_error]
    servers = (
        [server for server in examined.compiled.plan.servers if server.kind is Kind.MCP] if examined.compiled else []
    )
    if errors:
        hint(render_text(errors, examined.texts).rstrip())
    if not servers:
        raise CommandError(f"{path} exposes no MCP server", "see `capably check` for what it holds")
    return servers
