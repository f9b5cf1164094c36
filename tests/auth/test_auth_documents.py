"""Whole documents: what an authentication block makes of calls, plans, dry runs and refusals."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from capably.cli import main
from capably.examine import Examined, examine, examine_with
from capably.plan.caller import SilentCaller
from capably.plan.inputs import accept
from capably.plan.operation import Operation
from capably.plan.outcome import Fault, Outcome
from capably.plan.variables import Given
from capably.runtime import Runtime
from capably.telemetry.redaction import Redactor
from capably.upstream.auth.oauth2 import OAuth2
from capably.upstream.client import ClientLimits

if TYPE_CHECKING:
    from tests.auth.conftest import CompileBlock, Serve

SECRETS = {"KEY": "s3cret-0123", "USER": "ada", "EMPTY": " "}
OAUTH2 = {"type": "oauth2", "clientId": "me", "clientSecret": "{{env.KEY}}"}


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Write = Callable[..., Path]
Run = Callable[..., Ended]


@pytest.fixture
def write(folder: Path) -> Write:
    """Writes a document with one tool, `op`, that calls one operation."""

    def write(block: Any, base: str = "https://up.test", **operation: Any) -> Path:
        consumed = {"name": "op", "method": "GET", **operation}
        api = {
            "type": "http",
            "namespace": "up",
            "baseUri": base,
            "authentication": block,
            "resources": [{"name": "all", "path": "/ships", "operations": [consumed]}],
        }
        tool = {"name": "op", "description": "It.", "call": "up.op"}
        server = {"type": "mcp", "namespace": "agent", "port": 9090, "tools": [tool]}
        binds = [{"namespace": "env", "keys": {name: name for name in SECRETS}}]
        document = {"ikanos": "1.0.0-beta4", "binds": binds, "capability": {"consumes": [api], "exposes": [server]}}
        file = folder / "a.yaml"
        file.write_text(json.dumps(document), encoding="utf-8")
        return file

    return write


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; no secret is ever in what it prints."""

    def run(*arguments: str) -> Ended:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        assert SECRETS["KEY"] not in out + err
        return Ended(int(caught.value.code or 0), out, err)

    return run


async def examined(file: Path) -> Examined:
    return await examine_with(file, Given(environ=SECRETS))


async def operation_of(file: Path) -> Operation:
    found = await examined(file)
    assert found.compiled is not None
    assert not found.has_errors, found.diagnostics
    (server,) = found.compiled.plan.servers
    (operation,) = server.operations
    return operation


async def call(file: Path, **inputs: Any) -> Outcome:
    operation = await operation_of(file)
    async with Runtime(ClientLimits(answer_s=5)) as runtime:
        return await runtime.invoke(operation, accept(operation, inputs), SilentCaller())


async def told(file: Path) -> list[tuple[str, str, str]]:
    usual = {"INP001"}
    return [
        (item.severity.value, item.code, item.message)
        for item in (await examined(file)).diagnostics
        if item.code not in usual
    ]


@pytest.fixture
async def echo(serve: "Serve") -> str:
    """An upstream that answers with what it was sent."""

    async def answer(request: web.Request) -> web.Response:
        kind = request.headers.get("Content-Type", "")
        text = (await request.read()).decode()
        body = parse_qs(text) if "form" in kind else json.loads(text or "null")
        return web.json_response({"target": request.raw_path, "headers": dict(request.headers), "body": body})

    return await serve(answer)


