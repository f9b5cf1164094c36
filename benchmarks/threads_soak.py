"""Kills the threads service at random moments while runs of many kinds go on, and checks every run afterwards.

Each run has to end as it would have ended undisturbed: its status, its one message, each output of a tool once, its
usage, its steps, its events without one too many or too few, also as a reader saw them who came back after every
break; and the engine may have nothing left to execute. What is wrong is printed, and makes the exit code 1.

On SQLite it is one service that dies. On PostgreSQL, Debian's, started here, two services and a worker share the
database, and one of the three dies at a time. The seed decides kinds, pauses and moments; the machine's own timing
stays what it is, so a seed is not quite a repetition.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import sqlalchemy as sa

from capably.threads.database import locate
from capably.threads.keys import create_key
from capably.threads.settings import ModelSettings, ThreadsSettings
from postgres import running_postgres
from processes import free_port, running
from threads_client import Client
from threads_stories import Ended, Story, faults, stories
from threads_victims import Victim, victims

HERE = Path(__file__).parent
PATIENCE = 120.0  # seconds that everything may take after the last kill
LOOK_UP = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


@dataclass(slots=True)
class Soak:
    """What goes on: the processes, how often one was killed, and what was found wrong."""

    processes: Sequence[Victim]
    client: Client
    chance: Random
    kills: int = 0
    faults: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    async def kill_again_and_again(self, most: int, span: float) -> None:
        """Kill a process and start it again, so often, after up to so many seconds each, until this is cancelled."""
        while self.kills < most:
            # From the start of a process on, so that some die before they listen, or while they take runs up.
            await asyncio.sleep(self.chance.uniform(0.05, span))
            victim = self.chance.choice(self.processes)
            victim.kill()
            self.kills += 1
            await asyncio.to_thread(victim.start)

    async def tell(self, told: Sequence[Story], assistant: str) -> None:
        """Let stories happen on one thread, each of them queued behind the one before."""
        before = self.kills
        thread = await self.client.new_thread(told[0].told)
        runs = [await self.client.new_run(thread, assistant, told[0], brings=False)]
        runs += [await self.client.new_run(thread, assistant, story, brings=True) for story in told[1:]]
        reading = [asyncio.create_task(self.client.read(run)) if self.chance.random() < 0.5 else None for run in runs]
        for story, run, reader in zip(told, runs, reading, strict=True):
            after = self.chance.uniform(0.0, 2.0) if story.cancelled else None
            ended = await self.client.accompany(run, story, cancel_after=after)
            self.statuses[ended["status"]] += 1
            seen = await reader if reader else None
            found = Ended(ended, *await self.client.found(run), seen, disturbed=self.kills > before)
            self.faults += faults(story, found)
        said = [message["content"][0]["text"]["value"] for message in await self.client.messages(thread, "user")]
        if said != [story.told for story in told]:
            self.faults.append(f"{thread}: the messages of its user are {said}")


async def soak(processes: Sequence[Victim], key: str, model: str, choices: argparse.Namespace) -> Soak:
    """Start the processes, let all stories happen, and kill meanwhile."""
    chance = Random(choices.seed)  # noqa: S311 - not a secret
    ports = [victim.port for victim in processes if victim.port is not None]
    async with Client(ports, key) as client:
        going = Soak(processes, client, chance)
        for victim in processes:
            await asyncio.to_thread(victim.start)
        assistant = await client.new_assistant([LOOK_UP, *(_tools(model, label) for label in ("free", "asked"))])
        killing = asyncio.create_task(going.kill_again_and_again(choices.kills, choices.span))
        slots = asyncio.Semaphore(choices.at_once)

        async def tell(told: Sequence[Story]) -> None:
            async with slots:
                await going.tell(told, assistant)

        lines = [asyncio.create_task(tell(told)) for told in _lines(stories(choices.runs, chance), chance)]
        await asyncio.wait([killing, *lines], return_when=asyncio.ALL_COMPLETED, timeout=choices.most)
        killing.cancel()
        await asyncio.wait([killing])
        done, late = await asyncio.wait(lines, timeout=PATIENCE)
        going.faults += [f"{len(late)} threads have not come to their end"] if late else []
        for task in late:
            task.cancel()
        for failed in done:
            failed.result()
        return going


def _tools(model: str, label: str) -> dict[str, Any]:
    approval = "never" if label == "free" else "always"
    return {"type": "mcp", "server_label": label, "server_url": f"{model}/mcp", "require_approval": approval}


def _lines(told: Sequence[Story], chance: Random) -> Iterator[Sequence[Story]]:
    """The stories of each thread: one, or now and then several."""
    waiting = list(told)
    while waiting:
        count = chance.choice((1, 1, 1, 1, 2, 3))
        yield waiting[:count]
        waiting = waiting[count:]


def left_over(url: sa.URL) -> list[str]:
    """What the database still holds that would be executed, or that nobody knows; looked at until it is quiet."""
    engine = sa.create_engine(url.set(drivername="sqlite" if url.drivername == "sqlite" else "postgresql+psycopg"))
    table = "workflow_status" if url.drivername == "sqlite" else "dbos.workflow_status"
    asked = {
        "workflows that have not ended well": f"SELECT count(*) FROM {table} WHERE status <> 'SUCCESS'",  # noqa: S608
        "runs that have not ended": "SELECT count(*) FROM runs WHERE status IN "
        "('queued', 'in_progress', 'requires_action', 'cancelling')",
        "steps that are open": "SELECT count(*) FROM steps WHERE status = 'in_progress'",
        "messages that are open": "SELECT count(*) FROM messages WHERE status = 'in_progress'",
        "events of no run": "SELECT count(*) FROM events WHERE run_id NOT IN (SELECT id FROM runs)",
        "runs whose newest event is not their last": "SELECT count(*) FROM runs WHERE logged <> "
        "(SELECT max(number) FROM events WHERE run_id = runs.id)",
    }
    deadline = time.monotonic() + PATIENCE / 4
    try:
        while True:
            with engine.connect() as connection:
                counts = {what: connection.execute(sa.text(query)).scalar_one() for what, query in asked.items()}
            found = [f"{count} {what}" for what, count in counts.items() if count]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.5)
    finally:
        engine.dispose()


@contextmanager
def stage(kind: str, model: str) -> Iterator[tuple[ThreadsSettings, list[Victim]]]:
    """A new database, and the processes that share it."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = stack.enter_context(running_postgres()).database() if kind == "postgresql" else None
        models = (ModelSettings("*", f"{model}/v1"),)
        settings = ThreadsSettings(Path(folder), url, models=models, patrol=5.0)
        processes = victims(settings, 2, 1) if url else victims(settings, 1, 0)
        try:
            yield settings, processes
        finally:
            for victim in processes:
                victim.stop()


