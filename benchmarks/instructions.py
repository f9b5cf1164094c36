"""Counts the instructions that capably spends on a request: the same figure on a busy machine as on an idle one.

The server runs under Valgrind's callgrind (`apt-get install valgrind`), which counts what is executed outside of the
kernel, while a number of requests is answered; an instruction is not a nanosecond, but a change that removes one in
ten of them is felt. System calls, which callgrind does not see, are counted with strace where that is installed.

    instructions.py --only GET            one line for each kind of request whose title holds the word
    instructions.py --only GET --where    and the functions of the interpreter and of C modules that took most
    instructions.py --only each           a request where many operations or documents are served, to each in turn
    instructions.py --python OTHER/.venv/bin/python    another checkout, to compare with
    instructions.py --serve "--control 0"    with more options for `capably serve`, here what records requests
"""

import argparse
import asyncio
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import documents
import load
import messages
from processes import free_port, running

HERE = Path(__file__).parent
WARM = 1500
"""Requests before those that are counted: more than there are operations or documents."""
FEW, SIZES = 4, (10, 100, 1000)


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of request, and which of capably's servers answers it.

    Without a ``message`` it is a call in a session. ``operations`` are those of the document. Where there are
    ``documents``, so many are served behind one address.
    """

    title: str
    message: load.Message | None
    kind: str
    options: tuple[str, ...] = ()
    operations: int = FEW
    documents: int = 0

    @property
    def is_growth(self) -> bool:
        """Whether it is there to be compared with the same among more."""
        return self.operations != FEW or self.documents > 0

    def asked(self, port: int) -> load.Message:
        """What a server on this port is sent."""
        return self.message or messages.in_session(port)


WORK = (
    Work("REST GET, passed through", messages.rest, "rest"),
    Work("REST GET, 10 mapped fields", messages.mapped, "rest"),
    Work("MCP tools/call, 2025-11-25", messages.call_legacy, "mcp"),
    Work("MCP tools/call, in a session", None, "mcp"),
    Work("MCP tools/call, 2026-07-28", messages.call_modern, "mcp"),
    Work("MCP tools/list, 4 tools", messages.list_legacy, "mcp"),
    *(Work(f"REST GET, each of {size:,} operations", messages.rest_of(size), "rest", (), size) for size in SIZES),
    *(Work(f"tools/call, each of {size:,} tools", messages.call_of(size), "mcp", (), size) for size in SIZES),
    *(
        Work(f"REST GET, each of {size:,} documents", messages.rest_below(size), "rest", documents=size)
        for size in SIZES
    ),
)


def counted(work: Work, python: Path, requests: int, connections: int, out: Path) -> float:
    """Instructions per request."""
    tool = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
    with ExitStack() as stack:
        port, pid = _started(stack, work, [*tool, str(python), "-m", "capably"], out.parent)
        message = work.asked(port)
        asyncio.run(load.run(port, message, WARM, connections))
        _told(["callgrind_control", "-i", "on", str(pid)])
        asyncio.run(load.run(port, message, requests, connections))
        _told(["callgrind_control", "-i", "off", str(pid)])
    return int(re.findall(r"^(?:totals|summary): (\d+)", out.read_text("latin-1"), re.MULTILINE)[-1]) / requests


def calls(work: Work, python: Path, requests: int, connections: int, out: Path) -> str:
    """System calls per request, by name; empty without strace."""
    if shutil.which("strace") is None:
        return ""
    with ExitStack() as stack:
        port, pid = _started(stack, work, [str(python), "-m", "capably"], out.parent)
        message = work.asked(port)
        asyncio.run(load.run(port, message, WARM, connections))
        command = ["strace", "-f", "-c", "-U", "calls,name", "-o", str(out), "-p", str(pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            if tracer.stderr is not None:
                tracer.stderr.readline()  # it says that it is attached
            asyncio.run(load.run(port, message, requests, connections))
            tracer.send_signal(signal.SIGINT)
    found = re.findall(r"^\s*(\d+)\s+([a-z_0-9]+)$", out.read_text(encoding="utf-8"), re.MULTILINE)
    shares = {name: int(number) / requests for number, name in found if name != "total"}
    return ", ".join(f"{name} {share:.1f}" for name, share in shares.items() if share >= 0.05)


def _started(stack: ExitStack, work: Work, command: list[str], folder: Path) -> tuple[int, int]:
    """The port and the process of a server that runs until the stack is left."""
    upstream, rest, mcp = free_port(), free_port(), free_port()
    stack.enter_context(running([sys.executable, HERE / "upstream.py", str(upstream)], upstream))
    if work.documents:
        served: list[str | Path] = [documents.fleet(folder, upstream, work.documents), "--listen", str(rest)]
    else:
        served = [documents.capability(folder, upstream, rest, mcp, work.operations)]
    port = rest if work.kind == "rest" else mcp
    return port, stack.enter_context(running([*command, "serve", *served, *work.options], port)).pid


def _told(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _shown(command: list[str]) -> None:
    subprocess.run(command, check=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="the lines whose title holds this word")
    parser.add_argument("--requests", type=int, default=1000, help="requests that are counted (1000)")
    parser.add_argument("--connections", type=int, default=16, help="connections kept busy (16)")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="the interpreter that has capably")
    parser.add_argument("--serve", type=shlex.split, default=[], metavar="OPTIONS", help="options for `capably serve`")
    parser.add_argument("--where", action="store_true", help="show what took most")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not here: apt-get install valgrind")
    for work in WORK:
        if options.only.lower() not in work.title.lower() or (work.is_growth and not options.only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "callgrind.out"
            told = (replace(work, options=tuple(options.serve)), options.python, options.requests, options.connections)
            spent = counted(*told, out)
            print(f"{work.title:34} {spent / 1000:9,.1f} thousand   {calls(*told, Path(folder) / 'calls')}", flush=True)
            if options.where:
                _shown(["callgrind_annotate", "--threshold=70", str(out)])


if __name__ == "__main__":
    main()
