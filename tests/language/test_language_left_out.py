"""What this version does not run is told, left out, and never opened half."""

from pathlib import Path
from typing import Any

import pytest

QUIET = Path(__file__).with_name("quiet.yaml").read_text(encoding="utf-8")
CHANGES = "- {name: change, call: up.change, inputParameters: [{name: id, type"
AUTH = "type: bearer, token: '{{env.KEY}}'"


def edited(old: str, new: str) -> str:
    assert old in QUIET, f"the document has no {old!r}"
    return QUIET.replace(old, new)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            ("  - type: mcp", "  - {type: http, port: 1}\n  - type: mcp"),
            "`http` is a kind of server from before the published versions: it is left out",
        ),
        ((CHANGES, "- {name: change, x-not: [{name: id, type"), "the operation has no `call`: it is left out"),
    ],
)
def test_what_this_version_leaves_out_is_told_and_the_rest_is_planned(
    language: Any, edit: tuple[str, str], message: str
) -> None:
    reading = language.read(edited(*edit))
    assert ("DOC013", message) in reading.told
    assert reading.operations


def test_an_mcp_server_over_stdio_needs_no_port(language: Any) -> None:
    reading = language.read(edited("port: 9090", "transport: stdio"))
    servers = reading.examined.compiled.plan.servers
    assert [(server.kind.value, server.over_stdio) for server in servers] == [("rest", False), ("mcp", True)]


def test_a_server_that_wants_its_callers_authenticated_in_a_way_not_known_is_not_opened(language: Any) -> None:
    reading = language.read(edited("port: 8080", "port: 8080\n    authentication: {type: kerberos, username: a}"))
    message = "callers cannot be authenticated with `kerberos`: the server would be open"
    assert ("DOC014", message) in reading.told
    assert [server.kind.value for server in reading.examined.compiled.plan.servers] == ["mcp"]
