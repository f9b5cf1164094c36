"""`capably export openapi`: the document that a REST server would show, without starting it."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.processes import CAPABLY

from capably.capabilities import THREADS_RUNS
from capably.cli import main
from capably.examine import examine
from capably.plan.openapi import openapi_document
from capably.plan.operation import Kind

REST = "aimlapi-threads-runs-rest"
TUTORIAL = Path(__file__).parents[2] / "shared" / "tutorial"


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Export = Callable[..., Ended]


@pytest.fixture
def export(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Export:
    """Runs `capably export openapi` with values in the environment that must not show."""
    monkeypatch.setenv("AIMLAPI_API_KEY", "hide-me-key")

    def export(*arguments: str | Path) -> Ended:
        with pytest.raises(SystemExit) as caught:
            main(["export", "openapi", *map(str, arguments)])
        out, err = capfd.readouterr()
        assert "hide-me" not in out + err
        assert "Traceback" not in err
        code = caught.value.code
        return Ended(code if isinstance(code, int) else int(code is not None), out, err)

    return export


def faults(document: Any) -> list[str]:
    return [problem.message for problem in OpenAPIV31SpecValidator(document).iter_errors()]


def test_yaml_goes_to_standard_output(export: Export) -> None:
    ended = export(THREADS_RUNS)
    assert (ended.code, ended.err) == (0, "")
    document = yaml.safe_load(ended.out)
    assert faults(document) == []
    compiled = examine(THREADS_RUNS).compiled
    assert compiled is not None
    (server,) = (each for each in compiled.plan.servers if each.kind is Kind.REST)
    assert document == openapi_document(server, f"http://{server.address or 'localhost'}:8080")


@pytest.mark.parametrize(
    ("arguments", "name", "is_json"),
    [
        (["--format", "json"], "-", True),
        ([], "told.json", True),
        ([], "told.yaml", False),
        (["--format", "json"], "told.txt", True),
        (["--format", "yaml"], "told.json", False),
    ],
)
def test_the_form_is_the_one_asked_for_else_the_files(
    export: Export, tmp_path: Path, arguments: list[str], name: str, *, is_json: bool
) -> None:
    output = name if name == "-" else str(tmp_path / name)
    ended = export(THREADS_RUNS, *arguments, "-o", output)
    text = ended.out if name == "-" else Path(output).read_text(encoding="utf-8")
    assert ended.code == 0
    assert text.startswith("{") is is_json
    assert text.endswith("\n")
    assert faults(yaml.safe_load(text)) == []
    if name != "-":
        assert (ended.out, f"wrote {output}" in ended.err) == ("", True)


def server(namespace: str, **more: Any) -> dict[str, Any]:
    operations = [{"method": "GET", "outputParameters": [{"name": "a", "value": "é"}]}]
    resources = [{"path": "/a", "operations": operations}]
    return {"type": "rest", "namespace": namespace, "port": 81, "resources": resources, **more}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(*servers: Any) -> Path:
        file = tmp_path / "served.json"
        file.write_text(json.dumps({"ikanos": "1.0.0-beta4", "capability": {"exposes": servers}}), encoding="utf-8")
        return file

    return write


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({}, "http://localhost:81"),
        ({"address": "0.0.0.0"}, "http://localhost:81"),  # noqa: S104
        ({"address": "::"}, "http://localhost:81"),
        ({"address": "::1"}, "http://[::1]:81"),
        ({"address": "fleet.example"}, "http://fleet.example:81"),
    ],
)
def test_the_server_is_where_it_listens(export: Export, write: Callable[..., Path], more: Any, url: str) -> None:
    document = yaml.safe_load(export(write(server("a", **more))).out)
    assert document["servers"] == [{"url": url}]
    document = yaml.safe_load(export(write(server("a", **more)), "--url", "https://api.test/fleet").out)
    assert document["servers"] == [{"url": "https://api.test/fleet"}]


def test_one_of_several_servers_is_named(export: Export, write: Callable[..., Path]) -> None:
    file = write(server("left"), server("right", port=82))
    assert "localhost:82" in export(file, "--server", "right").out
    ended = export(file)
    assert (ended.code, ended.out) == (2, "")
    assert re.search(r"has 2 REST servers\n.*name one: --server left \(or left, right\)", ended.err)
    ended = export(file, "--server", "rihgt")
    assert (ended.code, ended.out) == (2, "")
    assert re.search("no REST server `rihgt`\n.*did you mean `right`", ended.err)


def test_what_has_no_rest_server_is_told(export: Export, write: Callable[..., Path], tmp_path: Path) -> None:
    tool = {"name": "t", "description": "It.", "outputParameters": [{"name": "a", "value": 1}]}
    file = write({"type": "mcp", "namespace": "m", "port": 81, "tools": [tool]})
    ended = export(file)
    assert (ended.code, ended.out) == (1, "")
    assert "has no REST server that can be served" in ended.err
    ended = export(tmp_path / "absent.yaml")
    assert (ended.code, ended.out) == (1, "")


def test_errors_are_told_and_what_they_stand_in_is_left_out(
    export: Export, write: Callable[..., Path], tmp_path: Path
) -> None:
    broken = {"path": "/b", "operations": [{"method": "GET", "name": "b", "call": "none.such"}]}
    entry = server("a")
    entry["resources"].append(broken)
    output = tmp_path / "told.yaml"
    ended = export(write(entry), "-o", output)
    assert ended.code == 1
    assert "none.such" in ended.err
    assert list(yaml.safe_load(output.read_text(encoding="utf-8"))["paths"]) == ["/a"]


def test_a_file_that_cannot_be_written_is_told(export: Export, tmp_path: Path) -> None:
    ended = export(THREADS_RUNS, "-o", tmp_path / "absent" / "told.yaml")
    assert ended.code == 1
    assert re.search(r"told\.yaml cannot be written: No such file", ended.err)


def test_the_command_by_itself() -> None:
    command = [str(CAPABLY), "export", "openapi", str(THREADS_RUNS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert yaml.safe_load(done.stdout)["openapi"] == "3.1.1"


@pytest.mark.skipif(not TUTORIAL.is_dir(), reason="the tutorial's documents are somewhere else")
def test_every_rest_server_of_the_tutorial_is_a_valid_document(export: Export) -> None:
    seen = 0
    for file in sorted(TUTORIAL.rglob("*.y*ml")):
        compiled = examine(file).compiled
        for each in compiled.plan.servers if compiled is not None else ():
            if each.kind is Kind.REST and each.operations:
                assert faults(yaml.safe_load(export(file, "--server", each.namespace).out)) == []
                seen += 1
    assert seen > 0
