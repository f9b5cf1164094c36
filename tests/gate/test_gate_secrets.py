"""Servers whose document says who may call them."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.asking import ask
from tests.serving import serving

from capably.examine import examine
from capably.plan.variables import Given
from capably.settings import Settings

DOCUMENT = """\
naftiko: 1.0.0-alpha2
binds: [{namespace: env, keys: {DOOR: DOOR}}]
capability:
  consumes:
  - namespace: api
    type: http
    baseUri: http://127.0.0.1:1
    resources: [{name: things, path: /things, operations: [{name: list, method: GET}]}]
  exposes:
  - type: rest
    namespace: front
    port: 0
    authentication: BLOCK
    resources: [{path: /things, operations: [{method: GET, call: api.list}]}]
  - type: mcp
    namespace: tools
    port: 0
    authentication: BLOCK
    tools: [{name: list, description: List., call: api.list}]
"""
BEARER = "{type: bearer, token: '{{env.DOOR}}'}"
BASIC = "{type: basic, username: ann, password: '{{env.DOOR}}'}"
HEADER_KEY = "{type: apikey, key: X-Door, value: '{{env.DOOR}}'}"
QUERY_KEY = "{type: apikey, key: door, value: '{{env.DOOR}}', placement: query}"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def save(block: str) -> Path:
        path = tmp_path / "closed.yaml"
        path.write_text(DOCUMENT.replace("BLOCK", block), encoding="utf-8")
        return path

    return save


@contextmanager
def served(path: Path) -> Iterator[dict[str, int]]:
    """The document, served in a thread; the ports by kind."""
    with serving(Settings(given=Given(environ={"DOOR": "op€n"})), path) as running:
        yield {kind: server.port for kind, server in running.by_kind.items()}


def told(
    port: int, path: str, headers: dict[str, str], method: str = "GET", body: str | None = None
) -> tuple[int, str]:
    """Status and challenge."""
    answer = ask(port, method, path, body, {name: value.encode() for name, value in headers.items()})
    return answer.status, answer.headers.get("www-authenticate", "")


BASIC_RIGHT = "Basic " + b64encode("ann:op€n".encode()).decode()
BASIC_WRONG = "Basic " + b64encode(b"ann:shut").decode()


@pytest.mark.parametrize(
    ("block", "right", "wrong", "challenge"),
    [
        (BEARER, {"Authorization": "bearer op€n"}, {"Authorization": "Bearer shut"}, 'Bearer realm="capably"'),
        (
            BASIC,
            {"Authorization": BASIC_RIGHT},
            {"Authorization": BASIC_WRONG},
            'Basic realm="capably", charset="UTF-8"',
        ),
        (HEADER_KEY, {"x-door": "op€n"}, {"X-Door": "op"}, ""),
    ],
)
def test_only_callers_with_the_right_credentials_get_in(
    write: Write, block: str, right: dict[str, str], wrong: dict[str, str], challenge: str
) -> None:
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    with served(write(block)) as ports:
        for headers in ({}, wrong):
            assert told(ports["rest"], "/things", headers) == (401, challenge)
            assert told(ports["mcp"], "/mcp", headers, "POST", message) == (401, challenge)
        assert told(ports["rest"], "/things", right)[0] == 502  # let in: the upstream is not there
        sent = right | {"Content-Type": "application/json"}
        assert told(ports["mcp"], "/mcp", sent, "POST", message)[0] == 200


def test_a_key_in_the_query_opens_too(write: Write) -> None:
    with served(write(QUERY_KEY)) as ports:
        assert told(ports["rest"], "/things", {})[0] == 401
        assert told(ports["rest"], "/things?door=shut", {})[0] == 401
        assert told(ports["rest"], "/things?door=op%E2%82%ACn", {})[0] == 502


def test_a_closed_server_tells_strangers_nothing_of_its_routes(write: Write) -> None:
    with served(write(BEARER)) as ports:
        assert told(ports["rest"], "/no-such-path", {})[0] == 401


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("{type: ntlm, username: a, password: b}", "DOC014"),
        ("{type: digest, username: a}", "AUT002"),
        ("{type: bearer}", "AUT002"),
        ("{type: basic, username: a}", "AUT002"),
        ("{type: apikey, value: a}", "AUT002"),
        ("{type: apikey, key: k, value: a, placement: body}", "AUT003"),
        ("{type: apikey, key: 'X-Door:', value: a}", "AUT006"),
    ],
)
def test_a_server_that_cannot_be_closed_as_asked_is_not_opened(write: Write, block: str, code: str) -> None:
    examined = examine(write(block))
    assert code in {item.code for item in examined.diagnostics if item.is_error}


def test_the_plan_shows_no_secret_of_a_gate(write: Write) -> None:
    compiled = examine(write(BEARER)).compiled
    assert compiled is not None
    assert "DOOR" not in repr(compiled.plan.servers[0].gate)
