"""The boatyard of docs/boatyard: APIs that exist only as OpenAPI documents, and a capability in front of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.tutorial.conftest import Mocks, Served, Serving

BOATYARD = Path(__file__).parents[2] / "docs" / "boatyard"
EXPECTED = {"token": "made-up-token", "key": "made-up-key", "Registry-Edition": "2026-1"}
TERN, AUK = {"number": "B-1", "name": "Tern"}, {"number": "B-2", "name": "Auk"}
TRIP: dict[str, Any] = {"boat": "B-1", "from": "Oslo", "to": "Bergen", "crew": ["C-1"], "freight": ["salt"]}


@pytest.fixture(scope="module")
def yard(mocks: "Mocks", serving: "Serving", folder: Path) -> "Iterator[Served]":
    """The boatyard, served in front of mocks that verify every secret."""
    with mocks(folder, BOATYARD / "registry-api.yaml", BOATYARD / "ledger-api.yaml", **EXPECTED) as (registry, ledger):
        upstreams = {"registry": registry, "ledger": ledger}
        namespaces = ["yard-tools", "yard-api", "yard-skills"]
        with serving(folder, BOATYARD / "boatyard.yaml", namespaces, upstreams, "made-up-tools-token") as served:
            yield served


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_tools_are_those_of_the_document(yard: "Served", mode: str) -> None:
    async with yard.tools(mode) as tools:
        assert list(await tools.listed()) == ["list-boats", "get-boat", "list-berths", "plan-trip", "boat-with-crew"]


async def test_boats_are_listed_in_the_words_of_the_document(yard: "Served") -> None:
    async with yard.tools() as tools:
        assert await tools.call("list-boats") == [TERN, AUK]
        assert await tools.call("list-boats", state="ashore") == [AUK]
        assert await tools.call("get-boat", number="B-2") == {"name": "Auk", "hull": {"length": 7, "built": 2003}}


async def test_berths_come_from_xml_also_when_there_is_one(yard: "Served") -> None:
    async with yard.tools() as tools:
        assert await tools.call("list-berths") == [{"number": 1, "depth": 2.5}, {"number": 2, "depth": 4}]
        assert await tools.call("list-berths", free=True) == [{"number": 2, "depth": 4}]


@pytest.mark.parametrize("port", ["Oslo", 'Port "X"', "line\nbreak", "{{to}}", "\\"])
async def test_a_trip_is_sent_as_it_was_said(yard: "Served", port: str) -> None:
    async with yard.tools() as tools:
        planned = await tools.call("plan-trip", **TRIP | {"from": port})
    assert planned == {"trip": "T-7", "route": {"from": port, "to": "Bergen"}, "crew": ["C-1"]}


def test_what_is_left_out_is_not_sent(yard: "Served") -> None:
    answer = yard.ask("POST", "/trips", {key: value for key, value in TRIP.items() if key != "freight"})
    assert (answer.status, answer.json["freight"]) == (201, None)
    assert yard.ask("POST", "/trips", TRIP).json["freight"] == ["salt"]


async def test_a_boat_that_is_not_there_is_an_error_that_says_so(yard: "Served") -> None:
    async with yard.tools() as tools:
        assert "There is no boat B-9" in await tools.error("get-boat", number="B-9")
        assert "number" in await tools.error("get-boat")


def test_a_request_that_the_api_refuses_is_told_as_it_refuses_it(yard: "Served") -> None:
    answer = yard.ask("POST", "/trips", TRIP | {"crew": [1]})
    assert answer.status == 400
    assert "crew" in answer.json["detail"]


def test_skills_tell_where_their_tools_are(yard: "Served") -> None:
    skill = yard.ask("GET", "/skills/yard-ops", kind="skill").json
    assert [tool["invocationRef"]["action"] for tool in skill["tools"]] == ["list-boats", "plan-trip"]


async def test_an_aggregate_is_a_tool_and_a_route(yard: "Served") -> None:
    crew = [{"name": "Ane Holm", "role": "skipper"}, {"name": "Çem Kaya", "role": "cook"}]
    expected = {"boat": TERN, "crew": crew}
    async with yard.tools() as tools:
        assert await tools.call("boat-with-crew", boat="B-1") == expected
    answer = yard.ask("GET", "/boats/B-1/crew")
    assert (answer.status, answer.json) == (200, expected)


def test_an_aggregate_that_meets_no_boat_is_404(yard: "Served") -> None:
    answer = yard.ask("GET", "/boats/B-9/crew")
    assert (answer.status, answer.json["message"]) == (404, "There is no boat B-9")
