"""What is old is deleted: the events of runs, the engine's records, and threads nobody uses."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.threads.conftest import Serve, Service, Victim

DAY = 24 * 3600


@contextmanager
def _file(service: "Service") -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(Path(service.data) / "threads.db", timeout=10)) as connection, connection:
        yield connection


def _age(service: "Service", thread: str, seconds: int) -> None:
    """Make a thread, and all that belongs to it, older than it is, once its run has ended for the engine too."""
    _until(lambda: _unfinished(service) == 0)
    with _file(service) as connection:
        connection.execute("UPDATE threads SET created_at = created_at - ? WHERE id = ?", (seconds, thread))
        for table in ("messages", "runs"):
            connection.execute(
                f"UPDATE {table} SET created_at = created_at - ? WHERE thread_id = ?",  # noqa: S608
                (seconds, thread),
            )
        connection.execute(
            "UPDATE workflow_status SET created_at = created_at - ?, completed_at = completed_at - ?"
            " WHERE substr(workflow_uuid, 1, instr(workflow_uuid, '.') - 1)"
            " IN (SELECT id FROM runs WHERE thread_id = ?)",
            (seconds * 1000, seconds * 1000, thread),
        )


def _unfinished(service: "Service") -> int:
    with _file(service) as connection:
        found: int = connection.execute("SELECT count(*) FROM workflow_status WHERE status <> 'SUCCESS'").fetchone()[0]
        return found


def _counts(service: "Service") -> tuple[int, int]:
    """How many runs have events, and how many the engine knows."""
    with _file(service) as connection:
        told = connection.execute("SELECT count(DISTINCT run_id) FROM events").fetchone()[0]
        return told, connection.execute("SELECT count(*) FROM workflow_status").fetchone()[0]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_events_of_old_runs_are_deleted_and_what_the_engine_knows_of_them(serve: "Serve") -> None:
    service = serve(patrol=0.3, keep_events=DAY)
    old, new = (service.ended(service.start(service.thread("hi"))) for _ in range(2))
    assert _counts(service) == (2, 2)
    _age(service, old.thread_id, DAY + 60)
    _until(lambda: _counts(service) == (1, 1))
    assert service.log(old) == [(0, "done", "[DONE]")]
    assert len(service.log(new)) > 5
    assert service.ended(old).status == "completed", "the run itself stays, with its reply"
    assert len(service.texts(old)) == 2


def test_what_the_engine_knows_of_deleted_threads_goes_too(serve: "Serve") -> None:
    service = serve(patrol=0.3, keep_events=DAY)
    run = service.ended(service.start(service.thread("hi")))
    _age(service, run.thread_id, DAY + 60)
    service.client.beta.threads.delete(run.thread_id)
    _until(lambda: _counts(service) == (0, 0))


def test_threads_that_nobody_used_for_long_are_deleted_if_that_was_asked_for(
    killed: "Callable[..., Victim]",
) -> None:
    victim = killed(keep_threads=30 * DAY)
    service = victim.service
    unused, used, new = (service.ended(service.start(service.thread("hi"))).thread_id for _ in range(3))
    for thread in (unused, used):
        _age(service, thread, 31 * DAY)
    service.client.beta.threads.messages.create(used, role="user", content="still here")
    victim.kill()
    victim.start()  # it looks for them at the start, and then every ten minutes
    found = [victim.service.call("GET", f"/threads/{thread}").status for thread in (unused, used, new)]
    assert found == [404, 200, 200]
    with _file(service) as connection:
        left = [connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("messages", "runs")]  # noqa: S608
    assert left == [5, 2]
