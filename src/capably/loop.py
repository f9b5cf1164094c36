"""Running an asynchronous command: a fast event loop, logging on stderr, a clean end on SIGINT and SIGTERM."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeAlias, TypeVar

Main: TypeAlias = Callable[[asyncio.Event], Awaitable[None]]
"""An asynchronous command. It ends when it is done, or soon after the event is set."""

Result = TypeVar("Result")

_FORCED = 130  # 128 + SIGINT: what shells report for an interrupted command


def run_until_signal(main: Main) -> None:
    """Run a command; the first signal asks it to end, a second one ends it at once."""
    _log_to_stderr()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_watch(main))


@contextlib.contextmanager
def on_hangup(hear: Callable[[], object], stop: asyncio.Event) -> Iterator[None]:
    """Hear of SIGHUP while the context lasts, where there is such a signal.

    It also tells that the terminal has gone that the command was started in; then the command shall end.
    """
    number = getattr(signal, "SIGHUP", None)
    if number is None:
        yield
        return
    had_terminal = os.isatty(0)

    def heard() -> None:
        if had_terminal and not os.isatty(0):
            stop.set()
        else:
            hear()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(number, heard)
    try:
        yield
    finally:
        loop.remove_signal_handler(number)


async def _watch(main: Main) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        if stop.is_set():
            os._exit(_FORCED)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask)
    await main(stop)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":  # pragma: no cover -- uvloop has no Windows build
        return None
    import uvloop  # noqa: PLC0415 -- not on Windows

    return uvloop.new_event_loop


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # The threads service's server tells each failed response with a traceback; it has logged what there is to know.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)


def run_quietly(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to its end what serves only itself, such as tests; of what servers log only errors are shown."""
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)
