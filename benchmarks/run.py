"""Measures what a request through capably costs: CPU time of the whole server process, per request.

CPU time is the figure to trust on a shared machine; requests per second and latencies depend on who else is busy.
Each figure is the median of several rounds. `make bench ARGS=--help` tells the options.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import load
from capably.capabilities import THREADS_RUNS

HERE = Path(__file__).parent
CAPABLY = Path(sys.executable).with_name("capably")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def process(arguments: list[str], port: int, environment: dict[str, str]) -> Iterator[tuple[int, float]]:
    """A server process and the seconds until it listened on its port."""
    start = time.perf_counter()
    with subprocess.Popen(arguments, env=os.environ | environment, stderr=subprocess.DEVNULL) as child:
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    assert child.poll() is None, "the server ended"
                    time.sleep(0.002)
            yield child.pid, time.perf_counter() - start
        finally:
            child.terminate()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def rest(number: int) -> bytes:
    return f"GET /v1/threads/thread_{number}/runs/run_{number} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def modern(number: int) -> bytes:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    }
    extra = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: aimlapi-get-run\r\n"
    return _tool_call(number, {"_meta": meta}, extra)


def legacy(number: int) -> bytes:
    return _tool_call(number, {}, "MCP-Protocol-Version: 2025-11-25\r\n")


def _tool_call(number: int, more: dict[str, object], headers: str) -> bytes:
    arguments = {"threadId": f"thread_{number}", "runId": f"run_{number}"}
    parameters = {"name": "aimlapi-get-run", "arguments": arguments, **more}
    body = json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": parameters})
    head = "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    accept = "Accept: application/json, text/event-stream\r\n"
    return f"{head}{accept}{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()


WORK = (
    ("REST GET, one upstream GET", "rest", rest),
    ("MCP tools/call 2025-11-25, one upstream GET", "mcp", legacy),
    ("MCP tools/call 2026-07-28, one upstream GET", "mcp", modern),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=4000, help="requests in a round (4000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; the median counts (5)")
    parser.add_argument("--connections", type=int, default=16, help="connections kept busy (16)")
    options = parser.parse_args()
    upstream, ports = free_port(), {"rest": free_port(), "mcp": free_port()}
    command = [str(CAPABLY), "serve", str(THREADS_RUNS), "--set", f"baseurl=127.0.0.1:{upstream}"]
    for kind, port in ports.items():
        command += ["--port", f"aimlapi-threads-runs-{kind}={port}"]
    with (
        process([sys.executable, str(HERE / "upstream.py"), str(upstream)], upstream, {}),
        process(command, ports["mcp"], {"AIMLAPI_API_KEY": "bench"}) as (pid, ready_s),
    ):
        print(f"ready in {ready_s:.2f} s, {memory_mib(pid):.0f} MiB")
        for title, kind, message in WORK:
            costs, rates, slowest = [], [], []
            for _ in range(options.rounds):
                before, start = cpu_seconds(pid), time.perf_counter()
                times = asyncio.run(load.run(ports[kind], message, options.requests, options.connections))
                rates.append(options.requests / (time.perf_counter() - start))
                costs.append((cpu_seconds(pid) - before) / options.requests * 1e6)
                slowest.append(statistics.quantiles(times, n=100)[98] * 1e3)
            figures = f"{statistics.median(costs):6.0f} µs CPU  {statistics.median(rates):6.0f} requests/s"
            print(f"{title:46} {figures}  p99 {statistics.median(slowest):6.1f} ms")
        print(f"afterwards {memory_mib(pid):.0f} MiB")


if __name__ == "__main__":
    main()
