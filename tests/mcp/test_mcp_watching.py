"""Clients that subscribed to a file hear of it when it changes, and nothing is looked at for nobody."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from capably.diagnostics import Span
from capably.plan.operation import ResourcePlan
from capably.servers.mcp_changes import Changes, Listener
from capably.servers.mcp_watching import FileWatch

SPAN = Span("a.yaml", 1, 1, 1, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("one", encoding="utf-8")
    (tmp_path / "b.txt").write_text("one", encoding="utf-8")
    return tmp_path


async def test_a_subscribed_file_is_told_when_it_changes_goes_and_comes_back(folder: Path) -> None:
    resource = ResourcePlan("docs", "docs://all", "", "", "", SPAN, path=folder, max_bytes=100)
    changes, heard = Changes(), asyncio.Queue[bytes]()
    changes.join(Listener((), {"docs://all/a.txt"}, heard.put_nowait, {}))
    watch = FileWatch([resource], changes, period_s=0.02)
    async with watch.while_heard(), watch.while_heard():
        await asyncio.sleep(0.2)
        (folder / "b.txt").write_text("another", encoding="utf-8")
        await asyncio.sleep(0.1)
        assert heard.empty()
        for change in (
            lambda: (folder / "a.txt").write_text("longer", encoding="utf-8"),
            lambda: os.utime(folder / "a.txt", ns=(1, 1)),
            (folder / "a.txt").unlink,
            lambda: (folder / "a.txt").write_text("back", encoding="utf-8"),
        ):
            change()
            told = json.loads(await asyncio.wait_for(heard.get(), 5))
            assert told["method"] == "notifications/resources/updated"
            assert told["params"] == {"uri": "docs://all/a.txt"}
            await asyncio.sleep(0.1)
            while not heard.empty():
                heard.get_nowait()  # a write may be seen half done
    (folder / "a.txt").write_text("nobody listens", encoding="utf-8")
    await asyncio.sleep(0.1)
    assert heard.empty()


async def test_a_server_without_files_starts_nothing() -> None:
    watch = FileWatch([], Changes())
    before = len(asyncio.all_tasks())
    async with watch.while_heard():
        assert len(asyncio.all_tasks()) == before
