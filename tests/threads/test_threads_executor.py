import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from capably.threads.bodies import AssistantCreate, RunCreate, ThreadCreate
from capably.threads.broadcast import Broadcast
from capably.threads.database import Database
from capably.threads.errors import ApiError
from capably.threads.executor import Executor
from capably.threads.lifecycle import Lifecycle, Outcome
from capably.threads.narration import reply
from capably.threads.objects import Run
from capably.threads.responder import OfflineResponder
from capably.threads.store import Store

NOON = 1_000_000


class Scene:
    """A store and what executes its runs, with a clock that stands where it is put."""

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.store = Store(database, 600, clock=lambda: self.now)
        self.lifecycle = Lifecycle(database)

    def executor(self, patrol: float = 60.0) -> Executor:
        made: dict[str, Any] = {"at_once": 2, "patrol": patrol, "drain": 1.0, "clock": lambda: self.now}
        return Executor(self.lifecycle, OfflineResponder(), Broadcast(), **made)

    async def queue_run(self) -> Run:
        assistant = await self.store.create_assistant(AssistantCreate(model="m"))
        thread = await self.store.create_thread(ThreadCreate())
        return await self.store.create_run(thread.id, RunCreate(assistant_id=assistant.id))

    async def until(self, run: Run, status: str) -> Run:
        for _ in range(500):
            found = await self.store.run(run.thread_id, run.id)
            if found.status == status:
                return found
            await asyncio.sleep(0.01)
        raise AssertionError(f"the run is not {status} after 5 seconds")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with Database(tmp_path) as database:
        yield Scene(database)


@pytest.mark.parametrize("state", ["queued", "in_progress"])
async def test_a_run_a_crash_left_behind_is_executed_at_the_start(scene: Scene, state: str) -> None:
    run = await scene.queue_run()
    if state == "in_progress":
        await scene.lifecycle.begin(run.id, NOON)
    scene.now = NOON + 599
    async with scene.executor():
        ended = await scene.until(run, "completed")
    assert ended.started_at == (NOON if state == "in_progress" else NOON + 599)
    assert ended.completed_at == NOON + 599


@pytest.mark.parametrize("state", ["queued", "in_progress"])
async def test_a_run_that_is_overdue_at_the_start_is_expired_and_frees_its_thread(scene: Scene, state: str) -> None:
    run = await scene.queue_run()
    if state == "in_progress":
        await scene.lifecycle.begin(run.id, NOON)
    scene.now = NOON + 600
    async with scene.executor():
        expired = await scene.store.run(run.thread_id, run.id)
        assert (expired.status, expired.expires_at) == ("expired", NOON + 600)
        again = await scene.store.create_run(run.thread_id, RunCreate(assistant_id=run.assistant_id))
    assert again.status == "queued"


async def test_a_run_nobody_executes_is_found_by_the_patrol(scene: Scene) -> None:
    async with scene.executor(patrol=0.02):
        run = await scene.queue_run()
        await asyncio.sleep(0.1)
        assert (await scene.store.run(run.thread_id, run.id)).status == "queued"
        scene.now = NOON + 6
        await scene.until(run, "completed")


async def test_a_run_that_ends_twice_leaves_one_message_and_its_first_end(scene: Scene) -> None:
    run = await scene.queue_run()
    await scene.lifecycle.begin(run.id, NOON)
    message = reply(run, NOON, "once", ended_at=NOON)
    first, added = await scene.lifecycle.finish(run.id, Outcome("completed", message), NOON)
    assert added == message
    again, nothing = await scene.lifecycle.finish(run.id, Outcome("completed", message), NOON + 1)
    late, _ = await scene.lifecycle.finish(run.id, Outcome("expired"), NOON + 2)
    assert first == again == late
    assert nothing is None
    assert await scene.lifecycle.begin(run.id, NOON + 3) is None


async def test_a_stopped_executor_leaves_new_runs_to_the_next(scene: Scene) -> None:
    executor = scene.executor()
    async with executor:
        await executor.stop()
        run = await scene.queue_run()
        executor.start(run)
        await asyncio.sleep(0.05)
        assert (await scene.store.run(run.thread_id, run.id)).status == "queued"
    async with scene.executor():
        await scene.until(run, "completed")


async def test_a_thread_stays_locked_until_its_run_ends(scene: Scene) -> None:
    run = await scene.queue_run()
    for _ in range(2):
        with pytest.raises(ApiError, match="already has an active run"):
            await scene.store.create_run(run.thread_id, RunCreate(assistant_id=run.assistant_id))
        await scene.lifecycle.begin(run.id, NOON)
