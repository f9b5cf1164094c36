"""`capably mock` as a process, and its page, which is run as it stands."""

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.asking import ask
from tests.processes import Capably

PAGE = (Path(__file__).parents[2] / "docs" / "mock.md").read_text(encoding="utf-8")
DOCUMENT = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
BLOCKS = re.findall(r"With `capably mock ([^`]*)`[^`]*```console\n(.*?)```", PAGE, re.DOTALL)


class Process(Capably):
    """A mock that runs."""

    @property
    def ports(self) -> list[int]:
        return [int(port) for port in re.findall(r"http://127\.0\.0\.1:(\d+)", self.stderr)]


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    (tmp_path / "ships.yaml").write_text(DOCUMENT, encoding="utf-8")
    processes: list[Process] = []

    def start(*arguments: str) -> Process:
        processes.append(Process.start(tmp_path, "mock", *arguments))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()


@pytest.mark.parametrize(("command", "block"), BLOCKS, ids=[command for command, _block in BLOCKS])
def test_the_page_shows_what_is_answered(start: Start, command: str, block: str) -> None:
    *arguments, _option, documented = re.sub(r"--port (\d+)(.*)", r"\2 --port \1", command).split()
    running = start(*arguments, "--port", "0").until("ready")
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _newline, shown = step.partition("\n")
        here = line.replace(f"127.0.0.1:{documented}", f"127.0.0.1:{running.ports[0]}")
        done = subprocess.run(["bash", "-c", here], capture_output=True, text=True, timeout=20, check=False)  # noqa: S607
        assert done.stdout.rstrip("\n") == shown.rstrip("\n")


def test_the_page_has_examples() -> None:
    assert len(BLOCKS) == 2


def test_a_mock_tells_where_it_is_and_stops_when_asked(start: Start) -> None:
    running = start("ships.yaml", "--port", "0").until("ready")
    assert running.stderr == (
        f"API    URL                        OFFERS\nShips  http://127.0.0.1:{running.ports[0]}/v1  3 operations\n"
        "ready; stop with Ctrl-C\n"
    )
    running.popen.send_signal(signal.SIGTERM)
    assert running.popen.wait(10) == 0
    assert running.stderr.endswith("stopping: open requests may end\n")


def test_requests_are_logged_without_colour_in_a_file(start: Start) -> None:
    running = start("ships.yaml", "--port", "0").until("ready")
    assert ask(running.ports[0], "GET", "/crew", headers={"Authorization": "Bearer secret-credential"}).status == 200
    assert ask(running.ports[0], "GET", "/v1/ships/%1B%5B31m?a=%1B%5B31m").status == 404
    running.until("404")
    log = re.sub(r"\d+\.\d ms", "- ms", running.stderr.partition("Ctrl-C\n")[2])
    assert log == (
        "GET /crew  200  made from the schema  - ms\n"
        "GET /v1/ships/%1B%5B31m?a=\\x1b[31m  404  absent  - ms\n"
        "  ! header Authorization: must be sent, with `Bearer` and a credential (security scheme `token`)\n"
        '  ! path imo: "\\u001b[31m" does not match "^IMO-[0-9]{7}$"\n'
    )


def test_several_files_have_a_server_each(start: Start, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(
        json.dumps({"openapi": "3.0.0", "info": {"title": "B", "version": "1"}, "paths": {"/b": {"get": {}}}}),
        encoding="utf-8",
    )
    running = start("ships.yaml", "b.json", "--port", "0").until("ready")
    first, second = running.ports
    asked = ((first, "/crew"), (second, "/b"), (second, "/crew"))
    assert [ask(port, "GET", path).status for port, path in asked] == [200, 200, 404]


def test_head_has_the_length_and_no_body(start: Start) -> None:
    running = start("ships.yaml", "--port", "0").until("ready")
    answer = ask(running.ports[0], "HEAD", "/crew")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("headers", [{"Host": "evil.test"}, {"Origin": "https://evil.test"}])
def test_web_pages_of_others_are_refused(start: Start, headers: dict[str, str]) -> None:
    running = start("ships.yaml", "--port", "0").until("ready")
    assert ask(running.ports[0], "GET", "/crew", headers=headers).status in {403, 421}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.yaml"], 1, "error[DOC001]: the file cannot be read: No such file or directory"),
        (["ships.yaml", "--expect", "tokn=a"], 2, ("error: --expect tokn: no document has a parameter or a security "
         "scheme of that name\n  = did you mean `token`?")),
        (["ships.yaml", "--expect", "token"], 2, "this is not NAME=VALUE"),
        (["ships.yaml", "--port", "70000"], 2, "70000 is not in the range"),
        (["ships.yaml", "--host", "192.0.2.1"], 1, "cannot listen on 192.0.2.1"),
        ([], 2, "Missing argument 'FILE...'"),
    ],
)  # fmt: skip
def test_a_start_that_cannot_be_is_told(start: Start, arguments: list[str], code: int, message: str) -> None:
    process = start(*arguments)
    assert process.popen.wait(20) == code
    assert message in process.stderr


def test_findings_are_shown_with_their_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "ships.yaml").write_text(DOCUMENT.replace("responses:", "respones:", 1), encoding="utf-8")
    running = start("ships.yaml", "--port", "0").until("ready")
    assert "warning[OAS005]: `respones` is no key of `get /ships/{imo}`\n  --> ships.yaml:16:7" in running.stderr
    assert "help: did you mean `responses`?" in running.stderr
