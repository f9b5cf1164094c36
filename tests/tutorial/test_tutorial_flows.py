"""The steps of the shipyard tutorial that call several operations behind one: flows, lookups, aggregates."""

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.tutorial.conftest import Step

MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])

SUMMARY = {"imo": "IMO-9321483", "name": "Northern Star", "type": "cargo", "flag": "NO", "status": "active"}
SPECS = {"yearBuilt": 2015, "tonnage": 42000, "length": 229}
CREW = [{"fullName": "Erik Lindström", "role": "captain"}, {"fullName": "Aiko Tanaka", "role": "cook"}]
OTHER_CREW = [{"fullName": "Maria Santos", "role": "first_officer"}, {"fullName": "Hans Mueller", "role": "engineer"}]
WITH_CREW = {**SUMMARY, **SPECS, "crew": CREW}
CARGO = [{"type": "container", "description": "Electronics components", "weight": 12.5, "hazardous": False}]
MANIFEST = {
    "voyageId": "VOY-2026-042",
    "status": "planned",
    "route": {"from": "Oslo", "to": "Singapore"},
    "ship": {"name": "Northern Star", "type": "cargo", "flag": "NO"},
    "crew": CREW,
    "cargo": CARGO,
}
FLAT_MANIFEST = {
    "voyageId": "VOY-2026-042",
    "status": "planned",
    "departurePort": "Oslo",
    "arrivalPort": "Singapore",
    "shipName": "Northern Star",
    "shipType": "cargo",
    "shipFlag": "NO",
    "crew": CREW,
    "cargo": CARGO,
}
READS = ["list-ships", "get-ship", "list-legacy-vessels"]
TOOLS = {
    7: [*READS, "create-voyage", "get-ship-with-crew"],
    8: [*READS, "create-voyage", "get-ship-with-crew"],
    9: [*READS, "create-voyage", "get-ship-with-crew"],
    10: [*READS, "create-voyage", "get-ship-with-crew"],
    11: [*READS, "create-voyage", "get-ship-with-crew", "get-voyage-manifest"],
}


@MODES
@pytest.mark.parametrize("number", range(7, 12))
async def test_the_tools_of_a_step_with_flows_are_listed_in_order(step: "Step", number: int, mode: str) -> None:
    async with step(number).tools(mode) as tools:
        assert list(await tools.listed()) == TOOLS[number]


@pytest.mark.parametrize("number", range(7, 12))
async def test_a_ship_comes_with_its_crew(step: "Step", number: int) -> None:
    async with step(number).tools() as tools:
        assert await tools.call("get-ship-with-crew", imo="IMO-9321483") == WITH_CREW


@pytest.mark.parametrize("number", [7, 9, 11])
async def test_ships_that_are_asked_for_at_once_do_not_mix(step: "Step", number: int) -> None:
    async with step(number).tools() as tools:
        asked = ["IMO-9321483", "IMO-9456781"] * 20
        found = await asyncio.gather(*(tools.call("get-ship-with-crew", imo=imo) for imo in asked))
    assert [ship["imo"] for ship in found] == asked
    assert [ship["crew"] for ship in found] == [CREW, OTHER_CREW] * 20


@pytest.mark.parametrize("number", [7, 9, 11])
async def test_a_flow_that_meets_an_unknown_ship_says_so(step: "Step", number: int) -> None:
    async with step(number).tools() as tools:
        said = await tools.error("get-ship-with-crew", imo="IMO-0000000")
    assert "Ship with IMO number IMO-0000000 not found" in said


@MODES
@pytest.mark.parametrize("number", [9, 10])
async def test_a_tool_that_refers_has_what_the_aggregate_says(step: "Step", number: int, mode: str) -> None:
    async with step(number).tools(mode) as tools:
        tool = (await tools.listed())["get-ship-with-crew"]
    assert tool.input_schema["required"] == ["imo"]
    assert tool.input_schema["properties"]["imo"]["type"] == "string"
    assert tool.annotations is not None
    assert tool.annotations.read_only_hint is True
    assert tool.annotations.destructive_hint is False
    assert tool.annotations.idempotent_hint is True


@pytest.mark.parametrize("number", [10, 11])
def test_a_ship_comes_with_its_crew_by_rest(step: "Step", number: int) -> None:
    answer = step(number).ask("GET", "/ships/IMO-9321483/crew")
    assert (answer.status, answer.json) == (200, WITH_CREW)


@pytest.mark.parametrize("number", [10, 11])
def test_the_crew_of_an_unknown_ship_is_404_by_rest(step: "Step", number: int) -> None:
    answer = step(number).ask("GET", "/ships/IMO-0000000/crew")
    assert (answer.status, answer.json["message"]) == (404, "Ship with IMO number IMO-0000000 not found")


@MODES
async def test_step_11_assembles_a_manifest(step: "Step", mode: str) -> None:
    async with step(11).tools(mode) as tools:
        tool = (await tools.listed())["get-voyage-manifest"]
        assert tool.input_schema["required"] == ["voyageId"]
        assert await tools.call("get-voyage-manifest", voyageId="VOY-2026-042") == MANIFEST


def test_step_11_assembles_a_flat_manifest_by_rest(step: "Step") -> None:
    answer = step(11).ask("GET", "/voyages/VOY-2026-042/manifest")
    assert (answer.status, answer.json) == (200, FLAT_MANIFEST)


async def test_step_11_tells_of_an_unknown_voyage(step: "Step") -> None:
    answer = step(11).ask("GET", "/voyages/VOY-0/manifest")
    assert (answer.status, answer.json["error"]) == (404, "not_found")
    async with step(11).tools() as tools:
        assert "Voyage VOY-0000-000 not found" in await tools.error("get-voyage-manifest", voyageId="VOY-0")
