"""Serving with several workers: this process starts them, tells what they serve and passes signals on."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from capably.errors import EXIT_USAGE, CommandError

if TYPE_CHECKING:
    from capably.examine import Examined
    from capably.seat import Seat
    from capably.servers.desk import Listener
    from capably.settings import Settings

workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="How many processes serve, on the same addresses; more than there are cores do not help.",
)
concurrency_option = click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="How many requests each server of a process works on at the same time; more are refused with 503 at once.",
)


def check_workers(workers: int, settings: "Settings") -> None:
    """Check that so many workers can serve.

    Raises:
        CommandError: they cannot.
    """
    if workers == 1:
        return
    if sys.platform != "linux":
        advice = "run several processes there, with ports of their own, behind a proxy"
        raise CommandError("--workers needs Linux, which spreads connections over processes", advice)
    if settings.stdio is not None:
        raise CommandError("--stdio is served by one process", "leave --workers out", exit_code=EXIT_USAGE)
    if settings.listen is not None and not settings.listen.port:
        raise CommandError("--listen 0 is served by one process", "name a port", exit_code=EXIT_USAGE)


@asynccontextmanager
async def supervised(
    documents: Sequence["Examined"], settings: "Settings", workers: int
) -> AsyncIterator[list["Listener"]]:
    """Have documents served by workers while the context lasts.

    Raises:
        CommandError: an address is taken, or a worker cannot serve.
    """
    from capably.control import control_server
    from capably.opening import address_of, control_address, named, servers_of
    from capably.seat import STATE_KEY
    from capably.servers.desk import Listener
    from capably.servers.prefixes import prefix_of
    from capably.supervisor import Place, Supervisor

    plans = [server for document in documents for server in servers_of(document)]
    addresses = [address_of(server, settings) for server in plans]
    control = control_server(documents, settings)
    if control is not None:
        plans.append(control)
        addresses.append(control_address(control))
    first = {at: server for server, at in reversed(list(zip(plans, addresses, strict=True)))}
    places = [
        Place(server.namespace, at.host, at.port, named(server), f"--port {server.namespace}=PORT")
        for at, server in first.items()
    ]
    # What one worker gives a client to keep, another may have to open.
    environ = {**os.environ, STATE_KEY: os.environ.get(STATE_KEY) or _state_key()}
    async with Supervisor(workers, places, sys.argv[1:], environ) as supervisor:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, supervisor.tell, signal.SIGHUP)
        yield [
            Listener(
                server,
                at.host,
                supervisor.ports[first[at].namespace],
                (settings.tls or server.tls) is not None,
                prefix_of(server) if settings.listen is not None and server is not control else "",
            )
            for server, at in zip(plans, addresses, strict=True)
        ]


def _state_key() -> str:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(os.urandom(32)).decode()


def take_seat(seat: "Seat", stop: asyncio.Event) -> None:
    """Serve as a worker: tell the supervisor, and end when it is gone, which ends standard input."""
    loop = asyncio.get_running_loop()

    def hear() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, hear)
    seat.tell_ready()
