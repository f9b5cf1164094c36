"""``capably serve``: run the servers of capability documents until told to stop."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from capably.cli.console import hint
from capably.cli.log_options import begin_log, log_options
from capably.cli.options import (
    MAX_PORT,
    Pair,
    control_from,
    control_options,
    finite,
    given_from,
    given_options,
    listen_from,
    script_options,
    switches_from,
)
from capably.cli.reloading import reloading
from capably.cli.serving import show_errors, show_listeners
from capably.cli.workers import check_workers, concurrency_option, supervised, take_seat, workers_option
from capably.errors import EXIT_USAGE, CommandError

if TYPE_CHECKING:
    from capably.plan.operation import CertificateFiles
    from capably.sources import Sources


@click.command(epilog="Exit codes: 0 stopped by a signal, 1 could not serve, 2 used wrongly or a value is missing.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="FILE|FOLDER...")
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
    "--listen",
    metavar="[ADDR:]PORT",
    help="One address for all servers, each below its namespace: http://ADDR:PORT/NAMESPACE.",
)
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
@concurrency_option
@log_options
@click.option("--watch", "watches", is_flag=True, help="Reload whenever a file changes that documents are made of.")
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
    listen: str | None,
    stdio: str | None,
    control: str | None,
    control_token: str | None,
    no_scripts: bool,
    script_languages: str | None,
    workers: int,
    concurrency: int,
    log_format: str,
    log_level: str,
    access_log: bool,
    watches: bool,
    strict: bool,
    timeout_s: float,
) -> None:
    """Run every server of one or more capability documents.

    Values for variables and secrets come from --set, else from the environment. Servers listen on 127.0.0.1 unless
    the document or --host says otherwise. An error in a part of a document leaves that part out and is told; the rest
    is served. Of a folder, all documents are served that expose something. Stop with Ctrl-C: open requests end first.

    The documents are reloaded on SIGHUP, and with --watch when they change: no request is dropped, and documents that
    cannot be served leave everything as it was.

    \b
    Examples:
      capably serve fleet.yaml --set region=eu
      capably serve fleet.yaml --upstream registry=http://127.0.0.1:8000
      capably serve a.yaml b.yaml --port b-rest=8081
      capably serve capabilities/ --watch --listen 8080
      capably serve --stdio fleet.yaml
      capably serve fleet.yaml --control 9090
    """
    from capably.loop import run_until_signal
    from capably.seat import Seat
    from capably.settings import Settings
    from capably.sources import Sources
    from capably.upstream.client import ClientLimits

    stdio, files = _told_apart(stdio, files)
    seat = Seat.taken()
    settings = Settings(
        given=given_from(sets, upstreams),
        ports={**ports_from(ports), **(seat.ports if seat is not None else {})},
        host=host,
        listen=listen_from(listen, is_alone=host is None and stdio is None and not ports),
        tls=_certificate(tls_cert, tls_key),
        stdio=stdio,
        strict=strict,
        concurrency=concurrency,
        client=ClientLimits(answer_s=timeout_s),
        scripts=switches_from(script_languages, no_scripts=no_scripts),
        control=control_from(control, control_token),
        seat=seat,
        access_log=access_log,
    )
    begin_log(log_format, log_level, settings.redactor.hide, access_log=access_log)
    check_workers(workers, settings)
    # What a reload reads is read anew, the environment as well.
    sources = Sources(files, lambda: replace(settings, given=given_from(sets, upstreams)))
    run_until_signal(lambda stop: _serve(sources, stop, workers, watches=watches))


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


async def _serve(sources: "Sources", stop: asyncio.Event, workers: int, *, watches: bool) -> None:
    from capably.app import RefusedError, Service, open_documents
    from capably.collecting import settle

    began = time.time()
    files, settings = sources()
    seat = settings.seat
    try:
        documents = await open_documents(files, settings)
    except RefusedError as refused:
        show_errors(refused.examined)
        raise
    if seat is None:
        show_errors([document for document in documents if document.has_errors])
    if workers > 1 and seat is None:
        async with supervised(documents, settings, workers) as listeners:
            show_listeners(documents, listeners)
            await stop.wait()
            hint("stopping: open requests may end")
        return
    since, tells = began if watches else None, seat is None or seat.is_first
    async with Service(documents, settings, stop, sources) as service:
        async with reloading(service, sources, stop, watched_since=since, tells=tells):
            if seat is None:
                show_listeners(documents, service.listeners)
            else:
                take_seat(seat, stop)
            settle()
            await stop.wait()
        if seat is None:
            hint("stopping: open requests may end")
