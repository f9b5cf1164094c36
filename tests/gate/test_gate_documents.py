"""What a document may ask of callers, and what is told when it cannot be kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from capably.app import Listener, open_documents, running
from capably.cli.main import capably
from capably.examine import Examined, examine
from capably.plan.gate import DigestGate, SecretGate
from capably.plan.gate_oauth2 import Introspection, Jwks, OAuthGate
from capably.plan.variables import Given
from capably.settings import Settings

OAUTH: dict[str, Any] = {
    "type": "oauth2",
    "authorizationServerUri": "https://login.test/realms/fleet",
    "resource": "https://fleet.test/mcp",
}
CLIENT = {"clientId": "{{env.ID}}", "clientSecret": "{{env.SECRET}}"}
Read = Callable[..., Examined]


class Written(dict[str, Any]):
    """The key of a block as it is written, with what stands behind it."""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(block: Any, *, tool: Any = None, operation: Any = None, forward: Any = None, **server: Any) -> Examined:
        said = {"outputParameters": [{"type": "string", "value": "x"}]}
        to = [{"path": "/{path}", "forward": {"targetNamespace": "far", **forward}}] if forward is not None else []
        asked = block if isinstance(block, Written) else {} if block is None else {"authentication": block}
        far = {"type": "http", "namespace": "far", "baseUri": "https://far.test", "resources": []}
        exposes = [
            {
                "type": "rest",
                "namespace": "web",
                "port": 1,
                **asked,
                "resources": [{"path": "/x", "operations": [{"method": "GET", **said, **(operation or {})}]}, *to],
            },
            {
                "type": "mcp",
                "namespace": "agent",
                "port": 2,
                **asked,
                "tools": [{"name": "x", **said, **(tool or {})}, {"name": "y", **said}],
                **server,
            },
        ]
        document = {
            "ikanos": "1.0.0-beta4",
            "binds": [{"namespace": "env", "keys": {"ID": "ID", "SECRET": "SECRET"}}],
            "capability": {"consumes": [far], "exposes": exposes},
        }
        path = tmp_path / "asking.yaml"
        path.write_text(json.dumps(document), encoding="utf-8")
        return examine(path)

    return read


def told(examined: Examined) -> set[tuple[str, str]]:
    return {(item.code, item.message) for item in examined.errors}


def gates(examined: Examined) -> list[Any]:
    assert examined.compiled is not None
    return [server.gate for server in examined.compiled.plan.servers]


def test_both_servers_ask_for_what_the_block_says(read: Read) -> None:
    stated = OAUTH | {
        "scopes": ["ships:read"],
        "leeway": 5,
        "jwksUri": "https://keys.test",
        "algorithms": "ES256 RS256",
    }
    gate = OAuthGate(
        issuer="https://login.test/realms/fleet",
        token_issuer="https://login.test/realms/fleet",
        resource="https://fleet.test/mcp",
        audience="https://fleet.test/mcp",
        scopes=("ships:read",),
        validation=Jwks("https://keys.test", ("ES256", "RS256")),
        leeway_s=5,
        offered=("ships:read",),
    )
    examined = read(stated)
    assert told(examined) == set()
    assert gates(examined) == [gate, gate]


def test_introspection_needs_credentials_and_shows_none(read: Read) -> None:
    examined = read(OAUTH | CLIENT | {"tokenValidation": "introspection", "clientAuthentication": "body"})
    assert gates(examined)[0].validation == Introspection("", "<ID>", "<SECRET>", "body")
    assert "SECRET" not in repr(gates(examined))


@pytest.mark.parametrize("name", ["oauth2", "OAuth2", "oauth", "oauth2.1"])
def test_the_scheme_is_known_by_several_names(read: Read, name: str) -> None:
    assert isinstance(gates(read(OAUTH | {"type": name}))[0], OAuthGate)


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        ({"type": "digest", "username": "ann", "password": "{{env.SECRET}}"}, DigestGate),
        ({"type": "api-key", "name": "X-Door", "in": "header", "value": "{{env.SECRET}}"}, SecretGate),
        ({"type": "none"}, type(None)),
        (None, type(None)),
    ],
)
def test_other_schemes_make_other_gates(read: Read, block: Any, kind: type) -> None:
    assert [type(gate) for gate in gates(read(block))] == [kind, kind]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (OAUTH | {"resource": None}, ("AUT002", "`oauth2` authentication needs `resource`")),
        (OAUTH | {"authorizationServerUri": ""}, ("AUT002", "`oauth2` authentication needs `authorizationServerUri`")),
        (OAUTH | {"resource": "fleet"}, ("AUT006", "`resource` is not an http or https URL")),
        (OAUTH | {"resource": "https://a.test/#x"}, ("AUT006", "`resource` is not an http or https URL")),
        (OAUTH | {"resource": 'https://a.test/"x'}, ("AUT006", "`resource` is not an http or https URL")),
        (OAUTH | {"algorithms": ["HS256"]}, ("AUT005", "tokens signed with `HS256` are not accepted")),
        (OAUTH | {"algorithms": ["none"]}, ("AUT005", "tokens signed with `none` are not accepted")),
        (OAUTH | {"scopes": ['a"b']}, ("AUT006", '`a"b` is no scope')),
        (OAUTH | {"leeway": -1}, ("AUT006", "`leeway` is a number of seconds between 0 and 300")),
        (OAUTH | {"leeway": 3600}, ("AUT006", "`leeway` is a number of seconds between 0 and 300")),
        (
            OAUTH | {"tokenValidation": "trust"},
            ("AUT005", "`tokenValidation` of `oauth2` authentication cannot be `trust`"),
        ),
        (OAUTH | {"tokenValidation": "introspection"}, ("AUT002", "`oauth2` authentication needs `clientId`")),
        (
            {"type": "diggest"},
            ("DOC014", "callers cannot be authenticated with `diggest`: the server would be open"),
        ),
    ],
)
def test_a_server_whose_gate_cannot_be_kept_is_left_out(read: Read, block: Any, problem: tuple[str, str]) -> None:
    examined = read(block)
    assert problem in told(examined)
    assert gates(examined) == []


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"authentication": "bearer"}, ("DOC010", "`authentication` must hold mappings, not `bearer`")),
        ({"authentication": {"token": "{{env.SECRET}}"}}, ("DOC011", "`authentication` needs `type`")),
        ({"authentication": None}, ("DOC014", "`authentication` is empty: the server would be open")),
        (
            {"authentification": {"type": "bearer", "token": "{{env.SECRET}}"}},
            ("DOC014", "`authentification` is not `authentication`: the server would be open"),
        ),
    ],
)
def test_a_server_that_was_meant_to_ask_is_left_out_with_its_resources_and_prompts(
    read: Read, written: dict[str, Any], problem: tuple[str, str]
) -> None:
    shown: dict[str, Any] = {
        "resources": [{"name": "r", "uri": "a://r", "outputParameters": [{"value": "x"}]}],
        "prompts": [{"name": "p", "template": [{"role": "user", "content": "x"}]}],
    }
    examined = read(Written(written), **shown)
    assert problem in told(examined)
    assert gates(examined) == []


def test_a_server_that_states_twice_who_may_call_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text(
        """
