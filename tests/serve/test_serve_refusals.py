"""A start that cannot be: one error that says what to do, the right exit code, nothing left listening."""

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from tests.serve.conftest import Start

REST, MCP = "aimlapi-threads-runs-rest", "aimlapi-threads-runs-mcp"


@pytest.fixture
def copy(given: dict[str, Any], tmp_path: Path) -> Callable[..., Path]:
    """Writes a copy of the bundled document, changed."""

    def copy(name: str, **changes: str) -> Path:
        text = Path(given["arguments"][0]).read_text(encoding="utf-8")
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return copy


def test_one_error_names_every_missing_value_where_it_stands_and_how_to_give_it(start: "Start", document: Path) -> None:
    process = start("serve", document)
    assert process.end() == 2
    assert process.stdout == ""
    assert process.stderr.count("error") == 1
    lines = document.read_text(encoding="utf-8").splitlines()
    for kind, name, place, ways in (
        ("variable", "baseurl", "baseUri: http://{{baseurl}}", "baseurl or BASEURL, or with --set baseurl=VALUE"),
        ("secret", "AIMLAPI_API_KEY", "token: '{{env.AIMLAPI_API_KEY}}'", "with --set AIMLAPI_API_KEY=VALUE"),
    ):
        found = re.search(rf"{kind} `{name}` \({re.escape(str(document))}:(\d+):(\d+)\)", process.stderr)
        assert found is not None
        line, column = int(found[1]), int(found[2])
        assert lines[line - 1].strip() == place
        assert lines[line - 1][column - 1 :] == place.partition(": ")[2]
        assert ways in process.stderr


@pytest.mark.parametrize(
    ("options", "env"),
    [
        (["--set", "baseurl=x"], {"AIMLAPI_API_KEY": ""}),
        (["--set", "baseurl=x", "--set", "AIMLAPI_API_KEY="], {}),
        ([], {"AIMLAPI_API_KEY": "", "baseurl": "x"}),
    ],
)
def test_an_empty_secret_is_a_missing_one(
    start: "Start", given: dict[str, Any], options: list[str], env: dict[str, str]
) -> None:
    process = start("serve", given["arguments"][0], *options, env=env)
    assert process.end() == 2
    assert "error: a value is missing" in process.stderr
    assert "AIMLAPI_API_KEY" in process.stderr
    assert "baseurl" not in process.stderr


class Misuse(NamedTuple):
    """Options that cannot be meant, and the words that say so."""

    options: tuple[str, ...]
    words: tuple[str, ...]


@pytest.mark.parametrize(
    "row",
    [
        Misuse(("--set", "basurl=x"), ("--set basurl", "did you mean `baseurl`")),
        Misuse(("--set", "AIMLAPI_KEY=x"), ("--set AIMLAPI_KEY", "`AIMLAPI_API_KEY`")),
        Misuse(("--port", "aimlapi-threads-runs-rst=1"), ("no server", f"did you mean `{REST}`")),
        Misuse(("--port", "8081"), ("--port", "`8081` is not NAMESPACE=PORT")),
        Misuse(("--port", f"{REST}=x"), ("`x` is no port", f"--port {REST}=8080")),
        Misuse(("--port", f"{REST}=65536"), ("`65536` is no port",)),
        Misuse(("--port", f"{REST}=-1"), ("`-1` is no port",)),
        Misuse(("--upstream", "aimlapi-threads-run=http://x"), ("did you mean `aimlapi-threads-runs`",)),
        Misuse(
            ("--upstream", "aimlapi-threads-runs=localhost:1"), ("not an http or https URL", "--upstream NAMESPACE=")
        ),
        Misuse(("--upstream", "aimlapi-threads-runs=ftp://x/"), ("not an http or https URL",)),
        Misuse(("--set", "novalue"), ("--set", "this is not NAME=VALUE")),
        Misuse(("--timeout", "0"), ("--timeout",)),
        Misuse(("--timeout", "nan"), ("--timeout", "nan is not a number of seconds")),
        Misuse(("--timeout", "inf"), ("--timeout", "inf is not a number of seconds")),
        Misuse(("--prot", "x=1"), ("--prot", "--port")),
    ],
    ids=lambda row: " ".join(row.options),
)
def test_an_option_that_cannot_be_meant_is_explained(start: "Start", given: dict[str, Any], row: Misuse) -> None:
    process = start("serve", *given["arguments"], *row.options, env=given["env"])
    assert process.end() == 2
    assert process.stdout == ""
    for words in row.words:
        assert words in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("taken", [REST, MCP])
def test_a_port_in_use_names_the_server_and_the_option_that_moves_it_and_nothing_listens(
    start: "Start", given: dict[str, Any], free_port: Callable[[], int], taken: str
) -> None:
    other, free = (MCP if taken == REST else REST), free_port()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        options = ("--port", f"{taken}={port}", "--port", f"{other}={free}")
        process = start("serve", *given["arguments"], *options, env=given["env"])
        assert process.end() == 1
    kind = "rest" if taken == REST else "mcp"
    assert f"error: the {kind} server `{taken}` cannot listen on 127.0.0.1:{port}" in process.stderr
    assert f"--port {taken}=PORT" in process.stderr
    assert "KIND" not in process.stderr
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free), timeout=1)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_told(start: "Start", given: dict[str, Any], host: str) -> None:
    process = start("serve", *given["arguments"], "--host", host, env=given["env"])
    assert process.end() == 1
    assert f"cannot listen on {host}" in process.stderr
    assert "--host" in process.stderr or "--port" in process.stderr
    assert "Traceback" not in process.stderr


