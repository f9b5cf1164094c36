"""The five requests of the measured flow, as one writes them by hand: aiohttp, three of them at the same time.

Prints the microseconds of CPU time that one such flow costs.
"""

import asyncio
import sys
import time
from typing import Any

import aiohttp
import uvloop

AT_ONCE = 16


async def _run(session: aiohttp.ClientSession, upstream: str, thread: str, run: str) -> Any:
    async with session.get(f"{upstream}/threads/{thread}/runs/{run}") as answer:
        answer.raise_for_status()
        return await answer.json()


async def _flow(session: aiohttp.ClientSession, upstream: str, number: int) -> dict[str, Any]:
    thread = f"thread_{number}"
    first = await _run(session, upstream, thread, f"run_{number}")
    between = (first["field1"], first["field2"], first["id"])
    b, c, d = await asyncio.gather(*(_run(session, upstream, thread, run) for run in between))
    last = await _run(session, upstream, thread, f"{b['id']}-{c['id']}-{d['id']}")
    return {"first": first["status"], "last": last["status"]}


async def _flows(upstream: str, numbers: range) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def share(start: int) -> None:
            for number in numbers[start::AT_ONCE]:
                await _flow(session, upstream, number)

        await asyncio.gather(*(share(start) for start in range(AT_ONCE)))


def main(upstream: str, flows: int) -> None:
    uvloop.run(_flows(upstream, range(flows // 5)))  # to warm up
    before = time.process_time()
    uvloop.run(_flows(upstream, range(flows)))
    print((time.process_time() - before) / flows * 1e6)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
