"""What the command line tells of a flow: its drawing, the trace of a run, and the requests that start first."""

import json
import re
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.upstreams import Quiet, answering

from capably.cli import main

SECRET = "sk-made-up-secret"
DOCUMENT = """ikanos: 1.0.0-beta5
capability:
  consumes:
    - namespace: up
      type: http
      baseUri: BASE
      authentication: {type: bearer, token: '{{UP_TOKEN}}'}
      resources:
        - {name: ships, path: "/ships/{imo}", operations: [{name: get-ship, method: GET}]}
        - {name: crew, path: /crew, operations: [{name: list-crew, method: GET}]}
  exposes:
    - type: mcp
      namespace: agent
      port: 9090
      tools:
        - name: ship-with-crew
          description: A ship and who sails it.
          inputParameters: [{name: imo, type: string, description: The ship.}]
          steps:
            - {name: ship, type: call, call: up.get-ship, with: {imo: tools.imo}}
            - {name: crew, type: call, call: up.list-crew}
            - name: sailors
              type: lookup
              index: crew
              match: id
              lookupValue: $.ship.crewIds
              outputParameters: [name]
          mappings:
            - {target: imo, value: $.ship.imo}
            - {target: crew, value: $.sailors}
"""

Run = Callable[..., tuple[int, str, str]]


class Ships(Quiet):
    """One ship and who sails it; every other ship is unknown."""

    def do_GET(self) -> None:
        found = {"/ships/7": {"imo": "7", "crewIds": ["c1"]}, "/crew": [{"id": "c1", "name": "Ada"}]}.get(self.path)
        self.tell(404, {"error": "no such ship"}) if found is None else self.tell(200, found)


@pytest.fixture
def base() -> Iterator[str]:
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Ships)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def run(base: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on the document; the secret never shows."""
    file = tmp_path / "ships.yaml"
    file.write_text(DOCUMENT.replace("BASE", base), encoding="utf-8")
    monkeypatch.setenv("UP_TOKEN", SECRET)

    def run(command: str, *arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([command, str(file), *arguments])
        out, err = capfd.readouterr()
        assert SECRET not in out + err
        return int(caught.value.code or 0), out.replace(base, "BASE"), err.replace(base, "BASE")

    return run


def test_the_plan_draws_steps_what_they_wait_for_and_what_runs_at_once(run: Run) -> None:
    code, out, _err = run("plan")
    assert code == 0
    drawing = """    runs   3 steps
       1 ┬ ship: call GET /ships/{imo}
         └ crew: call GET /crew
       2 ─ sailors: lookup  (after ship, crew)
"""
    assert drawing in out


def test_a_trace_tells_each_request_its_status_and_each_result(run: Run) -> None:
    code, out, err = run("call", "ship-with-crew", "imo=7", "--trace")
    assert (code, json.loads(out)) == (0, {"imo": "7", "crew": [{"name": "Ada"}]})
    lines = [re.sub(r"[\d.]+ ms$", "TIME", line) for line in err.splitlines()]
    assert "ship: GET BASE/ships/7  -> 200, 31 bytes  TIME" in lines
    assert "crew: GET BASE/crew  -> 200, 29 bytes  TIME" in lines
    assert lines.count("    > Authorization: <hidden>") == 2
    assert '    = {"imo": "7", "crewIds": ["c1"]}' in lines
    assert lines[-2:] == ["sailors: done", '    = [{"name": "Ada"}]']


def test_a_trace_names_the_step_an_upstream_refused(run: Run) -> None:
    code, out, err = run("call", "ship-with-crew", "imo=8", "--trace")
    assert (code, json.loads(out)) == (1, {"error": "no such ship"})
    assert "ship: failed: the upstream answered 404" in err
    assert "sailors" not in err


def test_a_dry_run_shows_the_requests_that_start_first(run: Run) -> None:
    code, out, err = run("call", "ship-with-crew", "imo=7", "--dry-run")
    assert (code, err) == (0, "these steps start first; what the others send depends on the answers\n")
    shown = json.loads(out)
    assert [shown["ship"]["url"], shown["crew"]["url"]] == ["BASE/ships/7", "BASE/crew"]
    assert shown["ship"]["headers"] == {"Authorization": "Bearer <UP_TOKEN>"}
