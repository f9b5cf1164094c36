"""``capably serve``: run the servers of capability documents until told to stop."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capably.cli.console import bold, hint, table, wants_colour
from capably.cli.options import (
    MAX_PORT,
    Pair,
    control_from,
    control_options,
    finite,
    given_from,
    given_options,
    script_options,
    switches_from,
)
from capably.cli.workers import check_workers, supervised, take_seat, workers_option
from capably.errors import EXIT_USAGE, CommandError

if TYPE_CHECKING:
    from capably.app import Listener
    from capably.examine import Examined
    from capably.plan.operation import CertificateFiles
    from capably.settings import Settings


@click.command(epilog="Exit codes: 0 stopped by a signal, 1 could not serve, 2 used wrongly or a value is missing.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="FILE...")
@given_options
@click.option(
    "--port",
    "ports",
    type=Pair(),
    multiple=True,
    metavar="NAMESPACE=PORT",
    help="Port of a server, instead of the document's; 0 takes a free one.",
)
@click.option(
    "--tls-cert", metavar="FILE", type=click.Path(path_type=Path), help="Serve https with this certificate chain (PEM)."
)
@click.option(
    "--tls-key", metavar="FILE", type=click.Path(path_type=Path), help="Its private key, when it is in another file."
)
@click.option("--host", metavar="ADDR", help="Address all servers listen on, instead of the document's.")
@click.option(
    "--stdio",
    is_flag=False,
    flag_value="",
    metavar="[NAMESPACE]",
    help="Serve one MCP server over standard input and output, and nothing else, as MCP clients start servers.",
)
@control_options
@script_options
@workers_option
@click.option("--strict", is_flag=True, help="Refuse documents with any error, instead of serving what is sound.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    callback=finite,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long an upstream may take to answer.",
)
def serve(
    *,
    files: tuple[Path, ...],
    sets: tuple[tuple[str, str], ...],
    upstreams: tuple[tuple[str, str], ...],
    ports: tuple[tuple[str, str], ...],
    tls_cert: Path | None,
    tls_key: Path | None,
    host: str | None,
    stdio: str | None,
    control: str | None,
    control_token: str | None,
    no_scripts: bool,
    script_languages: str | None,
    workers: int,
    strict: bool,
    timeout_s: float,
) -> None:
    """Run every server of one or more capability documents.

    Values for variables and secrets come from --set, else from the environment. Servers listen on 127.0.0.1 unless
    the document or --host says otherwise. An error in a part of a document leaves that part out and is told; the rest
    is served. Stop with Ctrl-C: open requests end first.

    \b
    Examples:
      capably serve fleet.yaml --set region=eu
      capably serve fleet.yaml --upstream registry=http://127.0.0.1:8000
      capably serve a.yaml b.yaml --port b-rest=8081
      capably serve --stdio fleet.yaml
      capably serve fleet.yaml --control 9090
    """
    from capably.loop import run_until_signal
    from capably.seat import Seat
    from capably.settings import Settings
    from capably.upstream.client import ClientLimits

    stdio, files = _told_apart(stdio, files)
    seat = Seat.taken()
    settings = Settings(
        given=given_from(sets, upstreams),
        ports={**ports_from(ports), **(seat.ports if seat is not None else {})},
        host=host,
        tls=_certificate(tls_cert, tls_key),
        stdio=stdio,
        strict=strict,
        client=ClientLimits(answer_s=timeout_s),
        scripts=switches_from(script_languages, no_scripts=no_scripts),
        control=control_from(control, control_token),
        seat=seat,
    )
    check_workers(workers, settings)
    run_until_signal(lambda stop: _serve(files, settings, workers, stop))


def _told_apart(stdio: str | None, files: tuple[Path, ...]) -> tuple[str | None, tuple[Path, ...]]:
    """The server and the files: in `--stdio FILE` the option takes what is a file.

    Raises:
        CommandError: no file is named.
    """
    if stdio and (not files or Path(stdio).suffix.lower() in {".yaml", ".yml"} or Path(stdio).is_file()):
        stdio, files = "", (Path(stdio), *files)
    if not files:
        raise CommandError("no document is named", "write `capably serve FILE`", exit_code=EXIT_USAGE)
    return stdio, files


def _certificate(certificate: Path | None, key: Path | None) -> "CertificateFiles | None":
    """What every server shows instead of what its document names.

    Raises:
        CommandError: a key without a certificate.
    """
    from capably.plan.operation import CertificateFiles

    if certificate is None and key is not None:
        raise CommandError("--tls-key needs a certificate", "add --tls-cert FILE", exit_code=EXIT_USAGE)
    return CertificateFiles(certificate, key or certificate) if certificate is not None else None


def ports_from(pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The ports that ``--port`` options give.

    Raises:
        CommandError: a value is no port.
    """
    return dict(_port(name, text) for name, text in pairs)


