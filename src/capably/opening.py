"""Opening documents: examined, what they need looked up, clashes found, all before anything listens."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from capably.control import control_server
from capably.diagnostics import did_you_mean
from capably.errors import EXIT_USAGE, CommandError
from capably.examine import Examined, examine_with
from capably.plan.operation import Kind, ServerPlan
from capably.settings import Settings
from capably.startup import missing_values, unknown_names


class RefusedError(CommandError):
    """Documents that cannot be served because of their own mistakes: ``examined`` says which."""

    def __init__(self, examined: Sequence[Examined]) -> None:
        """Keep what is wrong, to be rendered."""
        super().__init__("the document cannot be served")
        self.examined = tuple(examined)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is to listen, and whether it speaks https there.

    Port 0 is any free one, of which each server, by its ``name``, gets its own.
    """

    host: str
    port: int
    name: str = ""
    is_private: bool = False


def servers_of(document: Examined) -> tuple[ServerPlan, ...]:
    """The servers of a document."""
    return document.compiled.plan.servers if document.compiled is not None else ()


def address_of(server: ServerPlan, settings: Settings) -> Address:
    """Where a server listens: what the command line says, else what its document says, else on loopback."""
    if settings.listen is not None:
        return Address(settings.listen.host, settings.listen.port, "", settings.tls is not None)
    host, port = settings.host or server.address or "127.0.0.1", settings.ports.get(server.namespace, server.port)
    is_private = settings.tls is not None or server.tls is not None
    return Address(host, port, "" if port else server.namespace, is_private)


def control_address(control: ServerPlan) -> Address:
    """Where the control server listens: on loopback, unless it is asked to listen elsewhere."""
    return Address(control.address or "127.0.0.1", control.port, "" if control.port else control.namespace)


def named(server: ServerPlan) -> str:
    """A server in messages."""
    return f"the {server.kind.value} server `{server.namespace}`"


async def open_documents(files: Sequence[Path], settings: Settings) -> list[Examined]:
    """Examine documents for serving.

    An error in a part of a document leaves that part out, and the rest is served.

    Raises:
        RefusedError: nothing of a document can be served; or, with ``settings.strict``, a document has an error.
        CommandError: a value is missing, a name on the command line is not known, or servers clash.
    """
    return accepted(await examine_all(files, settings), settings)


async def examine_all(files: Sequence[Path], settings: Settings) -> list[Examined]:
    """Examine documents, with the values that are given. What is wrong is in their diagnostics."""
    return [await examine_with(file, settings.given, switches=settings.scripts) for file in files]


def accepted(examined: Sequence[Examined], settings: Settings) -> list[Examined]:
    """Those documents, as they are served.

    Raises:
        RefusedError: nothing of a document can be served; or, with ``settings.strict``, a document has an error.
        CommandError: a value is missing, a name on the command line is not known, or servers clash.
    """
    examined = _not_imported(examined)
    unknown = unknown_names(examined, settings)
    if unknown is not None:
        raise unknown
    if any(not item.is_served or (settings.strict and item.errors) for item in examined):
        raise RefusedError(examined)
    missing = missing_values(examined)
    if missing is not None:
        raise missing
    if settings.stdio is not None:
        examined = _only_over_stdio(examined, settings.stdio)
    _check_clashes(examined, settings)
    return list(examined)


def _not_imported(examined: Sequence[Examined]) -> list[Examined]:
    """The documents without those whose servers another one of them imports, all of them: they are served there."""
    names = {id(item): {server.namespace for server in servers_of(item)} for item in examined}

    def is_imported(item: Examined) -> bool:
        file, own = Path(item.file).resolve(), names[id(item)]
        others = (other for other in examined if other is not item and own <= names[id(other)])
        return bool(own) and any(file in {path.resolve() for path in other.files} for other in others)

    return [item for item in examined if not is_imported(item)]


def _only_over_stdio(examined: Sequence[Examined], namespace: str) -> list[Examined]:
    """The documents with one MCP server, over standard input and output; the others are not served.

    A client that starts a server for itself wants nothing else of it, above all no ports another client may hold.

    Raises:
        CommandError: there is no such server, or no name and several.
    """
    found = [
        (document, server)
        for document in examined
        for server in servers_of(document)
        if server.kind is Kind.MCP and (not namespace or server.namespace == namespace)
    ]
    if len(found) != 1:
        known = [
            server.namespace for document in examined for server in servers_of(document) if server.kind is Kind.MCP
        ]
        told = f"{namespace}: no MCP server has this name" if namespace else "name the MCP server to serve"
        advice = did_you_mean(namespace, known) or (f"there is {', '.join(known) or 'none'}",)
        raise CommandError(f"--stdio {told}", *advice, exit_code=EXIT_USAGE)
    ((document, server),) = found
    if document.compiled is None:
        raise TypeError("a document with a server is compiled")
    plan = replace(document.compiled.plan, servers=(replace(server, over_stdio=True),), control=None)
    return [replace(document, compiled=replace(document.compiled, plan=plan))]


def _unfit(server: ServerPlan, settings: Settings) -> list[str]:
    """Why a server cannot stand behind the one address of all."""
    if server.tls is not None and settings.tls is None:
        return [f"`{server.namespace}` is to speak https: with --listen, add --tls-cert FILE for all servers"]
    return []


def _check_clashes(examined: Sequence[Examined], settings: Settings) -> None:
    namespaces: dict[str, Examined] = {}
    addresses: dict[tuple[str, int], ServerPlan] = {}
    problems: list[str] = []
    for document in examined:
        for server in servers_of(document):
            earlier = namespaces.setdefault(server.namespace, document)
            if earlier is not document:
                problems.append(f"{document.file} and {earlier.file} both have a server `{server.namespace}`")
            if server.over_stdio:
                continue
            if settings.listen is not None:
                problems += _unfit(server, settings)
                continue
            address = address_of(server, settings)
            other = addresses.setdefault((address.host, address.port), server)
            if address.port and other is not server:
                problems.append(
                    f"`{server.namespace}` and `{other.namespace}` both listen on {address.host}:{address.port}: "
                    f"move one with --port {server.namespace}=PORT"
                )
    control = control_server(examined, settings)
    at = control_address(control) if control is not None else Address("", 0)
    other_one = addresses.get((at.host, at.port))
    if at.port and other_one is not None:
        move = "--control PORT" if settings.control is not None else "--port control=PORT"
        problems.append(
            f"the control server and `{other_one.namespace}` both listen on {at.host}:{at.port}: move one with {move}"
        )
    over_stdio = [server.namespace for document in examined for server in servers_of(document) if server.over_stdio]
    if len(over_stdio) > 1:
        names = " and ".join(f"`{name}`" for name in over_stdio)
        problems.append(f"{names} are all served over stdio, which one process can do for one: choose with --stdio")
    if problems:
        raise CommandError("the servers clash", *dict.fromkeys(problems), exit_code=EXIT_USAGE)
