"""`capably call`: one operation from the command line, its answer on stdout, everything else on stderr."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from capably.capabilities import THREADS_RUNS
from capably.cli import main

if TYPE_CHECKING:
    from tests.conftest import Upstream

GET, POST = "GET /v1/threads/{threadid}/runs", "POST /v1/threads/{threadid}/runs"
UPDATE = "POST /v1/threads/{threadid}/runs/{runid}"


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, key: str) -> Call:
    """Runs `capably call` on the bundled document without any environment; the key never shows."""
    for name in ("AIMLAPI_API_KEY", "baseurl", "BASEURL"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, file: Path = THREADS_RUNS) -> Ended:
        with pytest.raises(SystemExit) as caught:
            main(["call", str(file), *arguments])
        out, err = capfd.readouterr()
        assert key not in out + err
        assert "Traceback" not in err
        code = caught.value.code
        return Ended(code if isinstance(code, int) else int(code is not None), out, err)

    return run


@pytest.fixture
def call(run: Call, monkeypatch: pytest.MonkeyPatch, upstream: "Upstream", key: str) -> Call:
    """Runs `capably call` with the key in the environment and the upstream as base."""
    monkeypatch.setenv("AIMLAPI_API_KEY", key)
    monkeypatch.setenv("BASEURL", upstream.address)
    return run


class Good(NamedTuple):
    """Arguments, and the upstream request they make."""

    arguments: tuple[str, ...]
    method: str
    target: str
    body: Any = None


CALLS = [
    Good(("aimlapi-get-runs", "threadId=t1"), "GET", "/threads/t1/runs"),
    Good((GET, "threadId=t/1 é"), "GET", "/threads/t%2F1%20%C3%A9/runs"),
    Good(("aimlapi-get-run", "threadId=t1", "runId=a=b"), "GET", "/threads/t1/runs/a%3Db"),
    Good(("aimlapi-threads-runs-mcp.aimlapi-get-runs", "threadId=007"), "GET", "/threads/007/runs"),
    Good(("aimlapi-create-run", "threadId=t1"), "POST", "/threads/t1/runs"),
    Good((POST, "threadId=t1", 'body={"a": [1, "é"]}'), "POST", "/threads/t1/runs", {"a": [1, "é"]}),
    Good((UPDATE, "--json", '{"threadId": "t", "runId": "r", "body": {}}'), "POST", "/threads/t/runs/r", {}),
    Good((POST, "threadId=a", "--json", '{"threadId": "t", "body": {"b": 1}}'), "POST", "/threads/a/runs", {"b": 1}),
]


@pytest.mark.parametrize("row", CALLS, ids=lambda row: " ".join(row.arguments)[:40])
def test_an_operation_is_called_by_any_of_its_names(call: Call, upstream: "Upstream", key: str, row: Good) -> None:
    ended = call(*row.arguments)
    assert (ended.code, json.loads(ended.out)) == (0, {"ok": True})
    seen = upstream.only
    assert (seen.method, seen.target, json.loads(seen.body or b"null")) == (row.method, row.target, row.body)
    assert seen.header("authorization") == f"Bearer {key}"


def test_the_answer_is_indented_json_and_nothing_else(call: Call, upstream: "Upstream") -> None:
    upstream.answer(201, '{"data": [{"id":"run_é"}]}'.encode())
    ended = call("aimlapi-get-runs", "threadId=t1")
    assert ended == (0, '{\n  "data": [\n    {\n      "id": "run_é"\n    }\n  ]\n}\n', "")


@pytest.mark.parametrize("body", [b"plain text\n", b'{"broken": '])
def test_an_answer_that_is_no_json_is_printed_as_it_is(call: Call, upstream: "Upstream", body: bytes) -> None:
    upstream.answer(200, body)
    assert call("aimlapi-get-runs", "threadId=t1") == (0, body.decode(), "")


def test_an_answer_without_content_prints_nothing(call: Call, upstream: "Upstream") -> None:
    upstream.answer(204)
    assert call("aimlapi-get-runs", "threadId=t1") == (0, "", "")


def test_a_stream_is_printed_as_it_comes(call: Call, upstream: "Upstream") -> None:
    upstream.answer(200, b"data: 1\n\ndata: 2\n\n", {"Content-Type": "text/event-stream"})
    assert call("aimlapi-create-run", "threadId=t1", 'body={"stream": true}').out == "data: 1\n\ndata: 2\n\n"


def test_a_stream_that_breaks_off_is_told(call: Call, upstream: "Upstream") -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    upstream.play(head + b"9\r\ndata: 1\n\n\r\n", close=True)
    ended = call("aimlapi-create-run", "threadId=t1", 'body={"stream": true}')
    assert (ended.code, ended.out) == (1, "data: 1\n\n")
    assert "broke off" in ended.err


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_a_refusal_prints_its_answer_and_the_exit_code_is_one(call: Call, upstream: "Upstream", status: int) -> None:
    upstream.answer(status, {"error": {"message": "No"}})
    ended = call("aimlapi-get-runs", "threadId=t1")
    assert (ended.code, json.loads(ended.out)) == (1, {"error": {"message": "No"}})
    assert str(status) in ended.err


def test_an_upstream_that_is_not_there_is_told(call: Call, free_port: Callable[[], int]) -> None:
    ended = call("aimlapi-get-runs", "threadId=t1", "--set", f"baseurl=127.0.0.1:{free_port()}")
    assert (ended.code, ended.out) == (1, "")
    assert "error: The upstream cannot be reached" in ended.err
    assert "check that it runs" in ended.err


def test_upstream_replaces_the_base_uri(run: Call, upstream: "Upstream") -> None:
    options = ("--upstream", f"aimlapi-threads-runs=http://{upstream.address}/api", "--set", "AIMLAPI_API_KEY=k")
    assert run("aimlapi-get-runs", "threadId=t1", *options).code == 0
    assert upstream.only.target == "/api/threads/t1/runs"


@pytest.mark.parametrize("environment", [{}, {"AIMLAPI_API_KEY": "hide-me", "BASEURL": "hide-me.example"}])
def test_a_dry_run_prints_the_request_without_secrets_and_needs_none(
    run: Call, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ended = run("aimlapi-create-run", "threadId=t/1", 'body={"a": "é"}', "--dry-run")
    assert (ended.code, ended.err) == (0, "")
    assert "hide-me" not in ended.out
    assert json.loads(ended.out) == {
        "method": "POST",
        "url": "http://<baseurl>/threads/t%2F1/runs",
        "headers": {"Authorization": "Bearer <AIMLAPI_API_KEY>", "Content-Type": "application/json"},
        "body": {"a": "é"},
    }


def test_a_dry_run_calls_nothing(call: Call, upstream: "Upstream") -> None:
    assert call("aimlapi-get-runs", "threadId=t1", "--dry-run").code == 0
    assert upstream.requests == []


class Misuse(NamedTuple):
    """Arguments that cannot be meant, and words of the error."""

    arguments: tuple[str, ...]
    words: tuple[str, ...]


MISUSES = [
    Misuse(("aimlapi-get-rns",), ("no operation `aimlapi-get-rns`", "did you mean `aimlapi-get-runs`")),
    Misuse(("GET /v1/threads/{threadId}/runs",), (f"`{GET}`",)),
    Misuse(("get",), ("`get` is the name of 2 operations", f"'{GET}'", f"'{GET}/{{runid}}'")),
    Misuse(("aimlapi-threads-runs-rest.post",), ("is the name of 2 operations", f"'{POST}'", f"'{UPDATE}'")),
    Misuse(("aimlapi-get-run", "threadId=t", "runid=r"), ("no input `runid`", "did you mean `runId`")),
    Misuse(("aimlapi-get-run", "threadId=t"), ("`runId` is required: give a string",)),
    Misuse(("aimlapi-get-run",), ("`threadId` is required", "`runId` is required")),
    Misuse(("aimlapi-get-run", "threadId=t", "runId="), ("`runId`", "empty")),
    Misuse(("aimlapi-get-run", "threadId=t", "runId=.."), ("`runId` must not be `..`",)),
    Misuse(("aimlapi-get-run", "threadId"), ("`threadId` is not KEY=VALUE",)),
    Misuse(("aimlapi-create-run", "threadId=t", "body=text"), ("`body` must be an object, not the string `text`",)),
    Misuse(("aimlapi-create-run", "threadId=t", "body=[1]"), ("`body` must be an object, not a list",)),
    Misuse(("aimlapi-create-run", "--json", '{"threadId": '), ("--json is not valid JSON", "line 1 column 14")),
    Misuse(("aimlapi-create-run", "--json", "[1]"), ("--json must be an object of inputs",)),
    Misuse(("aimlapi-create-run", "--json", '{"threadId": 5}'), ("`threadId` must be a string, not 5",)),
    Misuse(("aimlapi-get-runs", "threadId=t", "--set", "basurl=x"), ("--set basurl", "did you mean `baseurl`")),
    Misuse(("aimlapi-get-runs", "threadId=t", "--upstream", "api=http://x"), ("`aimlapi-threads-runs`",)),
    Misuse((), ("NAME",)),
]


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)], ids=["", "dry"])
@pytest.mark.parametrize("row", MISUSES, ids=lambda row: " ".join(row.arguments)[:50])
def test_what_cannot_be_meant_is_explained_and_calls_nothing(
    call: Call, upstream: "Upstream", row: Misuse, dry_run: tuple[str, ...]
) -> None:
    ended = call(*row.arguments, *dry_run)
    assert (ended.code, ended.out) == (2, "")
    for words in row.words:
        assert words in ended.err
    assert upstream.requests == []


def test_missing_values_are_told_as_serve_tells_them(run: Call) -> None:
    ended = run("aimlapi-get-runs", "threadId=t1")
    assert (ended.code, ended.out) == (2, "")
    assert "error: 2 values are missing" in ended.err
    assert f"secret `AIMLAPI_API_KEY` ({THREADS_RUNS}:" in ended.err


def test_a_document_with_errors_is_shown_and_not_called(run: Call, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    text = THREADS_RUNS.read_text(encoding="utf-8")
    wrong.write_text(text.replace("call: aimlapi-threads-runs.get", "call: aimlapi-threads-runs.gte"), encoding="utf-8")
    ended = run("aimlapi-get-runs", "threadId=t1", file=wrong)
    assert (ended.code, ended.out) == (1, "")
    assert f"--> {wrong}:" in ended.err
    assert "`aimlapi-get-runs` cannot be called" in ended.err


def test_a_file_that_is_not_there_is_named(run: Call, tmp_path: Path) -> None:
    ended = run("aimlapi-get-runs", file=tmp_path / "none.yaml")
    assert (ended.code, ended.out) == (1, "")
    assert "none.yaml" in ended.err
