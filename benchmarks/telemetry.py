"""Measures what telemetry costs: the CPU time of the whole process per REST GET, with nothing recorded, and with more.

The three servers take turns; each figure is the median of the rounds.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import documents
import load
import messages
from processes import Server, free_port, running

HERE = Path(__file__).parent
CAPABLY = Path(sys.executable).with_name("capably")

WAYS = {
    "nothing recorded": (),
    "spans and metrics": ("--control", "0"),
    # ACCESS
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=4000, help="requests of a round (4000)")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = free_port()
        stack.enter_context(running([sys.executable, HERE / "upstream.py", str(upstream)], upstream))
        servers = {name: _started(stack, folder, upstream, words) for name, words in WAYS.items()}
        figures: dict[str, list[float]] = {name: [] for name in WAYS}
        for number in range(options.rounds + 1):
            for name, server in servers.items():
                before = server.cpu_s
                asyncio.run(load.run(server.port, messages.rest, options.requests, 16))
                if number:  # the first round is for warming up
                    figures[name].append((server.cpu_s - before) / options.requests * 1e6)
    least = statistics.median(figures["nothing recorded"])
    for name, found in figures.items():
        cost = statistics.median(found)
        print(f"{name:32} {cost:6.1f} us   {cost - least:+6.1f}   ({min(found):.1f} to {max(found):.1f})")


def _started(stack: ExitStack, folder: Path, upstream: int, words: tuple[str, ...]) -> Server:
    port = free_port()
    below = folder / str(port)
    below.mkdir()
    file = documents.capability(below, upstream, port, free_port())
    return stack.enter_context(running([CAPABLY, "serve", file, *words], port))


if __name__ == "__main__":
    main()
