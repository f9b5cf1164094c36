"""What a flow costs beside the same requests made by hand."""

import statistics
import subprocess
import sys
from collections.abc import Iterator

import messages
from bench import HERE, Bench
from table import Line, Row, beside

MOST = 1.5


def _flow(bench: Bench) -> Iterator[Row]:
    own = bench.costs(messages.flow, ["rest"], 1000)["rest"]
    flows = str(int(1000 * bench.options.scale))
    command = [sys.executable, HERE / "peer_client.py", f"http://127.0.0.1:{bench.upstream}", flows]
    by_hand = [
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(bench.options.rounds)
    ]
    yield beside("five-step flow, 3 in parallel", own, "aiohttp by hand", statistics.median(by_hand), MOST)


LINES = (Line("five-step flow, 3 in parallel", _flow),)
