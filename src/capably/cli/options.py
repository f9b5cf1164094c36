"""Options that several commands share, and how their values are read."""

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from capably.errors import EXIT_USAGE, CommandError
from capably.plan.variables import Given

MAX_PORT = 65535

if TYPE_CHECKING:
    from capably.scripts.governance import ScriptSwitches
    from capably.settings import ControlSettings, ListenSettings

Command = TypeVar("Command", bound=Callable[..., Any])


class Pair(click.ParamType[tuple[str, str]]):
    """``NAME=VALUE``, as a pair of texts; the parameter's metavar says what both are called."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Cut at the first ``=``."""
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not name or not equals:
            form = (param.metavar if param is not None and param.metavar else self.name).strip("[].")
            # What follows --set or --expect may be a secret whose name was forgotten: it is not told.
            shown = "this" if param is not None and param.name in {"sets", "demands"} else f"`{value}`"
            self.fail(f"{shown} is not {form}", param, ctx)
        return name, text


def finite(_ctx: click.Context, _param: click.Parameter, value: float) -> float:
    """A number that time can be measured with: ``nan`` and ``inf`` are numbers to Python, too."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number of seconds")
    return value


def given_options(command: Command) -> Command:
    """Add ``--set`` and ``--upstream``."""
    command = click.option(
        "--upstream",
        "upstreams",
        type=Pair(),
        multiple=True,
        metavar="NAMESPACE=URL",
        help="Base URI of a consumed API, instead of the document's.",
    )(command)
    return click.option(
        "--set",
        "sets",
        type=Pair(),
        multiple=True,
        metavar="NAME=VALUE",
        help="Value of a variable or bind; beats the environment. May be repeated.",
    )(command)


def script_options(command: Command) -> Command:
    """Add ``--no-scripts`` and ``--script-languages``."""
    command = click.option(
        "--script-languages",
        metavar="NAMES",
        help="Languages of script steps that are run, such as javascript,python.",
    )(command)
    return click.option("--no-scripts", is_flag=True, help="Run no script steps, whatever the document says.")(command)


def switches_from(languages: str | None, *, no_scripts: bool) -> "ScriptSwitches":
    """What the options say of scripts.

    Raises:
        CommandError: a language is none.
    """
    from capably.diagnostics import did_you_mean
    from capably.scripts.governance import LANGUAGES, ScriptSwitches, language_of

    names = LANGUAGES if languages is None else tuple(language_of(name) for name in languages.split(",") if name)
    for name in names:
        if name not in LANGUAGES:
            advice = did_you_mean(name, LANGUAGES)
            raise CommandError(f"--script-languages: `{name}` is not run", *advice, exit_code=EXIT_USAGE)
    return ScriptSwitches(no_scripts, names)


def given_from(sets: Sequence[tuple[str, str]], upstreams: Sequence[tuple[str, str]]) -> Given:
    """What the options and the environment give.

    Raises:
        CommandError: a base URI is none.
    """
    from capably.plan.requests import base_uri_problem

    for namespace, url in upstreams:
        problem = base_uri_problem(url)
        if problem is not None:
            message = f"--upstream {namespace}={url} is {problem}"
            raise CommandError(message, "write --upstream NAMESPACE=https://host:port/path", exit_code=EXIT_USAGE)
    return Given(dict(sets), dict(os.environ), dict(upstreams))


def documents_below(paths: Sequence[Path]) -> list[Path]:
    """The documents that paths name: files as they are, directories with all YAML and JSON files below.

    Raises:
        CommandError: a directory has none.
    """
    from capably.load import find_documents

    found: list[Path] = []
    for path in paths:
        below = find_documents(path)
        if not below:
            raise CommandError(f"{path} holds no YAML or JSON file", exit_code=EXIT_USAGE)
        found += below
    return list(dict.fromkeys(found))


def control_options(command: Command) -> Command:
    """Add ``--control`` and ``--control-token-env``."""
    command = click.option(
        "--control-token-env",
        "control_token",
        metavar="NAME",
        help="Environment variable with the token that callers of the control server send.",
    )(command)
    return click.option(
        "--control",
        metavar="[ADDR:]PORT",
        help="Open a control server there, or move the declared one; on 127.0.0.1 unless ADDR is given.",
    )(command)


def control_from(address: str | None, token_name: str | None) -> "ControlSettings | None":
    """Where the control server listens, and what callers have to send.

    Raises:
        CommandError: the address is none, or the variable holds nothing.
    """
    from capably.settings import ControlSettings

    if address is None:
        if token_name is not None:
            raise CommandError("--control-token-env needs --control", "add --control PORT", exit_code=EXIT_USAGE)
        return None
    host, port = _address("--control", address, "9090")
    token = os.environ.get(token_name, "") if token_name is not None else ""
    if token_name is not None and not token:
        message = f"--control-token-env {token_name}: the variable is not set, or empty"
        raise CommandError(message, f"export {token_name}=... before serving", exit_code=EXIT_USAGE)
    return ControlSettings(port, host or None, token)


def listen_from(address: str | None, *, is_alone: bool) -> "ListenSettings | None":
    """The one address of all servers.

    Args:
        address: as it is written, ``None`` when each server has its own.
        is_alone: whether nothing else says where servers listen.

    Raises:
        CommandError: the address is none, or something else says where servers listen.
    """
    from capably.settings import ListenSettings

    if address is None:
        return None
    if not is_alone:
        message = "--listen puts all servers behind one address"
        raise CommandError(message, "leave --host, --port and --stdio out", exit_code=EXIT_USAGE)
    host, port = _address("--listen", address, "8080")
    return ListenSettings(host or "127.0.0.1", port)


def _address(option: str, address: str, example: str) -> tuple[str, int]:
    """The host, empty where none is written, and the port of an address.

    Raises:
        CommandError: it is none.
    """
    host, colon, port = address.rpartition(":")
    host = host.strip("[]") if colon else ""
    if not port.isascii() or not port.isdigit() or int(port) > MAX_PORT or (":" in host and "[" not in address):
        advice = f"write {option} {example}, 127.0.0.1:{example} or [::1]:{example}"
        raise CommandError(f"{option} {address}: this is no address", advice, exit_code=EXIT_USAGE)
    return host, int(port)