ikanos: "1.0.0-beta5"
info: {display: Twice, description: Two blocks}
capability:
  exposes:
    web:
      type: rest
      port: 1
      authentication: {type: none}
      authentication: {type: bearer, token: "{{env.SECRET}}"}
      resources:
        - {path: /x, operations: [{method: GET, outputParameters: [{type: string, value: x}]}]}
""",
        encoding="utf-8",
    )
    examined = examine(file)
    assert ("DOC003", "the key `authentication` stands twice in one mapping") in told(examined)
    assert gates(examined) == []


@pytest.mark.parametrize("key", ["x-authentication", "documentation", "author"])
def test_other_keys_ask_nobody(read: Read, key: str) -> None:
    assert gates(read(Written({key: False}))) == [None, None]


def operations(examined: Examined) -> dict[str, tuple[str, ...]]:
    assert examined.compiled is not None
    servers = examined.compiled.plan.servers
    return {operation.name: operation.scopes for server in servers for operation in server.operations}


def test_scopes_stand_on_tools_operations_and_forwards(read: Read) -> None:
    examined = read(OAUTH, tool={"scopes": ["t"]}, operation={"scopes": ["o", "o"]}, forward={"scopes": ["f"]})
    assert operations(examined) == {"GET /x": ("o",), "x": ("t",), "y": ()}
    assert examined.compiled is not None
    web, agent = examined.compiled.plan.servers
    assert web.forwards[0].scopes == ("f",)
    assert [server.gate.offered for server in (web, agent) if isinstance(server.gate, OAuthGate)] == [
        ("o", "f"),
        ("t",),
    ]
    assert agent.freshness.scope == "private"


@pytest.mark.parametrize("block", [None, {"type": "none"}, {"type": "bearer", "token": "{{env.SECRET}}"}])
def test_scopes_that_nobody_can_have_leave_out_what_needs_them(read: Read, block: Any) -> None:
    examined = read(block, tool={"scopes": ["t"]}, operation={"scopes": ["o"]})
    assert told(examined) == {("AUT008", "`scopes` are asked for, but callers have none")}
    assert operations(examined) == {"y": ()}


def test_the_plan_tells_what_callers_need(read: Read) -> None:
    own = {"type": "basic", "username": "ann", "password": "{{env.SECRET}}"}
    plan = CliRunner().invoke(capably, ["plan", read(OAUTH, tool={"scopes": ["t"]}, forward={"scopes": ["f"]}).file])
    assert "rest web on 127.0.0.1:1, 1 operation, 1 forwarded, callers need oauth2" in plan.stdout
    assert "  x\n    scopes t\n" in plan.stdout
    assert "  ANY /{path}\n    scopes f\n" in plan.stdout
    plan = CliRunner().invoke(capably, ["plan", "--format", "json", read(None, operation={"authentication": own}).file])
    described = json.loads(plan.stdout)
    assert [server["asks_for"] for server in described["servers"]] == ["none", "none"]
    assert [operation["asks_for"] for operation in described["operations"]] == ["basic", None, None]


def test_resources_and_prompts_can_need_scopes_as_well(read: Read) -> None:
    shown: dict[str, Any] = {
        "resources": [{"name": "r", "uri": "a://r", "scopes": ["r"], "outputParameters": [{"value": "x"}]}],
        "prompts": [{"name": "p", "scopes": ["p"], "template": [{"role": "user", "content": "x"}]}],
    }
    examined = read(OAUTH, **shown)
    assert told(examined) == set()
    assert gates(examined)[1].offered == ("r", "p")
    without = read({"type": "bearer", "token": "{{env.SECRET}}"}, **shown)
    assert told(without) == {("AUT008", "`scopes` are asked for, but callers have none")}
    assert without.compiled is not None
    agent = without.compiled.plan.servers[1]
    assert (agent.resources, agent.prompts) == ((), ())


def test_what_is_no_scope_leaves_out_the_operation_alone(read: Read) -> None:
    examined = read(OAUTH, tool={"scopes": ["two words"]})
    assert told(examined) == {("AUT006", "`two words` is no scope")}
    assert operations(examined) == {"GET /x": (), "y": ()}


def test_an_operation_whose_own_gate_cannot_be_kept_is_left_out_alone(read: Read) -> None:
    examined = read(OAUTH, operation={"authentication": {"type": "kerberos"}})
    assert {code for code, _message in told(examined)} == {"DOC014"}
    assert operations(examined) == {"x": (), "y": ()}


def test_an_operation_may_ask_for_tokens_on_a_server_that_does_not(read: Read) -> None:
    examined = read(None, operation={"authentication": OAUTH, "scopes": ["o"]})
    assert told(examined) == set()
    assert operations(examined)["GET /x"] == ("o",)


OPEN = "`{}` listens on 0.0.0.0 without authentication: whoever reaches it uses your credentials"


async def test_who_starts_a_server_is_warned_when_it_is_open_to_the_network(read: Read) -> None:
    for block, warnings in ((OAUTH, {""}), (None, {OPEN.format("web"), OPEN.format("agent")})):
        settings = Settings(given=Given(), host="0.0.0.0", ports={"web": 0, "agent": 0})  # noqa: S104 -- the question
        async with running(await open_documents([Path(read(block).file)], settings), settings) as listeners:
            assert {listener.warning for listener in listeners} == warnings


async def test_who_starts_a_server_over_stdio_is_warned_when_it_asks_nobody(read: Read) -> None:
    told = "`agent` asks nobody for its `authentication` over stdio: whoever starts it may use it"
    for block, warning in ((OAUTH, told), (None, "")):
        settings = Settings(given=Given(), stdio="agent")
        (document,) = await open_documents([Path(read(block).file)], settings)
        assert document.compiled is not None
        (server,) = document.compiled.plan.servers
        assert Listener(server).warning == warning


def test_over_stdio_a_block_and_scopes_are_not_asked_for(read: Read) -> None:
    examined = read(OAUTH | {"resource": ""}, tool={"scopes": ["t"]}, transport="stdio", port=None)
    assert examined.compiled is not None
    (agent,) = examined.compiled.plan.servers  # the one over HTTP is left out
    assert (agent.gate, [operation.scopes for operation in agent.operations]) == (None, [(), ()])
    assert "SEC005" in {item.code for item in examined.diagnostics}
