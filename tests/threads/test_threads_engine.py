"""The engine by itself: what is started is executed."""

import asyncio
import contextlib
from pathlib import Path

from capably.threads.database import Database, locate
from capably.threads.engine import running_engine
from capably.threads.moves import Move
from capably.threads.objects import Run
from capably.threads.thinking import Thinker


class Thinks(Thinker):
    """Executes a move by saying that it did."""

    def __init__(self) -> None:
        self.executed = asyncio.Event()

    async def think(self, run_id: str, leg: int, turn: int) -> Move | None:
        assert (run_id, leg, turn) == ("run_1", 1, 0)
        self.executed.set()
        return None


async def test_a_run_is_executed_though_whoever_started_it_was_stopped_meanwhile(tmp_path: Path) -> None:
    url = locate(tmp_path, None)
    thinker = Thinks()
    async with Database(url), running_engine(url, lambda _: thinker, at_once=1) as engine:
        starting = asyncio.create_task(engine.start(Run.model_construct(id="run_1", leg=1), ("think", "0")))
        await asyncio.sleep(0)  # begun, and far from done
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        async with asyncio.timeout(10):
            await thinker.executed.wait()
