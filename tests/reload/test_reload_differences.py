"""What a reload says that it changes: by paths, in the words of documents, and without secrets."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capably.differences import differences
from capably.examine import examine_with
from capably.plan.operation import Plan
from capably.plan.variables import Given
from capably.telemetry.redaction import Redactor


def tool(name: str, **more: Any) -> dict[str, Any]:
    outputs = [{"name": "n", "type": "integer", "value": 1}]
    return {"name": name, "description": f"What {name} does.", "outputParameters": outputs, **more}


def planned(folder: Path, *tools: dict[str, Any], **more: Any) -> tuple[Plan, Redactor]:
    server = {"type": "mcp", "namespace": "harbour", "port": 9, "tools": tools, **more}
    binds = [{"namespace": "env", "keys": {"KEY": "KEY"}}]
    file = folder / "harbour.yaml"
    file.write_text(json.dumps({"ikanos": "1.0.0-beta4", "binds": binds, "capability": {"exposes": [server]}}))
    examined = asyncio.run(examine_with(file, Given({}, {"KEY": "made-up-secret"})))
    assert examined.compiled is not None
    return examined.compiled.plan, Redactor(examined.compiled.variables)


def told(before: Plan, after: tuple[Plan, Redactor]) -> list[tuple[str, Any, Any]]:
    found = differences([before], [after[0]], after[1].hide)
    return [(item.path, item.before, item.after) for item in found]


@pytest.mark.parametrize(
    ("tools", "more", "expected"),
    [
        ([tool("a"), tool("b")], {}, [("servers.harbour.tools.b", None, "b")]),
        ([], {"resources": []}, [("servers.harbour.tools.a", "a", None)]),
        (
            [tool("a", description="Something else.")],
            {},
            [("servers.harbour.tools.a.description", "What a does.", "Something else.")],
        ),
        ([tool("a")], {"port": 10}, [("servers.harbour.port", 9, 10)]),
        (
            [tool("a", hints={"readOnly": True})],
            {},
            [("servers.harbour.tools.a.hints", None, {"readOnly": True})],
        ),
        (
            [tool("a", inputParameters=[{"name": "x", "type": "integer"}])],
            {},
            [("servers.harbour.tools.a.inputParameters.x", None, "integer")],
        ),
        (
            [tool("a")],
            {"authentication": {"type": "bearer", "token": "{{KEY}}"}},
            [("servers.harbour.authentication", None, "bearer")],
        ),
    ],
)
def test_differences_are_told_by_path(
    tmp_path: Path, tools: list[Any], more: dict[str, Any], expected: list[Any]
) -> None:
    before, _redactor = planned(tmp_path, tool("a"))
    assert told(before, planned(tmp_path, *tools, **more)) == expected


def test_inputs_are_told_key_by_key(tmp_path: Path) -> None:
    before, _redactor = planned(tmp_path, tool("a", inputParameters=[{"name": "x", "type": "integer"}]))
    after = planned(tmp_path, tool("a", inputParameters=[{"name": "x", "type": "string", "required": False}]))
    paths = {path: (old, new) for path, old, new in told(before, after)}
    assert paths["servers.harbour.tools.a.inputParameters.x.type"] == ("integer", "string")


def test_the_value_of_a_secret_is_told_as_stars(tmp_path: Path) -> None:
    gate = {"authentication": {"type": "bearer", "token": "{{KEY}}"}}
    before, _redactor = planned(tmp_path, tool("a"), **gate)
    after = planned(tmp_path, tool("a", description="Send made-up-secret."), **gate)
    assert told(before, after) == [("servers.harbour.tools.a.description", "What a does.", "***")]


def test_a_line_that_moves_is_no_difference(tmp_path: Path) -> None:
    before, _redactor = planned(tmp_path, tool("a"))
    file = tmp_path / "harbour.yaml"
    file.write_text("# a remark\n\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    examined = asyncio.run(examine_with(file, Given({}, {"KEY": "made-up-secret"})))
    assert examined.compiled is not None
    assert examined.compiled.plan != before
    assert differences([before], [examined.compiled.plan], str) == ()


def test_another_order_is_told(tmp_path: Path) -> None:
    before, _redactor = planned(tmp_path, tool("a"), tool("b"))
    assert told(before, planned(tmp_path, tool("b"), tool("a"))) == [("servers.harbour.tools", ["a", "b"], ["b", "a"])]


@settings(deadline=None, max_examples=40)
@given(st.sets(st.sampled_from("abcdef"), min_size=1), st.sets(st.sampled_from("abcdef"), min_size=1))
def test_tools_that_come_and_go_are_those_of_one_side(
    tmp_path_factory: pytest.TempPathFactory, one: set[str], other: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("plans")
    before, _redactor = planned(folder, *map(tool, sorted(one)))
    found = told(before, planned(folder, *map(tool, sorted(other))))
    assert {path[-1] for path, old, _new in found if old is None} == other - one
    assert {path[-1] for path, _old, new in found if new is None} == one - other
    assert len(found) == len(one ^ other)