APIKEY = {"type": "apikey", "key": "api_key", "value": "{{env.KEY}}", "placement": "body"}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ({}, {"api_key": "s3cret-0123"}),
        ({"body": {"type": "json", "data": {"a": 1}}}, {"a": 1, "api_key": "s3cret-0123"}),
        ({"body": '{"a": 1}'}, {"a": 1, "api_key": "s3cret-0123"}),
        ({"body": {"type": "json", "data": {"api_key": "no"}}}, {"api_key": "s3cret-0123"}),
        (
            {"body": {"type": "formUrlEncoded", "data": {"a": "1"}}},
            {"a": ["1"], "api_key": ["s3cret-0123"]},
        ),
        (
            {
                "inputParameters": [
                    {"name": "ship", "in": "body", "type": "object", "value": {"a": 1}},
                    {"name": "api_key", "in": "body", "type": "string", "required": True},
                ]
            },
            {"ship": {"a": 1}, "api_key": "s3cret-0123"},
        ),
    ],
)
async def test_an_api_key_in_the_body_is_one_field_more(echo: str, write: Write, operation: Any, body: Any) -> None:
    outcome = await call(write(APIKEY, echo, method="POST", **operation))
    assert json.loads(outcome.body)["body"] == body


async def test_an_api_key_in_the_body_of_a_get_is_in_the_query(echo: str, write: Write) -> None:
    assert json.loads((await call(write(APIKEY, echo))).body)["target"] == "/ships?api_key=s3cret-0123"


async def test_a_body_that_has_no_fields_has_no_place_for_an_api_key(write: Write) -> None:
    file = write(APIKEY, method="POST", body={"type": "text", "data": "a"})
    assert ("error", "AUT003", "the API key cannot be placed in a body of type text") in await told(file)


async def test_a_caller_whose_body_is_no_object_is_told_so(echo: str, write: Write) -> None:
    parameter = {"name": "body", "in": "body", "type": "array", "required": True}
    with pytest.raises(Fault) as caught:
        await call(write(APIKEY, echo, method="POST", inputParameters=[parameter]), body=[1])
    assert caught.value.status == 400
    assert "must be an object" in caught.value.problems[0].message


async def test_what_a_scheme_fills_callers_are_not_asked_for(write: Write) -> None:
    block = {"type": "aws-sig-v4", "accessKeyId": "id", "secretKey": "{{env.KEY}}"}
    names = ("Authorization", "X-Amz-Date", "X-Other")
    parameters = [{"name": name, "in": "header", "required": True} for name in names]
    operation = await operation_of(write(block, inputParameters=parameters))
    assert [item.name for item in operation.inputs] == ["X-Other"]


async def test_a_signed_call_through_the_runtime_keeps_its_headers_and_query(echo: str, write: Write) -> None:
    block = {
        "type": "hmac",
        "secret": "{{env.KEY}}",
        "header": "X-Sign",
        "signs": "{target}",
        "value": "v1 {signature}",
    }
    parameters = [{"name": "q", "in": "query"}, {"name": "X-Other", "in": "header", "value": "yes"}]
    seen = json.loads((await call(write(block, echo, inputParameters=parameters), q="a b")).body)
    assert seen["target"] == "/ships?q=a%20b"
    assert seen["headers"]["X-Other"] == "yes"
    assert seen["headers"]["X-Sign"].startswith("v1 ")


STAND_INS = [
    ({"type": "bearer", "token": "{{env.KEY}}"}, "Authorization", "Bearer <KEY>"),
    (OAUTH2 | {"tokenEndpoint": "https://id.test/token"}, "Authorization", "Bearer <token from https://id.test/token>"),
    (OAUTH2 | {"authorizationServerUri": "https://id.test"}, "Authorization", "Bearer <token from https://id.test>"),
    (
        {"type": "digest", "username": "ada", "password": "{{env.KEY}}"},
        "Authorization",
        "Digest <the answer to the upstream's challenge>",
    ),
    (
        {"type": "oauth1", "consumerKey": "c", "consumerSecret": "{{env.KEY}}"},
        "Authorization",
        "OAuth <signed with HMAC-SHA1 when it is sent>",
    ),
    (
        {"type": "aws-sig-v4", "accessKeyId": "id", "secretKey": "{{env.KEY}}", "region": "r", "service": "s"},
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=id/<date>/r/s/aws4_request, <signed when it is sent>",
    ),
    ({"type": "hmac", "secret": "{{env.KEY}}"}, "X-Signature", "<signed when it is sent>"),
    (
        {"type": "hmac", "apiId": "{{env.USER}}", "apiKey": "{{env.KEY}}"},
        "Authorization",
        "VERACODE-HMAC-SHA-256 <signed when it is sent>",
    ),
]