def test_servers_on_one_port_are_told_before_anything_starts(start: "Start", given: dict[str, Any]) -> None:
    same = ("--port", f"{REST}=8099", "--port", f"{MCP}=8099")
    process = start("serve", *given["arguments"], *same, env=given["env"])
    assert process.end() == 2
    assert f"`{MCP}` and `{REST}` both listen on 127.0.0.1:8099" in process.stderr
    assert f"--port {MCP}=PORT" in process.stderr


def test_namespaces_of_two_documents_that_clash_are_told_with_both_files(
    start: "Start", given: dict[str, Any], copy: Callable[..., Path]
) -> None:
    other = copy("other.yaml")
    process = start("serve", *given["arguments"], other, env=given["env"])
    assert process.end() == 2
    assert process.stderr.count("error:") == 1
    for namespace in (REST, MCP):
        assert f"both have a server `{namespace}`" in process.stderr
    assert str(other) in process.stderr
    assert str(given["arguments"][0]) in process.stderr
    assert "KIND" not in process.stderr


def test_ports_of_two_documents_that_clash_are_told_together(
    start: "Start", given: dict[str, Any], copy: Callable[..., Path]
) -> None:
    other = copy("other.yaml", **{"runs-rest": "other-rest", "runs-mcp": "other-mcp"})
    process = start("serve", given["arguments"][0], other, "--set", "baseurl=x", env=given["env"])
    assert process.end() == 2
    assert "127.0.0.1:8080" in process.stderr
    assert "127.0.0.1:9090" in process.stderr
    assert "--port aimlapi-threads-other-rest=PORT" in process.stderr


def test_a_file_that_is_named_twice_is_served_once(start: "Start", given: dict[str, Any]) -> None:
    process = start("serve", given["arguments"][0], *given["arguments"], env=given["env"], ready=True)
    assert len(re.findall("^(?:rest|mcp) ", process.stderr, re.MULTILINE)) == 2
    assert process.stop() == 0


WRONG = {"call: aimlapi-threads-runs.get": "call: aimlapi-threads-runs.gte"}


def test_the_errors_of_a_document_are_shown_where_they_stand(
    start: "Start", given: dict[str, Any], copy: Callable[..., Path]
) -> None:
    wrong = copy("wrong.yaml", **WRONG)
    process = start("serve", wrong, "--strict", env=given["env"])
    assert process.end() == 1
    found = re.search(r"^error\[[A-Z]{3}\d{3}\]: .*\n +--> (.*):(\d+):\d+\n", process.stderr, re.MULTILINE)
    assert found is not None
    assert found[1] == str(wrong)
    assert "gte" in wrong.read_text(encoding="utf-8").splitlines()[int(found[2]) - 1]
    assert "aimlapi-threads-runs.gte" in process.stderr
    assert "the document cannot be served" in process.stderr
    assert "missing" not in process.stderr


def test_an_error_leaves_its_operation_out_and_the_rest_is_served(
    start: "Start", given: dict[str, Any], copy: Callable[..., Path]
) -> None:
    process = start("serve", copy("wrong.yaml", **WRONG), *given["arguments"][1:], env=given["env"], ready=True)
    assert "error[REF001]: no operation `gte`" in process.stderr
    assert re.search(r"2 operations +http", process.stderr)
    assert process.served.call("POST", "/v1/threads/t1/runs", {}).status == 200
    assert process.served.call("GET", "/v1/threads/t1/runs").status == 405
    assert process.stop() == 0


@pytest.mark.parametrize("text", ["", "[]", "a: 1", "a: [", "naftiko: 9.9.9", "\x00", "a: 1\na: 2"])
def test_a_file_that_is_no_capability_document_is_refused(start: "Start", tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.yaml").write_text(text, encoding="utf-8")
    process = start("serve", "odd.yaml")
    assert process.end() == 1
    assert re.search(r"^error\[[A-Z]{3}\d{3}\]: ", process.stderr, re.MULTILINE)
    assert "odd.yaml:" in process.stderr
    assert "Traceback" not in process.stderr


def test_a_file_that_cannot_be_read_is_named(start: "Start") -> None:
    process = start("serve", "missing.yaml")
    assert process.end() == 1
    assert "--> missing.yaml:1:1" in process.stderr
    assert "cannot be read" in process.stderr


def test_a_folder_without_documents_is_told(start: "Start") -> None:
    process = start("serve", ".")
    assert process.end() == 2
    assert "error: . holds no capability document that exposes anything" in process.stderr


def test_serving_nothing_is_misuse(start: "Start") -> None:
    process = start("serve")
    assert process.end() == 2
    assert "FILE" in process.stderr
