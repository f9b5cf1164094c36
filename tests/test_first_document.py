"""The page for beginners is followed as it stands: files are saved, servers started, commands typed."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.processes import SHELL, typed
from tests.test_readme import steps

PAGE = (Path(__file__).parents[1] / "docs" / "first-document.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?:Save this as `([^`]+)`(?:(?!```).)*?)?^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PORTS = ("4010", "9090", "8080")


@dataclass
class Reader:
    """Somebody who does what the page says, at ports that are free."""

    folder: Path
    ports: dict[str, str]
    environ: dict[str, str]
    servers: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def at_free_ports(self, text: str) -> str:
        return re.sub("|".join(PORTS), lambda port: self.ports[port[0]], text)

    def save(self, name: str, text: str) -> None:
        (self.folder / name).write_text(self.at_free_ports(text), encoding="utf-8")

    def start(self, command: str) -> None:
        """In another terminal."""
        told = self.folder / f"server{len(self.servers)}"
        with told.open("w") as stderr:
            arguments = ["bash", "-c", f"exec {self.at_free_ports(command)}"]
            self.servers.append(
                subprocess.Popen(arguments, cwd=self.folder, env=self.environ, stderr=stderr, text=True)
            )
        deadline = time.monotonic() + 20
        while "ready" not in told.read_text():
            assert self.servers[-1].poll() is None, told.read_text()
            assert time.monotonic() < deadline, told.read_text()
            time.sleep(0.02)

    def type(self, command: str) -> str:
        """What a command prints."""
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.environ[name] = value
            return ""
        return typed(self.at_free_ports(command), self.folder, self.environ)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path, dict(zip(PORTS, free_ports(), strict=True)), dict(SHELL))
    yield reader
    for server in reader.servers:
        server.terminate()
        assert server.wait(20) == 0


def free_ports() -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def without_times(text: str) -> str:
    return re.sub(r"in [\d.]+ s$", "in a moment", text, flags=re.MULTILINE)


def test_the_page_for_beginners_works_as_it_stands(reader: Reader) -> None:
    for name, kind, text in BLOCKS:
        if name:
            reader.save(name, text)
        elif kind == "sh":
            reader.start(text.strip())
        else:
            for command, shown in steps(text):
                printed = reader.type(command)
                assert without_times(printed).rstrip("\n") == without_times(reader.at_free_ports(shown)).rstrip("\n")


def test_the_page_for_beginners_has_all_of_it() -> None:
    kinds = [kind for _name, kind, _text in BLOCKS]
    assert [name for name, _kind, _text in BLOCKS if name] == [
        "ships-api.yaml",
        "fleet.yaml",
        "fleet.yaml",
        "fleet.case",
    ]
    assert kinds.count("sh") == 2
    assert sum(len(steps(text)) for _name, kind, text in BLOCKS if kind == "console") == 9