@pytest.mark.parametrize(("block", "name", "value"), STAND_INS)
def test_a_dry_run_and_a_plan_show_stand_ins(
    *, write: Write, run: Run, monkeypatch: pytest.MonkeyPatch, block: Any, name: str, value: str
) -> None:
    for key, secret in SECRETS.items():
        monkeypatch.setenv(key, secret)
    file = str(write(block))
    dry = json.loads(run("call", file, "op", "--dry-run").out)
    assert dry["headers"] == {name: value}
    assert f"{name}: {value}" in run("plan", file).out


def test_a_certificate_shows_in_no_request(write: Write, run: Run, folder: Path) -> None:
    (folder / "client.pem").touch()
    file = str(write({"type": "certificate", "certificate": "client.pem"}))
    assert json.loads(run("call", file, "op", "--dry-run").out)["headers"] == {}


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"type": "bearer", "token": "{{env.EMPTY}}"}, "`token` is empty: nothing would be authenticated"),
        ({"type": "basic", "username": "a", "password": "{{env.EMPTY}}"}, "`password` is empty"),
        (OAUTH2 | {"clientSecret": "{{env.EMPTY}}", "tokenEndpoint": "https://id.test"}, "`clientSecret` is empty"),
        ({"type": "apikey", "headers": {"X-Key": "{{env.EMPTY}}"}}, "`X-Key` is empty or cannot be sent"),
        ({"type": "bearer", "token": "a\nb {{env.KEY}}"}, "`token` holds control characters and cannot be sent"),
    ],
)
async def test_a_secret_of_which_nothing_is_left_stops_the_document(write: Write, block: Any, message: str) -> None:
    errors = [item for item in await told(write(block)) if item[0] == "error"]
    assert [code for _severity, code, _message in errors] == ["AUT004"]
    assert errors[0][2].startswith(message)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (OAUTH2, ("error", "AUT002", "`oauth2` authentication needs `tokenEndpoint`")),
        (
            {"type": "oauth2", "authorizationServerUri": "https://id.test", "resource": "https://api.test"},
            ("error", "AUT002", "`oauth2` authentication needs `clientId`"),
        ),
        (OAUTH2 | {"tokenEndpoint": "/token"}, ("error", "AUT006", "`tokenEndpoint` is not an http or https URL")),
        (
            OAUTH2 | {"tokenEndpoint": "https://id.test", "grantType": "implicit"},
            ("error", "AUT005", "`grantType` of `oauth2` authentication cannot be `implicit`"),
        ),
        (
            OAUTH2 | {"tokenEndpoint": "https://id.test", "safetyMargin": -1},
            ("error", "AUT006", "`safetyMargin` cannot be negative"),
        ),
        (
            OAUTH2 | {"tokenEndpoint": "http://id.test/token"},
            ("warning", "SEC004", "the authorization server is asked over plain http: http://id.test/token"),
        ),
        (
            OAUTH2 | {"tokenEndpoint": "https://id.test", "clientSecret": "plain"},
            ("warning", "SEC001", "the clientSecret is written in the document, where everybody can read it"),
        ),
    ],
)
async def test_what_is_wrong_with_a_block_is_told(write: Write, block: Any, expected: tuple[str, str, str]) -> None:
    assert expected in await told(write(block))


async def test_keys_are_found_in_other_spellings_and_told(write: Write, compile_block: "CompileBlock") -> None:
    block = {"type": "oauth2", "client_id": "me", "ClientSecret": "{{env.KEY}}", "token_endpoint": "https://id.test/t"}
    file = write(block)
    assert {code for _severity, code, _message in await told(file)} == {"DOC012"}
    scheme = compile_block(block | {"ClientSecret": "{{KEY}}"}, SECRETS).credentials.scheme
    assert isinstance(scheme, OAuth2)
    assert (scheme.client_id, scheme.client_secret, scheme.endpoint) == ("me", SECRETS["KEY"], "https://id.test/t")


