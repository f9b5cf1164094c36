"""`capably serve --watch`, SIGHUP and folders, as somebody at a terminal has them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.asking import ask
from tests.processes import CAPABLY

from capably.settings import Settings
from capably.sources import Sources

if TYPE_CHECKING:
    from tests.serve.conftest import Process, Start


def server(namespace: str, number: int, **more: Any) -> dict[str, Any]:
    outputs = [{"name": "n", "type": "integer", "value": number}]
    operation = {"method": "GET", "name": "number", "outputParameters": outputs, **more}
    resources = [{"path": "/number", "operations": [operation]}]
    return {"type": "rest", "namespace": namespace, "port": 0, "resources": resources}


def write(file: Path, *servers: Any, **sections: Any) -> Path:
    """Put a document in the place of the last one, as editors do."""
    document = {"ikanos": "1.0.0-beta4", "capability": {"exposes": servers, **sections}}
    beside = file.with_name(f".{file.name}~")
    beside.write_text(json.dumps(document), encoding="utf-8")
    beside.replace(file)
    return file


def number(process: "Process", namespace: str) -> int:
    url = re.findall(rf"^rest +{namespace} +http://(\S+)", process.stderr, re.MULTILINE)[-1]
    return int(ask(url, "GET", "/number").json["n"])


def reloads(process: "Process", count: int) -> None:
    deadline = time.monotonic() + 20
    while len(re.findall(r"^(?:not )?reloaded", process.stderr, re.MULTILINE)) < count:
        assert process.popen.poll() is None, process.stderr
        assert time.monotonic() < deadline, process.stderr
        time.sleep(0.02)


def test_a_document_that_changes_is_reloaded_and_a_bad_one_is_told(tmp_path: Path, start: "Start") -> None:
    file = write(tmp_path / "one.yaml", server("one", 1))
    process = start("serve", file, "--watch", ready=True)
    write(file, server("one", 2))
    reloads(process, 1)
    assert number(process, "one") == 2
    assert "reloaded: generation 2; changed servers.one.operations.number\n" in process.stderr
    file.write_text("ikanos: [", encoding="utf-8")
    reloads(process, 2)
    assert "error[DOC002]" in process.stderr
    assert "not reloaded: the document cannot be served; generation 2 is served on\n" in process.stderr
    assert number(process, "one") == 2
    write(file, server("one", 3), server("two", 4))
    reloads(process, 3)
    assert "reloaded: generation 3; added servers.two; changed servers.one.operations.number\n" in process.stderr
    assert (number(process, "one"), number(process, "two")) == (3, 4)
    assert process.stop() == 0


def test_hanging_up_reloads(tmp_path: Path, start: "Start") -> None:
    file = write(tmp_path / "one.yaml", server("one", 1))
    process = start("serve", file, ready=True)
    write(file, server("one", 2))
    process.popen.send_signal(signal.SIGHUP)
    reloads(process, 1)
    assert number(process, "one") == 2
    process.popen.send_signal(signal.SIGHUP)
    process.until("nothing to reload: generation 2 is what the documents say")
    assert process.stop() == 0


def test_every_file_that_a_document_is_made_of_counts(tmp_path: Path, start: "Start") -> None:
    shared = tmp_path / "shared.yaml"
    consumed = {"type": "http", "namespace": "shared", "baseUri": "http://127.0.0.1:1", "resources": []}
    shared.write_text(json.dumps({"ikanos": "1.0.0-beta4", "consumes": [consumed]}), encoding="utf-8")
    sections: dict[str, Any] = {
        "consumes": [{"import": "shared", "from": "./shared.yaml"}],
        "binds": [{"namespace": "keys", "location": "file:///./keys.env", "keys": {"TOKEN": "TOKEN"}}],
    }
    keys = tmp_path / "keys.env"
    keys.write_text("TOKEN=one", encoding="utf-8")
    gate = {"authentication": {"type": "bearer", "token": "{{TOKEN}}"}}
    file = write(tmp_path / "one.yaml", {**server("one", 1), **gate}, **sections)
    process = start("serve", file, "--watch", ready=True)
    keys.write_text("TOKEN=another", encoding="utf-8")
    reloads(process, 1)
    assert "reloaded: generation 2; changed servers.one.authentication\n" in process.stderr
    shared.write_text(shared.read_text(encoding="utf-8").replace(":1", ":2"), encoding="utf-8")
    reloads(process, 2)
    assert "reloaded: generation 3; nothing that callers see has changed\n" in process.stderr  # nobody calls it
    assert "another" not in process.stderr
    assert process.stop() == 0


def test_documents_of_a_folder_come_and_go(tmp_path: Path, start: "Start") -> None:
    folder = tmp_path / "capabilities"
    (folder / "below" / ".hidden").mkdir(parents=True)
    write(folder / "one.yaml", server("one", 1))
    write(folder / "below" / "two.yml", server("two", 2))
    write(folder / "below" / ".hidden" / "three.yaml", server("three", 3))
    (folder / "compose.yaml").write_text("services: {}", encoding="utf-8")
    (folder / "shared.yaml").write_text("ikanos: 1.0.0-beta4\nconsumes: []\n", encoding="utf-8")
    process = start("serve", folder, "--watch", ready=True)
    assert "three" not in process.stderr
    assert (number(process, "one"), number(process, "two")) == (1, 2)
    write(folder / "four.yaml", server("four", 4))
    reloads(process, 1)
    assert number(process, "four") == 4
    (folder / "one.yaml").unlink()
    reloads(process, 2)
    assert "reloaded: generation 3; removed servers.one\n" in process.stderr
    (folder / "four.yaml").write_text("", encoding="utf-8")  # as an editor may leave it for a moment
    reloads(process, 3)
    assert "not reloaded: the document cannot be served; generation 3 is served on\n" in process.stderr
    assert number(process, "four") == 4
    assert process.stop() == 0


def test_servers_that_another_document_imports_are_served_there(tmp_path: Path, start: "Start") -> None:
    write(tmp_path / "shared.yaml", server("shared", 1))
    entry = {"import": "shared", "from": "./shared.yaml"}
    write(tmp_path / "main.yaml", entry, server("own", 2))
    process = start("serve", tmp_path, ready=True)
    assert (number(process, "shared"), number(process, "own")) == (1, 2)
    assert process.stop() == 0


def test_a_folder_without_documents_is_told(tmp_path: Path, start: "Start") -> None:
    (tmp_path / "empty").mkdir()
    process = start("serve", tmp_path / "empty")
    assert process.end() == 2
    assert "empty holds no capability document that exposes anything" in process.stderr


def test_a_file_named_twice_is_served_once(tmp_path: Path) -> None:
    file = write(tmp_path / "one.yaml", server("one", 1))
    files, _settings = Sources([tmp_path, file, tmp_path], Settings)()
    assert files == [file]


def test_a_terminal_that_goes_away_ends_the_command(tmp_path: Path, start: "Start") -> None:
    import pty  # noqa: PLC0415 -- not on Windows

    file = write(tmp_path / "one.yaml", server("one", 1))
    master, slave = pty.openpty()
    with (tmp_path / "err").open("wb") as err:
        command = [str(CAPABLY), "serve", str(file)]
        popen = subprocess.Popen(command, stdin=slave, stdout=err, stderr=err, start_new_session=True)
    os.close(slave)
    try:
        deadline = time.monotonic() + 20
        while b"ready" not in (tmp_path / "err").read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        popen.send_signal(signal.SIGHUP)
        while b"nothing to reload" not in (tmp_path / "err").read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.close(master)  # the terminal is gone
        popen.send_signal(signal.SIGHUP)
        assert popen.wait(20) == 0
    finally:
        popen.kill()
        popen.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not spread connections over workers")
def test_hanging_up_reloads_every_worker_behind_one_address(tmp_path: Path, start: "Start") -> None:
    file = write(tmp_path / "one.yaml", server("one", 1))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = start("serve", file, "--workers", "2", "--listen", str(port), ready=True)
    assert f"http://127.0.0.1:{port}/one" in process.stderr

    def said() -> set[int]:
        """Each connection may meet another worker."""
        return {int(ask(port, "GET", "/one/number").json["n"]) for _ in range(16)}

    assert said() == {1}
    write(file, server("one", 2))
    process.popen.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while said() != {2}:
        assert time.monotonic() < deadline, process.stderr
    assert process.stderr.count("reloaded: generation 2") == 1, "one worker tells for all"
    assert process.stop() == 0
