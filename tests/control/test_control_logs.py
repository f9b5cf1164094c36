"""The log of late, levels that hold for a while, and the log as it is written."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

if TYPE_CHECKING:
    from tests.control.conftest import Control, Controlled

LOG = logging.getLogger("capably.control")


async def messages(served: "Controlled", query: str = "logger=capably.control") -> list[str]:
    return [item["message"] for item in (await served.ask("GET", f"/logs?{query}")).json["records"]]


async def level_of(served: "Controlled", logger: str) -> Any:
    levels = (await served.ask("GET", "/logs")).json["levels"]
    return next(item for item in levels if item["logger"] == logger)


async def test_what_was_logged_is_shown_oldest_first(control: "Control") -> None:
    served = await control()
    for number in range(3):
        LOG.warning("ship %d", number)
    LOG.error("no harbour for topsecret-0123")
    assert await messages(served) == ["ship 0", "ship 1", "ship 2", "no harbour for <KEY>"]
    assert await messages(served, "logger=capably.control&level=error") == ["no harbour for <KEY>"]
    assert await messages(served, "logger=capably&limit=2") == ["ship 2", "no harbour for <KEY>"]
    assert await messages(served, "limit=0") == []
    (last,) = (await served.ask("GET", "/logs?limit=1")).json["records"]
    assert (last["level"], last["logger"]) == ("error", "capably.control")
    assert last["timestamp"].endswith("Z")


async def test_a_level_holds_for_a_while_and_goes_back_by_itself(control: "Control") -> None:
    served = await control()
    LOG.debug("before")
    changed = await served.ask("PUT", "/logs/capably.control", {"level": "DEBUG", "duration": "500ms"})
    assert changed.json["level"] == "debug"
    LOG.debug("meanwhile")
    assert await level_of(served, "capably.control") == changed.json
    await asyncio.sleep(0.6)
    LOG.debug("after")
    assert await messages(served) == ["meanwhile"]
    assert await level_of(served, "capably.control") == {"logger": "capably.control", "level": "warning"}


async def test_a_level_can_be_taken_back(control: "Control") -> None:
    served = await control()
    await served.ask("PUT", "/logs/capably.control", {"level": "debug"})
    await served.ask("PUT", "/logs/capably.control", {"level": "info"})
    answer = await served.ask("DELETE", "/logs/capably.control")
    assert (answer.status, answer.json) == (200, {"logger": "capably.control", "level": "warning"})


async def test_what_was_changed_goes_back_when_the_server_ends(control: "Control") -> None:
    served = await control()
    await served.ask("PUT", "/logs/capably.control", {"level": "debug"})
    assert LOG.isEnabledFor(logging.DEBUG)
    await served.service.__aexit__()
    assert not LOG.isEnabledFor(logging.DEBUG)


@pytest.mark.parametrize(
    ("logger", "body", "problem"),
    [
        ("capably.contrl", {"level": "info"}, (404, "no-logger", "did you mean `capably.control`?")),
        ("capably", {}, (400, "invalid-setting", "`level` must be one of debug, info, warning, error, critical")),
        ("capably", {"level": "loud"}, (400, "invalid-setting", "`loud` is no level")),
        ("capably", {"level": "info", "for": "1m"}, (400, "invalid-setting", "`for` is not known here")),
        ("capably", {"level": "info", "duration": "25h"}, (400, "invalid-setting", "at most 24h")),
        ("capably", {"level": "info", "duration": "-1s"}, (400, "invalid-setting", "at most 24h")),
    ],
)
async def test_a_change_that_cannot_be_made_is_told(
    control: "Control", logger: str, body: dict[str, str], problem: tuple[int, str, str]
) -> None:
    status, kind, detail = (await (await control()).ask("PUT", f"/logs/{logger}", body)).problem
    assert (status, kind) == problem[:2]
    assert problem[2] in detail


@pytest.mark.parametrize("query", ["limit=many", "limit=1001", "limit=-1"])
async def test_a_limit_that_is_none_is_told(control: "Control", query: str) -> None:
    answer = await (await control()).ask("GET", f"/logs?{query}")
    assert answer.problem == (400, "invalid-parameter", "`limit` must be 0 to 1000")


@asynccontextmanager
async def following(served: "Controlled", query: str = "", **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with served.session.get(f"{served.url}/logs/stream?{query}", headers=sent) as reply:
        assert reply.headers["content-type"] == "text/event-stream"
        assert await reply.content.readline() == b": following the log\n"
        yield reply


async def event(reply: aiohttp.ClientResponse) -> dict[str, Any]:
    found: dict[str, str] = {}
    while not ("data" in found and "id" in found):
        name, _, value = (await reply.content.readline()).decode().partition(": ")
        found[name] = value.strip()
    assert found["event"] == "log"
    told: dict[str, Any] = json.loads(found["data"])
    assert told["number"] == int(found["id"])
    return told


async def test_the_log_is_followed_as_it_is_written(control: "Control") -> None:
    served = await control()
    async with following(served, "level=error&logger=capably.control") as reply:
        LOG.warning("not this")
        logging.getLogger("capably.rest").error("nor this")
        LOG.error("this")
        assert (await event(reply))["message"] == "this"


async def test_who_comes_back_gets_what_was_missed(control: "Control") -> None:
    served = await control()
    for name in "abc":
        LOG.warning("ship %s", name)
    first = (await served.ask("GET", "/logs?logger=capably.control")).json["records"][0]["number"]
    async with following(served, "logger=capably.control", last_event_id=str(first)) as reply:
        LOG.warning("ship d")
        assert [(await event(reply))["message"] for _ in "bcd"] == ["ship b", "ship c", "ship d"]


async def test_only_so_many_follow_and_who_leaves_makes_room(control: "Control") -> None:
    served = await control({"management": {"logs": {"stream": True, "max-subscribers": 1}}})
    async with following(served):
        answer = await served.ask("GET", "/logs/stream")
        assert answer.problem == (429, "too-many-subscribers", "1 follow the log already (`max-subscribers`)")
        assert answer.headers["retry-after"] == "10"
    deadline = asyncio.get_running_loop().time() + 5
    while True:
        async with served.session.get(f"{served.url}/logs/stream") as reply:
            if reply.status == 200:
                break
        assert asyncio.get_running_loop().time() < deadline, "nobody made room"
        await asyncio.sleep(0.01)


async def test_a_head_request_follows_nothing(control: "Control") -> None:
    served = await control({"management": {"logs": {"stream": True, "max-subscribers": 1}}})
    for _ in range(3):
        answer = await served.ask("HEAD", "/logs/stream")
        assert (answer.status, answer.text) == (200, "")


async def test_streams_end_with_the_server(control: "Control") -> None:
    served = await control()
    async with following(served) as reply:
        began = asyncio.get_running_loop().time()
        await served.service.__aexit__()
        await asyncio.wait_for(reply.content.read(), 5)
        assert asyncio.get_running_loop().time() - began < 5