async def test_a_block_may_be_called_auth(echo: str, write: Write) -> None:
    file = write({"type": "bearer", "token": "{{env.KEY}}"}, echo)
    file.write_text(file.read_text(encoding="utf-8").replace('"authentication"', '"auth"'), encoding="utf-8")
    assert json.loads((await call(file)).body)["headers"]["Authorization"] == "Bearer s3cret-0123"


async def test_a_token_endpoint_on_this_machine_may_do_without_tls(write: Write) -> None:
    assert await told(write(OAUTH2 | {"tokenEndpoint": "http://127.0.0.1:1/token"})) == []


async def test_oauth2_with_a_token_of_its_own_is_bearer(echo: str, write: Write) -> None:
    outcome = await call(write({"type": "oauth2", "token": "{{env.KEY}}", "scopes": ["read"]}, echo))
    assert json.loads(outcome.body)["headers"]["Authorization"] == "Bearer s3cret-0123"


async def test_a_refused_token_is_a_fault_that_callers_understand(
    serve: "Serve", write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"error": "invalid_scope", "error_description": "no such s3cret-0123"}, status=400)

    url = await serve(refuse)
    with pytest.raises(Fault) as caught:
        await call(write(OAUTH2 | {"tokenEndpoint": f"{url}/token"}, "https://up.test"))
    fault = caught.value
    assert (fault.status, fault.kind) == (502, "upstream-auth")
    expected = "`up` gave no usable answer: its token endpoint refused: invalid_scope: no such ***"
    assert fault.detail == expected
    assert url in caplog.text
    assert "s3cret" not in caplog.text
    assert urlsplit(url).netloc not in fault.detail


async def test_a_runtime_that_ends_waits_for_no_token(serve: "Serve", write: Write) -> None:
    async def never(_request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        raise AssertionError

    operation = await operation_of(write(OAUTH2 | {"tokenEndpoint": await serve(never)}))
    async with Runtime(ClientLimits(answer_s=30)) as runtime:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(runtime.invoke(operation, {}, SilentCaller()), 0.1)


@pytest.mark.parametrize(
    "named",
    [
        {"key": "X Api Key", "value": "{{env.KEY}}"},
        {"key": "{{env.KEY}}", "header": "X-Api-Key:"},
        {"headers": {"X-Api-Key:": "{{env.KEY}}"}},
    ],
)
async def test_a_key_that_no_header_can_be_named_after_is_told(write: Write, named: Any) -> None:
    name = "X Api Key" if named.get("key") == "X Api Key" else "X-Api-Key:"
    file = write({"type": "apikey", **named})
    assert ("error", "AUT006", f"`{name}` is no name of a header") in await told(file)


def test_a_secret_that_stands_in_the_document_is_hidden_like_all_others(write: Write, run: Run) -> None:
    file = write({"type": "apikey", "key": "appid", "value": "written-out-1", "placement": "query"})
    for shown in (
        run("plan", str(file)),
        run("plan", "--format", "json", str(file)),
        run("call", str(file), "op", "--dry-run"),
    ):
        assert "written-out-1" not in shown.out
        assert "appid=<value>" in shown.out
    compiled = examine(file).compiled
    assert compiled is not None
    hide = Redactor(compiled.secrets).hide
    assert hide("https://up.test/ships?appid=written-out-1") == "https://up.test/ships?appid=<value>"


async def test_a_short_text_that_stands_in_the_document_is_no_secret_of_other_texts(write: Write) -> None:
    compiled = (await examined(write({"type": "bearer", "token": "ship"}))).compiled
    assert compiled is not None
    assert compiled.written == ()


def test_a_password_that_stands_in_the_document_is_hidden_in_the_header_as_well(write: Write, run: Run) -> None:
    file = write({"type": "basic", "username": "ada", "password": "written-out-1"})
    assert "Authorization: Basic <password>" in run("plan", str(file)).out
    assert '"Authorization": "Basic <password>"' in run("call", str(file), "op", "--dry-run").out
