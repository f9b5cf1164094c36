"""`capably threads serve` and `capably threads work` as processes of their own, on one PostgreSQL database."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from openai import OpenAI
from tests.processes import CAPABLY

if TYPE_CHECKING:
    from openai.types.beta.threads import Run
    from tests.threads.conftest import Postgres, ScriptedModel, Service


class Process:
    """One command of the threads service on a shared database, which has said what it says at its start."""

    def __init__(self, command: str, database: str, model: str, *options: str) -> None:
        shared = {"CAPABLY_THREADS_DATABASE": database}
        self._process = subprocess.Popen(
            [CAPABLY, "threads", command, "--model-url", model, "--runs-at-once", "2", *options],
            env=os.environ | shared,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.said += line
            if line.startswith("answers"):
                return
        raise AssertionError(f"threads {command} did not start: {self.said}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL; doing it twice is harmless."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def stop(self) -> tuple[int, str]:
        """Exit code after a signal to end, and all it said."""
        self._process.terminate()
        _, rest = self._process.communicate(timeout=40)
        return self._process.returncode, self.said + rest


Start = Callable[..., Process]


@pytest.fixture
def database(postgres: "Postgres") -> str:
    return postgres.database()


@pytest.fixture
def start(database: str, model: "ScriptedModel") -> Iterator[Start]:
    """Starts commands on the database of the test."""
    with ExitStack() as stack:

        def begin(command: str, *options: str) -> Process:
            process = Process(command, database, model.url, *options)
            stack.callback(process.kill)
            return process

        yield begin


@pytest.fixture
def serving(
    start: Start, database: str, postgres: "Postgres", make_service: Callable[..., "Service"]
) -> Iterator["Service"]:
    """`capably threads serve` on the database."""
    found = re.search(r"127\.0\.0\.1:(\d+)", start("serve", "--port", "0").said)
    assert found is not None
    key = postgres.key(database)
    with OpenAI(base_url=f"http://127.0.0.1:{found.group(1)}/v1", api_key=key, max_retries=0) as client:
        yield make_service(int(found.group(1)), key, Path(), client)


def _executing(database: str, process: Process) -> set[str]:
    """The runs a process is executing: what the engine has recorded, by the names of processes."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT workflow_uuid FROM dbos.workflow_status WHERE status = 'PENDING' AND executor_id LIKE %s",
            (f"%-{process.pid}-%",),
        )
        return {name.partition(".")[0] for (name,) in rows}


def _until_executing(database: str, processes: list[Process]) -> set[str]:
    """Until each of the processes executes a run; the runs of the first."""
    deadline = time.monotonic() + 40
    while not all(found := [_executing(database, process) for process in processes]):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found[0]


@pytest.mark.timeout(240)
def test_what_a_killed_worker_was_executing_is_finished_by_the_others(
    serving: "Service", start: Start, database: str, model: "ScriptedModel"
) -> None:
    workers = [start("work"), start("work")]
    model.decide = lambda _body: {"hold_after": not model.release.is_set()}
    assistant = serving.assistant()
    runs: list[Run] = [serving.start(serving.thread(str(number)), assistant) for number in range(6)]
    taken = _until_executing(database, workers)
    workers[0].kill()
    model.release.set()
    deadline = time.monotonic() + 150
    for run in runs:
        while (status := serving.call("GET", f"/threads/{run.thread_id}/runs/{run.id}").json["status"]) != "completed":
            assert status in ("queued", "in_progress")
            assert time.monotonic() < deadline, (run.id, run.id in taken)
            time.sleep(0.1)
        assert serving.texts(run)[1:] == [("assistant", "Hello there")]
        names = [name for _, name, _ in serving.log(run)]
        assert (names.count("thread.message.completed"), names[-1]) == (1, "done")
    assert taken <= {run.id for run in runs}
    assert not _executing(database, workers[0])


@pytest.mark.timeout(90)
def test_a_worker_serves_nothing_and_ends_at_a_signal(start: Start, database: str) -> None:
    worker = start("work")
    name = database.rpartition("/")[2]
    code, said = worker.stop()
    assert (code, "Traceback" in said) == (0, False)
    assert name in said
    assert "http://127.0.0.1" not in re.sub(r"answers.*", "", said)


def test_a_worker_without_a_shared_database_is_refused() -> None:
    environment: Any = {name: value for name, value in os.environ.items() if name != "CAPABLY_THREADS_DATABASE"}
    done = subprocess.run(
        [CAPABLY, "threads", "work"], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "only a PostgreSQL database can be shared" in done.stderr
