"""Options of what is logged on stderr."""

import sys
from typing import TYPE_CHECKING

import click

from capably.cli.console import wants_colour
from capably.cli.options import Command

if TYPE_CHECKING:
    from capably.telemetry.redaction import Hide


def log_options(command: Command) -> Command:
    """Add ``--log-format``, ``--log-level`` and ``--access-log``."""
    command = click.option("--access-log", "access_log", is_flag=True, help="Log every request that is answered.")(
        command
    )
    command = click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error", "critical"]),
        default="warning",
        show_default=True,
        help="The least severe messages that are logged.",
    )(command)
    return click.option(
        "--log-format",
        type=click.Choice(["console", "json"]),
        default="console",
        show_default=True,
        help="How the log is written to stderr: lines for people, or one JSON object a line.",
    )(command)


def begin_log(log_format: str, log_level: str, hide: "Hide", *, access_log: bool) -> None:
    """Log to stderr as the options say."""
    from capably.telemetry.log_output import LogFormat, LogSettings, log_to

    settings = LogSettings(LogFormat(log_format), log_level, access_log)
    log_to(sys.stderr, settings, hide, colour=wants_colour(sys.stderr))
