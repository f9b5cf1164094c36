"""The documents of the shipyard tutorial, where somebody has them, give the answers they are meant to give.

Their APIs are mocked from the tutorial's OpenAPI files, by mocks that verify what they are sent.
"""

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

if TYPE_CHECKING:
    from tests.tutorial.conftest import Step

MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])

SUMMARY = {"imo": "IMO-9321483", "name": "Northern Star", "type": "cargo", "flag": "NO", "status": "active"}
DAWN = {"imo": "IMO-9456781", "name": "Pacific Dawn", "type": "tanker", "flag": "SG", "status": "maintenance"}
SPECS = {"yearBuilt": 2015, "tonnage": 42000, "length": 229}
CREW = [{"fullName": "Erik Lindström", "role": "captain"}, {"fullName": "Aiko Tanaka", "role": "cook"}]
FAITHFUL = {"vesselCode": "LEGACY-4012", "name": "Old Faithful", "type": "cargo", "flag": "GB", "status": "active"}
MAIDEN = {"vesselCode": "LEGACY-2087", "name": "Iron Maiden", "type": "bulk_carrier", "flag": "PA", "status": "laid_up"}
VOYAGE = {
    "shipImo": "IMO-9321483",
    "departurePort": "Oslo",
    "arrivalPort": "Singapore",
    "departureDate": "2026-04-10T08:00:00Z",
    "arrivalDate": "2026-05-02T14:00:00Z",
    "crewIds": ["CREW-001", "CREW-003"],
    "cargoIds": ["CARGO-2024-0451"],
}
PLANNED = {
    "voyageId": "VOY-2026-042",
    "shipImo": "IMO-9321483",
    "route": {"from": "Oslo", "to": "Singapore"},
    "dates": {"departure": "2026-04-10T08:00:00Z", "arrival": "2026-05-02T14:00:00Z"},
    "crewIds": ["CREW-001", "CREW-003"],
    "cargoIds": ["CARGO-2024-0451"],
    "status": "planned",
}
CARGO = [{"type": "container", "description": "Electronics components", "weight": 12.5, "hazardous": False}]
READS = ["list-ships", "get-ship", "list-legacy-vessels"]
TOOLS = {
    1: ["get-ship"],
    2: ["list-ships", "get-ship"],
    3: ["list-ships", "get-ship"],
    4: ["list-ships", "get-ship"],
    5: READS,
    6: [*READS, "create-voyage"],
}


@MODES
@pytest.mark.parametrize("number", range(1, 7))
async def test_the_tools_of_a_step_are_listed_in_order(step: "Step", number: int, mode: str) -> None:
    async with step(number).tools(mode) as tools:
        assert list(await tools.listed()) == TOOLS[number]


@MODES
async def test_step_1_answers_without_an_api(step: "Step", mode: str) -> None:
    async with step(1).tools(mode) as tools:
        assert tools.client.server_info is not None
        assert tools.client.server_info.name == "shipyard-tools"
        assert (await tools.listed())["get-ship"].description == "Retrieve a ship's details by IMO number"
        assert await tools.call("get-ship", imo_number="IMO-9321483") == SUMMARY


async def test_step_1_speaks_2025_11_25_in_a_session(step: "Step") -> None:
    async with step(1).tools("legacy") as tools:
        assert tools.client.protocol_version == "2025-11-25"
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    async with httpx2.AsyncClient() as client:
        accept = {"Accept": "application/json, text/event-stream"}
        response = await client.post(step(1).urls["mcp"], json=body, headers=accept)
    assert response.headers["mcp-session-id"]


@pytest.mark.parametrize("number", range(2, 12))
async def test_ships_are_listed_and_filtered(step: "Step", number: int) -> None:
    async with step(number).tools() as tools:
        assert await tools.call("list-ships") == [SUMMARY, DAWN]
        assert await tools.call("list-ships", status="active") == [SUMMARY]
        schemas = await tools.listed()
    assert schemas["list-ships"].input_schema["properties"]["status"]["type"] == "string"
    assert "status" not in schemas["list-ships"].input_schema.get("required", [])
    assert schemas["get-ship"].input_schema["required"] == ["imo"]


@pytest.mark.parametrize("number", [2, 3])
async def test_a_ship_is_found_by_its_number(step: "Step", number: int) -> None:
    async with step(number).tools() as tools:
        assert await tools.call("get-ship", imo="IMO-9456781") == DAWN


@pytest.mark.parametrize("number", range(4, 12))
async def test_a_ship_has_its_specs_as_numbers(step: "Step", number: int) -> None:
    async with step(number).tools() as tools:
        assert await tools.call("get-ship", imo="IMO-9321483") == {**SUMMARY, "specs": SPECS}


