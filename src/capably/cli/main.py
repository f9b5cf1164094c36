"""The ``capably`` command: a group whose commands are loaded when they are called."""

import importlib
import sys
from collections.abc import Sequence
from typing import ClassVar

import click

from capably import __version__
from capably.cli.console import show_error
from capably.errors import CommandError

HELP = """Run capability documents: one YAML file becomes REST servers and MCP tools.

\b
Start here:
  capably demo                     a working capability, no key, no network
  capably check FILE               what is wrong with a document, and where
  capably plan FILE                what each operation will do
  capably serve FILE               run it
"""


class _Commands(click.Group):
    """Commands by name, each in a module of its own: importing one imports no other."""

    modules: ClassVar[dict[str, str]] = {
        "serve": "Run the servers of capability documents.",
        "check": "Tell what is wrong with documents, and where.",
        "plan": "Show what each operation of a document will do.",
        "call": "Run one tool or operation without starting servers.",
        "inspect": "Show what a client sees of an MCP server.",
        "test": "Run stories about documents: calls, the upstream's replies, answers.",
        "mock": "Serve the examples of OpenAPI documents, before the APIs exist.",
        "health": "Tell whether a running process is ready.",
        "status": "Show what a running process is and serves.",
        "traces": "Show the traces of its last requests.",
        "metrics": "Print its metrics.",
        "logs": "Show, follow and steer its log.",
        "scripting": "Show and change what holds for its scripts.",
        "reload": "Have it read its documents again.",
        "explain": "Explain a diagnostic code.",
        "export": "Write a REST server of a document as an OpenAPI document.",
        "schema": "Print the JSON Schema of documents, for editors.",
        "demo": "Run a complete example: the service, the capability, a first thread.",
        "threads": "Run the embedded Threads > Runs service.",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order a newcomer needs them."""
        del ctx
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module and give its command."""
        del ctx
        if cmd_name not in self.modules:
            return None
        command = getattr(importlib.import_module(f"capably.cli.{cmd_name}"), cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(self.modules.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is told with the nearest name."""
        from capably.diagnostics import did_you_mean

        if args and args[0] not in self.modules and not args[0].startswith("-"):
            ctx.fail(f"no command `{args[0]}`: {did_you_mean(args[0], self.modules)[0]}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="capably %(version)s")
def capably() -> None:
    """Take the options that come before any command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 used wrongly."""
    try:
        capably.main(args=list(arguments) if arguments is not None else None, prog_name="capably")
    except CommandError as problem:
        show_error(problem)
        sys.exit(problem.exit_code)
