"""`capably plan`: what each operation will do, for people and for programs, without any value or secret."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from capably.capabilities import THREADS_RUNS
from capably.cli import main

REST, MCP, API = "aimlapi-threads-runs-rest", "aimlapi-threads-runs-mcp", "aimlapi-threads-runs"
BASE = "http://<baseurl>"
BEARER = {"Authorization": "Bearer <AIMLAPI_API_KEY>"}


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Plan = Callable[..., Ended]


@pytest.fixture
def plan(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Runs `capably plan` with values in the environment that must not show."""
    monkeypatch.setenv("AIMLAPI_API_KEY", "hide-me-key")
    monkeypatch.setenv("baseurl", "hide-me.example")

    def plan(*arguments: str | Path) -> Ended:
        with pytest.raises(SystemExit) as caught:
            main(["plan", *map(str, arguments)])
        out, err = capfd.readouterr()
        assert "hide-me" not in out + err
        assert "Traceback" not in err
        code = caught.value.code
        return Ended(code if isinstance(code, int) else int(code is not None), out, err)

    return plan


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A document with one error: it calls an operation that does not exist."""
    text = THREADS_RUNS.read_text(encoding="utf-8")
    file = tmp_path / "wrong.yaml"
    file.write_text(text.replace("call: aimlapi-threads-runs.get", "call: aimlapi-threads-runs.gte"), encoding="utf-8")
    return file


class Way(NamedTuple):
    """One exposed operation of the threads capability, as its plan has to tell it."""

    server: str
    name: str
    path: str | None
    method: str
    resource: str
    inputs: tuple[str, ...]


LIST, ONE = "threads-threadId-runs", "threads-threadId-runs-runId"
WAYS = [
    Way("rest", "get", "/v1/threads/{threadid}/runs", "GET", LIST, ("threadId",)),
    Way("rest", "post", "/v1/threads/{threadid}/runs", "POST", LIST, ("threadId", "body")),
    Way("rest", "post", "/v1/threads/{threadid}/runs/{runid}", "POST", ONE, ("threadId", "runId", "body")),
    Way("rest", "get", "/v1/threads/{threadid}/runs/{runid}", "GET", ONE, ("threadId", "runId")),
    Way("mcp", "aimlapi-get-runs", None, "GET", LIST, ("threadId",)),
    Way("mcp", "aimlapi-create-run", None, "POST", LIST, ("threadId", "body")),
    Way("mcp", "aimlapi-update-run", None, "POST", ONE, ("threadId", "runId", "body")),
    Way("mcp", "aimlapi-get-run", None, "GET", ONE, ("threadId", "runId")),
]


@pytest.mark.parametrize("at", range(8), ids=lambda at: f"{WAYS[at].server} {WAYS[at].name}")
def test_each_operation_is_told_with_its_target_inputs_and_an_example(plan: Plan, document: Path, at: int) -> None:
    ended = plan("--format", "json", document)
    assert ended.code == 0
    (told,) = ended.lines
    assert len(told["operations"]) == 8
    operation, way = told["operations"][at], WAYS[at]
    is_rest, end = way.server == "rest", "/{runId}" if way.resource == ONE else ""
    assert (operation["server"], operation["namespace"]) == (way.server, REST if is_rest else MCP)
    assert (operation["name"], operation["path"]) == (way.name, way.path)
    assert operation["method"] == (way.method if is_rest else None)
    assert operation["target"] == {
        "namespace": API,
        "resource": way.resource,
        "operation": way.method.lower(),
        "method": way.method,
        "path": f"/threads/{{threadId}}/runs{end}",
    }
    assert operation["decided_by"]
    assert [item["name"] for item in operation["inputs"]] == list(way.inputs)
    for item in operation["inputs"]:
        is_body = item["name"] == "body"
        place = "argument" if not is_rest else "body" if is_body else "path"
        assert (item["in"], item["type"], item["required"]) == (
            (place, "object", False) if is_body else (place, "string", True)
        )
        assert item["from"]
    example = operation["example"]
    assert example["method"] == way.method
    assert example["url"] == f"{BASE}/threads/threadId-1/runs{'/runId-1' if end else ''}"
    has_body = "body" in way.inputs
    assert example["headers"] == BEARER | ({"Content-Type": "application/json"} if has_body else {})
    assert isinstance(example["body"], dict) if has_body else example["body"] is None


def test_a_document_is_one_line_with_its_file_servers_and_diagnostics(plan: Plan, document: Path) -> None:
    (told,) = plan("--format", "json", document).lines
    assert told["file"] == str(document)
    servers = [(item["server"], item["namespace"], item["address"], item["port"]) for item in told["servers"]]
    assert servers == [("rest", REST, "127.0.0.1", 8080), ("mcp", MCP, "127.0.0.1", 9090)]
    assert told["upstreams"] == {API: BASE}
    assert told["errors"] == 0
    assert told["warnings"] == len(told["diagnostics"]) > 0
    for item in told["diagnostics"]:
        assert {"code", "severity", "message", "file", "line", "column"} <= set(item)
        assert item["file"] == str(document)


def test_several_files_and_directories_are_a_line_each(plan: Plan, tmp_path: Path, wrong: Path) -> None:
    below = tmp_path / "more" / "deep"
    below.mkdir(parents=True)
    (below / "b.yaml").write_bytes(THREADS_RUNS.read_bytes())
    (below / "a.yml").write_bytes(THREADS_RUNS.read_bytes())
    (below / "notes.txt").write_text("no document")
    ended = plan("--format", "json", wrong, tmp_path / "more", THREADS_RUNS, wrong)
    assert ended.code == 1
    files = [told["file"] for told in ended.lines]
    assert files == [str(wrong), str(below / "a.yml"), str(below / "b.yaml"), str(THREADS_RUNS)]
    assert [told["errors"] > 0 for told in ended.lines] == [True, False, False, False]
    assert ended.err == ""


def test_a_document_with_errors_tells_them_in_its_line(plan: Plan, wrong: Path) -> None:
    ended = plan("--format", "json", wrong)
    assert ended.code == 1
    (told,) = ended.lines
    errors = [item for item in told["diagnostics"] if item["severity"] == "error"]
    assert errors
    assert all("gte" in item["message"] for item in errors)
    calls = [operation["target"]["operation"] for operation in told["operations"]]
    assert "post" in calls, "what can be told is told"


@pytest.mark.parametrize("text", ["", "just text", "a: [", "naftiko: 0.1"])
def test_what_is_no_capability_document_still_has_its_line(plan: Plan, tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(text)
    ended = plan("--format", "json", file)
    assert ended.code == 1
    (told,) = ended.lines
    assert (told["file"], told["operations"]) == (str(file), [])
    assert told["errors"] >= 1


TEXT = """
rest aimlapi-threads-runs-rest on 127.0.0.1:8080, 4 operations
  GET /v1/threads/{threadid}/runs
    calls  GET /threads/{threadId}/runs  (aimlapi-threads-runs.threads-threadId-runs.get, decided by with)
    input  threadId: string, required, in path, known from route
    sends  GET http://<baseurl>/threads/threadId-1/runs
           Authorization: Bearer <AIMLAPI_API_KEY>
  POST /v1/threads/{threadid}/runs
    calls  POST /threads/{threadId}/runs  (aimlapi-threads-runs.threads-threadId-runs.post, decided by with)
    input  threadId: string, required, in path, known from route
    input  body: object, optional, in body, known from with
    sends  POST http://<baseurl>/threads/threadId-1/runs
           Authorization: Bearer <AIMLAPI_API_KEY>
           Content-Type: application/json
           {"key": "value"}
