"""The options that the commands of `capably threads` share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".capably"),
    show_default=True,
    help="Directory that holds the database; made when missing.",
)
database_option = click.option(
    "--database",
    metavar="URL",
    envvar="CAPABLY_THREADS_DATABASE",
    help="PostgreSQL to keep everything in instead, postgresql://USER@HOST/NAME; any number of processes may share it.",
)


Command = TypeVar("Command", bound=Callable[..., Any])


def model_options(command: Command) -> Command:
    """Add the options that choose what answers runs."""
    return _with(
        command,
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
        click.option(
            "--models",
            "models_file",
            metavar="FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            help="YAML or TOML file of several endpoints, by the names assistants give (docs/threads.md).",
        ),
    )


def run_options(command: Command) -> Command:
    """Add the options of processes that execute runs."""
    return _with(
        command,
        click.option(
            "--runs-at-once",
            type=click.IntRange(1, 10_000),
            default=64,
            show_default=True,
            help="Runs executed at the same time by this process; the others wait.",
        ),
        click.option(
            "--allow-mcp",
            metavar="URL",
            multiple=True,
            help="Beginning of the addresses of MCP servers runs may ask; may be given again. On loopback, servers "
            "on loopback may be asked too.",
        ),
        click.option(
            "--keep-events",
            metavar="HOURS",
            type=click.IntRange(1),
            default=24,
            show_default=True,
            help="How long the events of a run can be read again.",
        ),
        click.option(
            "--keep-threads",
            metavar="DAYS",
            type=click.IntRange(1),
            help="Delete threads that got neither messages nor runs for so long; left out: never.",
        ),
    )


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
