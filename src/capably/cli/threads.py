"""`capably threads`: serve the embedded Threads > Runs service, and its keys.

Results go to stdout, everything said about them to stderr. Exit codes: 0 done or stopped, 1 could not, 2 misused.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from capably.cli.console import hint

if TYPE_CHECKING:
    from capably.threads.settings import ThreadsSettings

EXTRA = {"fastapi", "starlette", "pydantic", "pydantic_core", "sqlalchemy", "aiosqlite", "greenlet"}
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

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".capably"),
    show_default=True,
    help="Directory that holds the database; made when missing.",
)


Command = TypeVar("Command", bound=Callable[..., Any])


def model_options(command: Command) -> Command:
    """Add the options that choose what answers runs."""
    options = (
        click.option(
            "--model-url",
            metavar="URL",
            help="OpenAI-compatible endpoint that answers runs, without /chat/completions; left out: an offline "
            "responder.",
        ),
        click.option(
            "--model", metavar="NAME", help="Model to ask for, whatever the assistant names; left out: the assistant's."
        ),
        click.option(
            "--model-key-env",
            metavar="VARIABLE",
            default="OPENAI_API_KEY",
            show_default=True,
            help="Environment variable with the endpoint's key; unset or empty: no key is sent.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def told() -> Iterator[None]:
    """Turn what can go wrong with the installation or the directory into a sentence and exit code 1."""
    try:
        from capably.threads.database import DataDirectoryError

        try:
            yield
        except DataDirectoryError as failure:
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
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8890, show_default=True, help="Port; 0 takes a free one."
)
@model_options
def serve(*, data: Path, host: str, port: int, model_url: str | None, model: str | None, model_key_env: str) -> None:
    """Serve assistants, threads, messages and runs until interrupted."""
    from capably.loop import run_until_signal

    with told():
        settings = threads_settings(data, host, model_url, model, model_key_env)
        run_until_signal(lambda stop: _serve(settings, port, stop))


def threads_settings(
    data: Path, host: str, model_url: str | None, model: str | None, model_key_env: str
) -> "ThreadsSettings":
    """The settings that options give; the endpoint's key is looked up in the environment."""
    from capably.threads.settings import ThreadsSettings

    if model_url is not None and not model_url.startswith(("http://", "https://")):
        raise click.BadParameter("must start with http:// or https://", param_hint="'--model-url'")
    if model is not None and model_url is None:
        raise click.UsageError("--model needs --model-url: without an endpoint the offline responder answers.")
    model_key = (os.environ.get(model_key_env) or None) if model_url else None
    return ThreadsSettings(data=data, host=host, model_url=model_url, model=model, model_key=model_key)


@asynccontextmanager
async def threads_service(settings: "ThreadsSettings", port: int, option: str) -> AsyncIterator[int]:
    """The service, running while the context lasts; gives the port it listens on.

    Raises:
        CommandError: the address is taken; ``option`` is what moves the service.
        DataDirectoryError: the data directory cannot be used.
    """
    from capably.listening import bind, serving
    from capably.threads.database import DirectoryLock
    from capably.threads.keys import list_keys
    from capably.threads.server import ThreadsServer
    from capably.threads.service import create_app

    with bind(settings.host.strip("[]"), port, "the threads service", option) as sock:
        # The directory is tried before the server starts: a lifespan that fails is reported as a stack trace.
        with DirectoryLock(settings.data):
            await list_keys(settings.data)
        async with serving(ThreadsServer(create_app(settings)), sock):
            yield sock.getsockname()[1]


async def _serve(settings: "ThreadsSettings", port: int, stop: asyncio.Event) -> None:
    from capably.threads.keys import list_keys

    async with threads_service(settings, port, "--port PORT") as listening_on:
        keys = await list_keys(settings.data)
        _introduce(settings, listening_on, locked_out=all(record.revoked_at for record in keys))
        await stop.wait()


def _introduce(settings: "ThreadsSettings", port: int, *, locked_out: bool) -> None:
    """Say on stderr what is served where."""
    from capably.threads.service import choose_responder

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    hint(f"threads  http://{host}:{port}/v1")
    hint(f"data     {settings.data.resolve()}")
    hint(f"answers  {choose_responder(settings).label}")
    if locked_out:
        hint("No key opens this service yet. Make one, in another terminal:")
        hint(f"  capably threads key create --data {settings.data}")
    if not settings.on_loopback:
        hint("Other machines can reach this address, and what they send is not encrypted: put TLS in front.")


@threads.group()
def key() -> None:
    """Make, list and revoke the bearer keys of a data directory.

    A key is shown once and kept as a digest. A running service honours a change at once.
    """


@key.command(epilog=CREATE_EXAMPLES)
@data_option
@click.option("--name", default="default", show_default=True, help="What the key is for.")
def create(data: Path, name: str) -> None:
    """Print a new bearer key. It cannot be shown again."""
    with told():
        from capably.threads.keys import create_key

        click.echo(asyncio.run(create_key(data, name)))
    click.echo("Keep this key: it is stored as a digest only. Send it as 'Authorization: Bearer KEY'.", err=True)


@key.command("list", epilog=LIST_EXAMPLES)
@data_option
def list_(data: Path) -> None:
    """List the keys: id, how each begins, when it was made, its name."""
    with told():
        from capably.threads.keys import list_keys

        found = asyncio.run(list_keys(data))
    for record in found:
        made = datetime.fromtimestamp(record.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        state = "live" if record.revoked_at is None else "revoked"
        click.echo(f"{record.id}  {record.prefix}  {made}  {state:7}  {record.name}")
    if not found:
        click.echo(f"No keys yet. Make one with: capably threads key create --data {data}", err=True)


@key.command(epilog=REVOKE_EXAMPLES)
@data_option
@click.argument("key_id", metavar="ID")
def revoke(data: Path, key_id: str) -> None:
    """Stop the key with this ID, as `key list` shows it, from opening the service."""
    with told():
        from capably.threads.keys import revoke_key

        done = asyncio.run(revoke_key(data, key_id))
    if not done:
        raise click.ClickException(f"no live key has the id '{key_id}'; see: capably threads key list --data {data}")
    click.echo(f"Revoked {key_id}.", err=True)