"""


def test_the_text_tells_people_the_same(plan: Plan) -> None:
    ended = plan(THREADS_RUNS)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(
        f"AIMLAPI Threads > Runs  ({THREADS_RUNS})\nlanguage 1.0.0-alpha2\nupstream {API}: {BASE}\n"
    )
    assert TEXT in ended.out
    assert f"mcp {MCP} on 127.0.0.1:9090, 4 operations" in ended.out
    for way in WAYS:
        assert f"\n  {way.name if way.path is None else f'{way.method} {way.path}'}\n" in ended.out
    assert "\x1b" not in ended.out


def test_the_text_of_a_document_with_errors_shows_them_on_stderr(plan: Plan, wrong: Path) -> None:
    ended = plan(wrong, THREADS_RUNS)
    assert ended.code == 1
    assert f"--> {wrong}:" in ended.err
    assert "gte" in ended.err
    assert f"({THREADS_RUNS})" in ended.out


def test_a_file_that_is_not_there_is_named(plan: Plan, tmp_path: Path) -> None:
    ended = plan(tmp_path / "none.yaml")
    assert ended.code == 1
    assert "none.yaml" in ended.err


@pytest.mark.parametrize("arguments", [[], ["--format", "xml", str(THREADS_RUNS)], ["--set", "a=b", str(THREADS_RUNS)]])
def test_what_cannot_be_meant_is_misuse(plan: Plan, arguments: list[str]) -> None:
    ended = plan(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err


def test_a_directory_without_documents_is_misuse(plan: Plan, tmp_path: Path) -> None:
    ended = plan(tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert f"{tmp_path} holds no YAML or JSON file" in ended.err
