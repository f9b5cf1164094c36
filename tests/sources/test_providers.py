"""Values of binds from files and from a Vault server."""

from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.upstreams import Quiet, answering

from capably.examine import Examined, examine, examine_with
from capably.plan.consumed import Consumed
from capably.plan.variables import Given
from capably.startup import missing_values

Write = Callable[[str, str], Path]

DOCUMENT = """\
naftiko: 1.0.0-alpha2
binds:
- namespace: secrets
  location: LOCATION
  keys: {TOKEN: registry-token, VERSION: version}
capability:
  consumes:
  - namespace: api
    type: http
    baseUri: https://api.example
    authentication: {type: bearer, token: '{{secrets.TOKEN}}'}
    inputParameters:
    - {name: X-Version, in: header, value: '{{VERSION}}'}
    resources:
    - {name: things, path: /things, operations: [{name: list, method: GET}]}
  exposes:
  - type: mcp
    namespace: tools
    port: 9090
    tools: [{name: list, description: List., call: api.list}]
"""


def at(location: str) -> str:
    return DOCUMENT.replace("LOCATION", location)


def headers(examined: Examined) -> dict[str, object]:
    assert examined.compiled is not None
    work = examined.compiled.plan.servers[0].operations[0].work
    assert isinstance(work, Consumed)
    return {name: getattr(source, "value", source) for name, source in work.request.headers}


def errors(examined: Examined) -> list[str]:
    return [item.message for item in examined.diagnostics if item.is_error]


@pytest.mark.parametrize(
    ("name", "location", "text"),
    [
        (
            "shared/secrets.yaml",
            "file:///./shared/secrets.yaml",
            "registry-token: s3cret\nversion: 1.0\nnested: {a: 1}\n",
        ),
        ("secrets.json", "./secrets.json", '{"registry-token": "s3cret", "version": "1.0"}'),
        (".env", "file://./.env", "# ours\nexport registry-token='s3cret'\nversion=1.0\n"),
        ("prod.env", "prod.env", 'registry-token="s3cret"\nversion=1.0\n'),
    ],
)
async def test_values_are_read_from_a_file_beside_the_document(
    write: Write, name: str, location: str, text: str
) -> None:
    write(f"docs/{name}", text)
    examined = await examine_with(write("docs/fleet.yaml", at(location)), Given())
    assert errors(examined) == []
    assert headers(examined) == {"X-Version": "1.0", "Authorization": "Bearer s3cret"}


async def test_what_is_set_beats_the_file_and_the_file_beats_the_environment(write: Write) -> None:
    write("s.yaml", "registry-token: from-file\nversion: from-file\n")
    given = Given(sets={"TOKEN": "from-set"}, environ={"version": "from-environment"})
    examined = await examine_with(write("fleet.yaml", at("s.yaml")), given)
    assert headers(examined) == {"X-Version": "from-file", "Authorization": "Bearer from-set"}


async def test_a_key_the_file_lacks_is_missing_and_the_file_is_named(write: Write) -> None:
    write("s.yaml", "registry-token: ''\nversion: 1\n")
    missing = missing_values([await examine_with(write("fleet.yaml", at("s.yaml")), Given())])
    assert missing is not None
    assert missing.message == "a value is missing"
    assert missing.help_lines[1] == "  give it in s.yaml, or with --set TOKEN=VALUE"


async def test_a_file_is_not_read_when_every_key_is_set(write: Write) -> None:
    given = Given(sets={"TOKEN": "t", "secrets.VERSION": "v"})
    examined = await examine_with(write("fleet.yaml", at("absent.yaml")), given)
    assert errors(examined) == []
    assert headers(examined) == {"X-Version": "v", "Authorization": "Bearer t"}


def test_a_check_reads_no_values(write: Write) -> None:
    assert errors(examine(write("fleet.yaml", at("absent.yaml")))) == []


@pytest.mark.parametrize(
    ("location", "text", "told"),
    [
        ("absent.yaml", None, "cannot be read: No such file or directory"),
        ("s.yaml", "- a\n", "does not hold a mapping of names to values"),
        ("s.yaml", "a: [", "the file cannot be used"),
    ],
)
async def test_a_file_that_gives_no_values_is_an_error_at_its_line(
    write: Write, location: str, text: str | None, told: str
) -> None:
    if text is not None:
        write(location, text)
    examined = await examine_with(write("fleet.yaml", at(location)), Given())
    problem = next(item for item in examined.diagnostics if item.is_error)
    assert (problem.code, problem.span.line) == ("VAR004", 4)
    assert told in problem.message


def test_a_place_nobody_reads_is_a_warning(write: Write) -> None:
    examined = examine(write("fleet.yaml", at("k8s-secret://default/fleet")))
    assert [item.message for item in examined.diagnostics if item.code == "VAR003"] == [
        "`secrets` is bound to k8s-secret://default/fleet, which is not read"
    ]


class Vault(Quiet):
    """The one request of the KV version 2 API that is used, as Vault answers it."""

    def do_GET(self) -> None:
        status = 403
        body: dict[str, object] = {"errors": ["permission denied"]}
        if self.headers.get("X-Vault-Token") == "root":
            status, body = 404, {"errors": []}
            if self.path == "/v1/secret/data/fleet/prod":
                data = {"registry-token": "s3cret", "version": 2}
                status, body = 200, {"data": {"data": data, "metadata": {"version": 3}}}
            elif self.path == "/v1/secret/data/moved":
                status = 302
        self.tell(status, body, {"Location": "http://vault.example/v1/secret/data/fleet"} if status == 302 else None)


@pytest.fixture
def vault() -> Iterator[str]:
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Vault)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}"


async def test_values_are_read_from_vault(write: Write, vault: str) -> None:
    given = Given(environ={"VAULT_ADDR": vault, "VAULT_TOKEN": "root"})
    examined = await examine_with(write("fleet.yaml", at("vault://secret/fleet/prod")), given)
    assert errors(examined) == []
    assert headers(examined) == {"X-Version": "2", "Authorization": "Bearer s3cret"}


@pytest.mark.parametrize(
    ("location", "token", "told"),
    [
        ("vault://secret/fleet/prod", "wrong", "Vault refuses the token, or the token may not read it"),
        ("vault://secret/none", "root", "Vault has no such secret"),
        ("vault://secret/moved", "root", "Vault cannot be reached (redirect)"),
        ("vault://secret", "root", "a Vault location is written vault://MOUNT/PATH"),
        ("vault://secret/fleet", "", "VAULT_ADDR and VAULT_TOKEN must be set in the environment"),
    ],
)
async def test_a_secret_vault_does_not_give_is_told_without_the_token(
    write: Write, vault: str, location: str, token: str, told: str
) -> None:
    given = Given(environ={"VAULT_ADDR": vault, "VAULT_TOKEN": token})
    examined = await examine_with(write("fleet.yaml", at(location)), given)
    (message,) = errors(examined)
    assert told in message
    assert "root" not in message
    assert "wrong" not in message
