"""Measures what capably costs beside its peers, and prints one table: what, capably, peer, ratio, target, met or not.

Where nothing else is said, the figure is the CPU time of the whole server process per request, in the kernel and
outside of it: on a shared machine it is the one to trust. Servers take turns, round by round; each figure is the median
of the rounds. The upstream answers with 700 bytes of JSON, as cheaply as Python can, and is not counted.

The short form takes a minute or two, `--full` about fifteen; `--only WORD` measures the lines that hold the word.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import bodies
import flows
import per_request
import saturation
import starting
import under_load
from bench import HERE, Bench
from processes import free_port
from table import heading, printed

LINES = (*per_request.LINES, *flows.LINES, *bodies.LINES, *starting.LINES, *under_load.LINES, *saturation.LINES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="all lines, more rounds and more requests")
    parser.add_argument("--only", default="", metavar="WORD", help="the lines whose title holds this word, long or not")
    parser.add_argument("--connections", type=int, default=16, help="connections kept busy (16)")
    options = parser.parse_args()
    options.rounds, options.scale = (7, 2.0) if options.full else (3, 0.7)
    wanted = [line for line in LINES if options.only.lower() in line.title.lower()]
    if not wanted:
        parser.error(f"no line has `{options.only}` in its title: {', '.join(line.title for line in LINES)}")
    print(heading())
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(Path(folder), stack, options, upstream=free_port())
        bench.run([sys.executable, HERE / "upstream.py", str(bench.upstream)], bench.upstream)
        for line in wanted:
            if options.full or options.only or not line.is_long:
                for row in line.rows(bench):
                    print(printed(row), flush=True)


if __name__ == "__main__":
    main()