@pytest.mark.parametrize("number", range(3, 12))
async def test_a_caller_without_the_token_is_turned_away(step: "Step", number: int) -> None:
    async with httpx2.AsyncClient() as client:
        for headers in ({}, {"Authorization": "Bearer sk-mcp-ZZZZZZZZZZZZ"}):
            response = await client.post(step(number).urls["mcp"], json={}, headers=headers)
            assert response.status_code == 401


@pytest.mark.parametrize("number", range(5, 12))
async def test_old_vessels_come_from_xml_also_when_there_is_one(step: "Step", number: int) -> None:
    async with step(number).tools() as tools:
        assert await tools.call("list-legacy-vessels") == [FAITHFUL, MAIDEN]
        assert await tools.call("list-legacy-vessels", status="active") == [FAITHFUL]
        assert await tools.call("list-legacy-vessels", status="laid_up") == [MAIDEN]


@pytest.mark.parametrize("number", range(6, 12))
async def test_a_voyage_is_planned(step: "Step", number: int) -> None:
    async with step(number).tools() as tools:
        tool = (await tools.listed())["create-voyage"]
        assert await tools.call("create-voyage", **VOYAGE) == PLANNED
    assert set(tool.input_schema["required"]) == VOYAGE.keys() - {"cargoIds"}
    assert {tool.input_schema["properties"][name]["type"] for name in ("crewIds", "cargoIds")} == {"array"}
    assert tool.annotations is not None
    hints = tool.annotations
    assert (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint) == (False, False, False)
    assert hints.open_world_hint is True


@pytest.mark.parametrize("number", range(6, 12))
async def test_a_voyage_without_cargo_is_sent_as_valid_json(step: "Step", number: int) -> None:
    async with step(number).tools() as tools:
        planned = await tools.call("create-voyage", **{k: v for k, v in VOYAGE.items() if k != "cargoIds"})
    assert planned["voyageId"] == "VOY-2026-042"


async def test_a_port_with_a_quote_survives(step: "Step") -> None:
    async with step(6).tools() as tools:
        planned = await tools.call("create-voyage", **{**VOYAGE, "departurePort": 'Port "X"\n\\{{arrivalPort}}'})
    assert planned["route"] == {"from": 'Port "X"\n\\{{arrivalPort}}', "to": "Singapore"}


@pytest.mark.parametrize("number", [2, 6])
async def test_an_unknown_ship_is_an_error_that_says_so(step: "Step", number: int) -> None:
    async with step(number).tools() as tools:
        assert "Ship with IMO number IMO-0000000 not found" in await tools.error("get-ship", imo="IMO-0000000")


@pytest.mark.parametrize("number", [2, 7, 9])
async def test_a_call_without_its_number_says_what_is_missing(step: "Step", number: int) -> None:
    async with step(number).tools() as tools:
        assert "imo" in await tools.error("get-ship")


@pytest.mark.parametrize("number", [7, 8, 9, 10, 11])
def test_skills_tell_where_their_tools_are(step: "Step", number: int) -> None:
    served = step(number)
    listed = served.ask("GET", "/skills", kind="skill").json
    assert (listed["count"], [skill["name"] for skill in listed["skills"]]) == (2, ["fleet-ops", "voyage-ops"])
    fleet = served.ask("GET", "/skills/fleet-ops", kind="skill").json
    assert [tool["name"] for tool in fleet["tools"]] == [*READS, "get-ship-with-crew"]
    for tool in fleet["tools"]:
        assert tool["type"] == "derived"
        assert tool["invocationRef"]["targetNamespace"] == "shipyard-tools"
        assert tool["invocationRef"]["mode"] == "mcp"
        assert tool["invocationRef"]["action"] == tool["name"]
    voyage = served.ask("GET", "/skills/voyage-ops", kind="skill").json
    assert len(voyage["tools"]) == (2 if number == 11 else 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ships", [SUMMARY, DAWN]),
        ("/ships?status=active", [SUMMARY]),
        ("/ships/IMO-9321483", {**SUMMARY, "specs": SPECS}),
        ("/legacy/vessels", [FAITHFUL, MAIDEN]),
        ("/legacy/vessels?status=active", [FAITHFUL]),
    ],
)
@pytest.mark.parametrize("number", [10, 11])
def test_the_same_is_served_by_rest(step: "Step", number: int, path: str, body: Any) -> None:
    answer = step(number).ask("GET", path)
    assert (answer.status, answer.json) == (200, body)


@pytest.mark.parametrize("number", [10, 11])
def test_a_voyage_that_is_planned_by_rest_is_201(step: "Step", number: int) -> None:
    answer = step(number).ask("POST", "/voyages", VOYAGE)
    assert (answer.status, answer.json) == (201, PLANNED)


@pytest.mark.parametrize("number", [10, 11])
def test_an_unknown_ship_is_404_by_rest(step: "Step", number: int) -> None:
    answer = step(number).ask("GET", "/ships/IMO-0000000")
    assert (answer.status, answer.json["message"]) == (404, "Ship with IMO number IMO-0000000 not found")
