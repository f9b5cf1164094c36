"""What `check` and `plan` say of forwards."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from capably.cli.main import capably
from capably.examine import Examined

LIST = {"name": "list", "method": "GET", "call": "up.list"}


def told(found: Examined) -> list[tuple[str, str, str]]:
    return [(item.severity.value, item.code, item.message) for item in found.diagnostics if item.code != "INP001"]


def test_a_plan_shows_where_a_forward_leads(examined: Any) -> None:
    entry = {"authentication": {"type": "bearer", "token": "{{env.KEY}}"}, "description": "Ships."}
    found = examined(entry=entry, forward={"trustedHeaders": ["X-B", "x-a"]})
    assert told(found) == []
    result = CliRunner().invoke(capably, ["plan", found.file])
    assert result.output.splitlines()[1:] == [
        "language 1.0.0-beta4",
        "upstream up: https://up.test/v1",
        "",
        "rest web on 127.0.0.1:0, 0 operations, 1 forwarded",
        "  ANY /api/{path}",
        "    passes requests on to up",
        "    trusts x-a, x-b",
        "    sends  GET https://up.test/v1/path",
        "           Authorization: Bearer <KEY>",
        "           Via: 1.1 capably",
        "           Accept-Encoding: identity",
    ]
    (forward,) = json.loads(CliRunner().invoke(capably, ["plan", "--format", "json", found.file]).output)["forwards"]
    assert forward["path"] == "/api/{path}"
    assert (forward["target"], forward["trusted_headers"], forward["description"]) == ("up", ["x-a", "x-b"], "Ships.")


@pytest.mark.parametrize(
    ("parts", "finding"),
    [
        (
            {"forward": {"targetNamespace": "upp"}},
            ("error", "FWD001", "`upp` is not the namespace of a consumed API"),
        ),
        (
            {"forward": {"targetNamespace": None}},
            ("error", "DOC011", "`forward` needs `targetNamespace`"),
        ),
        (
            {"forward": {"trustedHeader": ["X-A"]}},
            ("warning", "DOC012", "`trustedHeader` is not a key of `forward`"),
        ),
        (
            {"forward": {"trustedHeaders": ["Connection"]}},
            ("warning", "FWD002", "`connection` is not passed on: it belongs to one connection"),
        ),
        (
            {
                "forward": {"trustedHeaders": ["Authorization"]},
                "server": {"authentication": {"type": "bearer", "token": "{{env.KEY}}"}},
            },
            ("warning", "FWD002", "`authorization` is not passed on: it is meant for this server"),
        ),
        (
            {
                "base": "https://{fleet}.up.test",
                "entry": {"inputParameters": [{"name": "fleet", "in": "path"}]},
            },
            ("error", "FWD003", "`up` needs `fleet`, which a forward has no way to ask for"),
        ),
        (
            {"resources": [{"path": "/api/{path}", "forward": {"targetNamespace": "up"}}]},
            ("warning", "SRV003", "the forward on /api/{path} is exposed twice: the first one is served"),
        ),
        (
            {"path": "/api/{a}{b}"},
            (
                "error",
                "DOC010",
                "this path cannot be served: nothing stands between `{a}` and `{b}`, so neither has an end",
            ),
        ),
    ],
)
def test_what_is_wrong_with_a_forward_is_told(examined: Any, parts: Any, finding: tuple[str, str, str]) -> None:
    assert finding in told(examined(**parts))


def test_the_nearest_namespace_is_named(examined: Any) -> None:
    found = examined(forward={"targetNamespace": "upp"})
    (help_lines,) = [item.help for item in found.diagnostics if item.code == "FWD001"]
    assert help_lines == ("did you mean `up`?",)


def test_a_forward_with_an_error_is_left_out_and_the_rest_is_served(examined: Any) -> None:
    resources = [{"path": "/ships", "operations": [LIST]}]
    found = examined(forward={"targetNamespace": "upp"}, resources=resources)
    assert found.compiled is not None
    (server,) = found.compiled.plan.servers
    assert (len(server.operations), server.forwards, found.is_served) == (1, (), True)


def test_a_namespace_is_matched_as_names_are_elsewhere(examined: Any) -> None:
    assert told(examined(forward={"targetNamespace": "UP"})) == []
