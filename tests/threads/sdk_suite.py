"""Runs the `openai` SDK's own tests of assistants, threads, messages, runs and steps against a running service.

The tests come from the source archive of the SDK version that is locked here, checked by its hash; they are not part of
this repository. They expect an API where `thread_id`, `run_id` and so on are there: `stand_in` makes them. Everything
else is `capably threads serve` as a process of its own. `make threads-suite` runs this.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from tests.processes import CAPABLY
from tests.threads.stand_in import model, standing_in

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "dev.txt"
BUILD = ROOT / "build" / "threads-suite"
SUITE = (
    "tests/api_resources/beta/threads",
    "tests/api_resources/beta/test_threads.py",
    "tests/api_resources/beta/test_assistants.py",
    "tests/lib/test_assistants.py",
)
# Its own options want plugins that are not needed here; the rest of its configuration is kept.
OPTIONS = ("-q", "--tb=short", "-o", "addopts=", "-p", "no:cacheprovider", "-o", "timeout=60")


def fetched() -> Path:
    """The folder of the SDK's source archive, downloaded once for the locked version."""
    name = f"openai-{version('openai')}"
    if not (BUILD / name / "tests").is_dir():
        locked = re.search(r"^openai==(?:.*\\\n)*.*\n", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
        if locked is None:
            sys.exit(f"{LOCK} does not lock openai")
        BUILD.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
            wanted = Path(scratch) / "openai.txt"
            wanted.write_text(locked.group(), encoding="utf-8")
            options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", "openai")
            locking = ("--require-hashes", "-r", wanted.name)
            subprocess.run([sys.executable, "-m", "pip", "download", *options, *locking], check=True, cwd=scratch)
            # Its hash is locked, so it needs no filter, which `extractall` takes from Python 3.11.4 on only.
            shutil.unpack_archive(Path(scratch) / f"{name}.tar.gz", BUILD)
    return BUILD / name


@asynccontextmanager
async def served(data: Path, model_url: str) -> AsyncIterator[tuple[str, str]]:
    """The URL of a service in a process of its own, and a key for it."""
    key = await asyncio.create_subprocess_exec(
        CAPABLY, "threads", "key", "create", "--data", data, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await key.communicate()
    command = (CAPABLY, "threads", "serve", "--port", "0", "--data", data, "--model-url", model_url)
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        yield await _url(process), printed.decode().strip()
    finally:
        process.terminate()
        await process.communicate()


async def _url(process: asyncio.subprocess.Process) -> str:
    said = b""
    if process.stderr is not None:
        async for line in process.stderr:
            said += line
            if found := re.search(rb"http://127\.0\.0\.1:\d+(?=/v1)", line):
                return found.group().decode()
    sys.exit(f"the service did not start:\n{said.decode()}")


async def run(arguments: list[str]) -> Counter[str]:
    """Run the suite, and count its cases by how they went."""
    folder = fetched()
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        async with (
            model() as model_url,
            served(Path(scratch) / "data", model_url) as (service, key),
            standing_in(service, key) as url,
        ):
            command = [sys.executable, "-m", "pytest", *OPTIONS, f"--junit-xml={report}", *SUITE, *arguments]
            environment = os.environ | {"TEST_API_BASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"}
            suite = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment)
            await suite.wait()
        return _counted(report)


def _counted(report: Path) -> Counter[str]:
    cases = ET.parse(report).iter("testcase")  # noqa: S314 - written by the line above
    return Counter(case[0].tag if len(case) else "passed" for case in cases)


def main() -> int:
    """Run what the command line says; 1 unless every case passes."""
    counts = asyncio.run(run(sys.argv[1:]))
    print(f"openai {version('openai')}: {counts['passed']} of {counts.total()} cases pass")
    return 0 if counts["passed"] == counts.total() > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