def on(kind: str, model: str, choices: argparse.Namespace) -> bool:
    """Soak one kind of database; whether all was well."""
    start = time.monotonic()
    with stage(kind, model) as (settings, processes):
        url = locate(settings.data, settings.database)
        key = asyncio.run(create_key(url))
        going = asyncio.run(soak(processes, key, model, choices))
        going.faults += left_over(url)
    counts = ", ".join(f"{count} {status}" for status, count in going.statuses.most_common())
    took = time.monotonic() - start
    print(
        f"{kind}: seed {choices.seed}, {going.kills} kills in {took:.0f} s; runs: {counts}; {len(going.faults)} wrong"
    )
    for fault in going.faults:
        print(f"  {fault}", flush=True)
    return not going.faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="one of them instead of both")
    parser.add_argument("--runs", type=int, default=200, help="runs (200)")
    parser.add_argument("--kills", type=int, default=40, help="kills (40); none comes after the last run has ended")
    parser.add_argument("--span", type=float, default=3.0, help="most seconds between a start and the next kill (3)")
    parser.add_argument("--at-once", type=int, default=12, help="threads with runs at the same time (12)")
    parser.add_argument(
        "--most", type=float, default=600.0, help="seconds after which nothing is killed any more (600)"
    )
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6), help="left out: a random one")
    choices = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    with contextlib.ExitStack() as stack:
        port = free_port()
        stack.enter_context(running([sys.executable, HERE / "threads_world.py", str(port)], port))
        kinds = [choices.database] if choices.database else ["sqlite", "postgresql"]
        good = [on(kind, f"http://127.0.0.1:{port}", choices) for kind in kinds]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