def _port(name: str, text: str) -> tuple[str, int]:
    if not text.isascii() or not text.isdigit() or int(text) > MAX_PORT:
        message = f"--port {name}={text}: `{text}` is no port"
        raise CommandError(message, f"write --port {name}=8080", exit_code=EXIT_USAGE)
    return name, int(text)


async def _serve(files: Sequence[Path], settings: "Settings", workers: int, stop: asyncio.Event) -> None:
    from capably.app import RefusedError, open_documents, running
    from capably.collecting import settle

    try:
        documents = await open_documents(files, settings)
    except RefusedError as refused:
        show_errors(refused.examined)
        raise
    if settings.seat is not None:
        async with running(documents, settings, stop):
            take_seat(settings.seat, stop)
            await stop.wait()
        return
    show_errors([document for document in documents if document.has_errors])
    served = running(documents, settings, stop) if workers == 1 else supervised(documents, settings, workers)
    async with served as listeners:
        show_listeners(documents, listeners)
        settle()
        await stop.wait()
        hint("stopping: open requests may end")


def show_errors(examined: Sequence["Examined"]) -> None:
    """Print the errors of documents, if they have any."""
    from capably.render.text import render_text

    errors = [diagnostic for item in examined for diagnostic in item.errors]
    texts = {file: text for item in examined for file, text in item.texts.items()}
    if errors:
        sys.stderr.write(render_text(errors, texts, colour=wants_colour(sys.stderr)))


def show_listeners(documents: Sequence["Examined"], listeners: Sequence["Listener"]) -> None:
    """Print the table of servers, and how many warnings their documents have."""
    colour = wants_colour(sys.stderr)
    rows = [
        (
            item.plan.kind.value,
            item.plan.namespace,
            item.url + ("" if item.plan.over_stdio else _PATHS.get(item.plan.kind.value, "")),
            _offers(item),
            ", ".join(_upstreams(documents, item)),
        )
        for item in listeners
    ]
    hint(table(("KIND", "NAMESPACE", "URL", "OFFERS", "UPSTREAM"), rows, colour=colour))
    for item in listeners:
        if item.warning:
            hint(f"warning: {item.warning}")
    for document in documents:
        warnings = len(document.diagnostics) - len(document.errors)
        if warnings:
            word = "warning" if warnings == 1 else "warnings"
            hint(f"{warnings} {word}: see `capably check {document.file}`")
    hint(bold("ready", colour=colour) + "; stop with Ctrl-C")


_PATHS = {"mcp": "/mcp", "skill": "/skills"}  # where clients begin


def _offers(listener: "Listener") -> str:
    plan = listener.plan
    if plan.kind.value == "control":
        return "health, metrics, reload, ..."
    if plan.kind.value == "skill":
        counts = [(len(plan.skills), "skill")]
    else:
        counts = [(len(plan.operations), "tool" if plan.kind.value == "mcp" else "operation")]
    more = ((plan.forwards, "forward"), (plan.resources, "resource"), (plan.prompts, "prompt"))
    counts += [(len(items), noun) for items, noun in more if items]
    return ", ".join(f"{count} {noun}" if count == 1 else f"{count} {noun}s" for count, noun in counts)


def _upstreams(documents: Sequence["Examined"], listener: "Listener") -> list[str]:
    from capably.plan.consumed import Consumed

    works = [operation.work for operation in listener.plan.operations]
    used = dict.fromkeys(work.target.namespace for work in works if isinstance(work, Consumed))
    used |= dict.fromkeys(forward.target for forward in listener.plan.forwards)
    for document in documents:
        plan = document.compiled.plan if document.compiled is not None else None
        if plan is not None and listener.plan in plan.servers:
            return [plan.upstreams[namespace] for namespace in used]
    return []
