"""``capably export``: what a document serves, in the words of other tools."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from capably.cli.console import hint, wants_colour
from capably.errors import EXIT_USAGE, CommandError

if TYPE_CHECKING:
    from capably.examine import Examined
    from capably.plan.operation import ServerPlan


@click.group()
def export() -> None:
    """Write down what a document serves, for other tools."""


@export.command(epilog="Exit codes: 0 written, 1 the document has errors or no REST server, 2 used wrongly.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--server", "namespace", metavar="NAMESPACE", help="Which REST server, where the document has several.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["yaml", "json"]),
    help="yaml or json; else what the name of the output file says, else yaml.",
)
@click.option("--url", metavar="URL", help="Where callers reach the server, instead of its address and port.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, allow_dash=True),
    default=Path("-"),
    metavar="FILE",
    help="The file that is written; - is standard output (when absent).",
)
def openapi(*, file: Path, namespace: str | None, form: str | None, url: str | None, output: Path) -> None:
    """Write a REST server of a document as an OpenAPI 3.1 document.

    It is the one that the server shows at /openapi.json and /openapi.yaml, made without starting anything: no variables
    and no secrets are needed. Operations that an error keeps from being served are left out, as they would be.

    \b
    Examples:
      capably export openapi fleet.yaml
      capably export openapi fleet.yaml --server fleet-rest -o openapi.json
      capably export openapi fleet.yaml --url https://api.example.com/fleet | redocly lint /dev/stdin
    """
    from capably.examine import examine
    from capably.plan.openapi import openapi_document

    examined = examine(file)
    _show_errors(examined)
    server = _server(examined, namespace)
    text = _told(openapi_document(server, url or _url(server)), form or _form_of(output))
    _write(text, output)
    sys.exit(1 if examined.has_errors else 0)


def _show_errors(examined: "Examined") -> None:
    from capably.render.text import render_text

    if examined.errors:
        colour = wants_colour(sys.stderr)
        sys.stderr.write(render_text(list(examined.errors), examined.texts, colour=colour))


def _server(examined: "Examined", namespace: str | None) -> "ServerPlan":
    from capably.diagnostics import did_you_mean
    from capably.plan.operation import Kind

    plans = examined.compiled.plan.servers if examined.compiled is not None else ()
    servers = {server.namespace: server for server in plans if server.kind is Kind.REST}
    names = ", ".join(servers)
    if not servers:
        raise CommandError(f"{examined.file} has no REST server that can be served", "`capably plan` shows what it has")
    if namespace is None and len(servers) > 1:
        message = f"{examined.file} has {len(servers)} REST servers"
        raise CommandError(message, f"name one: --server {next(iter(servers))} (or {names})", exit_code=EXIT_USAGE)
    if namespace is not None and namespace not in servers:
        message = f"{examined.file} has no REST server `{namespace}`"
        raise CommandError(message, *did_you_mean(namespace, servers), exit_code=EXIT_USAGE)
    return servers[namespace] if namespace is not None else next(iter(servers.values()))


def _url(server: "ServerPlan") -> str:
    """Where a server is reached from its own machine, whatever it listens on."""
    address = server.address or ""
    host = "localhost" if address in {"", "0.0.0.0", "::"} else address  # noqa: S104 -- what it listens on
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{'https' if server.tls is not None else 'http'}://{host}:{server.port}"


def _form_of(output: Path) -> str:
    return "json" if output.suffix.lower() == ".json" else "yaml"


def _told(document: dict[str, Any], form: str) -> str:
    import json

    from capably.upstream.yaml_text import to_yaml

    if form == "yaml":
        return to_yaml(document)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _write(text: str, output: Path) -> None:
    if output == Path("-"):
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as problem:
        message = f"{output} cannot be written: {problem.strerror or problem}"
        raise CommandError(message, "check the folder and who may write there") from problem
    hint(f"wrote {output}")
