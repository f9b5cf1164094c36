"""Published documents with a control server are served with it."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from capably.app import Service, open_documents
from capably.examine import examine, examine_with
from capably.load import find_documents
from capably.plan.operation import Kind
from capably.plan.variables import Given, VariableKind
from capably.settings import Settings

CORPUS = Path(os.environ.get("CAPABLY_CORPUS") or Path(__file__).parents[3] / "shared" / "corpus")
CONTROL = re.compile(r"type:\s*[\"']?control")
FOUND = [
    file
    for file in (find_documents(CORPUS) if CORPUS.is_dir() else [])
    if file.stat().st_size < 300_000 and CONTROL.search(file.read_text(encoding="utf-8", errors="replace"))
]


def given(file: Path) -> tuple[Given, Mapping[str, int]]:
    """A value for whatever the document leaves open, and a free port for each server."""
    compiled = examine(file).compiled
    assert compiled is not None
    open_values = [item for item in compiled.variables if item.kind is not VariableKind.BASE_URI]
    upstreams = {item.name: "http://127.0.0.1:9" for item in compiled.variables if item not in open_values}
    plan = compiled.plan
    servers = [*plan.servers, *([plan.control] if plan.control is not None else [])]
    return Given({item.name: "a-value" for item in open_values}, {}, upstreams), {
        server.namespace: 0 for server in servers
    }


@pytest.mark.parametrize("file", FOUND, ids=lambda file: f"{file.parts[-2]}-{file.stem}")
async def test_a_published_document_is_served_with_its_control_server(file: Path) -> None:
    values, ports = given(file)
    settings = Settings(given=values, ports=ports, host="127.0.0.1", drain_s=1.0)
    if not (await examine_with(file, values)).is_served:
        pytest.skip("it needs files that are not there: secrets, scripts or what it imports")
    async with Service(await open_documents([file], settings), settings) as service, aiohttp.ClientSession() as session:
        (control,) = (item for item in service.listeners if item.kind is Kind.CONTROL)
        async with session.get(f"{control.url}/health/ready") as reply:
            told = json.loads(await reply.text())
        assert (reply.status, told["status"]) == (200, "UP")
        compiled = service.documents[0].plan
        assert len(told["adapters"]) == len(compiled.servers) + 1


def document(*servers: dict[str, object]) -> str:
    return json.dumps({"ikanos": "1.0.0-beta4", "capability": {"exposes": [*servers]}})


async def test_a_control_server_may_be_all_there_is(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(document({"type": "control", "port": 0}), encoding="utf-8")
    assert examine(file).diagnostics == ()
    async with Service(await open_documents([file], Settings()), Settings()) as service:
        assert [item.kind for item in service.listeners] == [Kind.CONTROL]


def test_beside_a_server_with_nothing_to_offer_it_is_not_enough(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    mcp = {"type": "mcp", "namespace": "m", "port": 1, "tools": []}
    file.write_text(document({"type": "control", "port": 0}, mcp), encoding="utf-8")
    assert [item.code for item in examine(file).diagnostics] == ["DOC015"]


async def test_two_documents_are_shown_by_one_control_server(tmp_path: Path) -> None:
    tool = {"name": "t", "outputParameters": [{"value": "x"}]}
    for name in "ab":
        mcp = {"type": "mcp", "namespace": name, "port": 0, "tools": [tool]}
        (tmp_path / f"{name}.yaml").write_text(document(mcp, {"type": "control", "port": 0}), encoding="utf-8")
    settings = replace(Settings(), drain_s=1.0)
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    async with Service(await open_documents(files, settings), settings) as service, aiohttp.ClientSession() as session:
        (control,) = (item for item in service.listeners if item.kind is Kind.CONTROL)
        async with session.get(f"{control.url}/health/ready") as reply:
            told = json.loads(await reply.text())
    assert [item["namespace"] for item in told["adapters"]] == ["a", "b", "control"]
