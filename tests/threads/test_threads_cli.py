import re
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from capably.cli.threads import threads

if TYPE_CHECKING:
    from tests.threads.conftest import Serve


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(threads, arguments)


def test_a_new_key_is_the_only_thing_on_stdout_and_opens_a_running_service(serve: "Serve") -> None:
    service = serve()
    made = _run("key", "create", "--data", str(service.data), "--name", "laptop")
    assert made.exit_code == 0
    key = made.stdout.strip()
    assert re.fullmatch(r"ck_[0-9a-f]{12}_[\w-]{43}", key)
    assert "Bearer" in made.stderr
    assert key not in made.stderr
    mine = {"Authorization": f"bearer {key}"}
    assert service.call("GET", "/assistants", headers=mine).status == 200


def test_a_revoked_key_stops_opening_the_running_service_at_once(serve: "Serve") -> None:
    service = serve()
    data = str(service.data)
    key = _run("key", "create", "--data", data).stdout.strip()
    mine = {"Authorization": f"Bearer {key}"}
    assert service.call("GET", "/assistants", headers=mine).status == 200
    assert _run("key", "revoke", key.split("_")[1], "--data", data).exit_code == 0
    assert service.call("GET", "/assistants", headers=mine).status == 401
    assert service.call("GET", "/assistants").status == 200
    again = _run("key", "revoke", key.split("_")[1], "--data", data)
    assert again.exit_code == 1
    assert "no live key" in again.stderr


def test_a_list_of_keys_shows_how_each_begins_and_no_more(tmp_path: Path) -> None:
    made = {name: _run("key", "create", "--data", str(tmp_path), "--name", name).stdout.strip() for name in ("a", "b")}
    _run("key", "revoke", made["a"].split("_")[1], "--data", str(tmp_path))
    lines = _run("key", "list", "--data", str(tmp_path)).stdout.splitlines()
    assert len(lines) == 2
    for name, state in (("a", "revoked"), ("b", "live")):
        (line,) = [line for line in lines if line.endswith(f" {name}")]
        assert state in line
        assert made[name][:16] in line
        assert made[name][16:] not in line


def test_a_key_is_not_in_the_data_directory(tmp_path: Path) -> None:
    key = _run("key", "create", "--data", str(tmp_path / "data")).stdout.strip()
    secret = key.split("_", 2)[2].encode()
    files = list((tmp_path / "data").iterdir())
    assert files
    assert not [file for file in files if secret in file.read_bytes()]


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX")
def test_only_the_owner_may_read_the_data(tmp_path: Path) -> None:
    _run("key", "create", "--data", str(tmp_path / "data"))
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "threads.db").stat().st_mode) == 0o600


def test_an_empty_list_says_how_to_make_a_key(tmp_path: Path) -> None:
    result = _run("key", "list", "--data", str(tmp_path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"capably threads key create --data {tmp_path}" in result.stderr


@pytest.fixture
def unusable(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "garbage").mkdir()
    (tmp_path / "garbage" / "threads.db").write_bytes(b"not a database" * 100)
    (tmp_path / "file").write_text("")
    return {"garbage": tmp_path / "garbage", "under a file": tmp_path / "file" / "data"}


@pytest.mark.parametrize("kind", ["garbage", "under a file"])
@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["key", "create"], ["key", "list"]])
def test_a_directory_that_cannot_be_used_is_named_in_one_sentence(
    unusable: dict[str, Path], kind: str, command: list[str]
) -> None:
    result = _run(*command, "--data", str(unusable[kind]))
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert str(unusable[kind]) in result.stderr


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    _run("key", "create", "--data", str(tmp_path))
    connection = sqlite3.connect(tmp_path / "threads.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    result = _run("key", "list", "--data", str(tmp_path))
    assert result.exit_code == 1
    assert "written by a newer version of capably (format 99" in result.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--port", "65536"], "'--port'"),
        (["--model-url", "ollama"], "must start with http:// or https://"),
        (["--model", "m"], "--model needs --model-url"),
        (["--data", __file__], "'--data'"),
        (["--prot", "1"], "--port"),
    ],
)
def test_a_misused_option_is_explained_with_exit_code_two(options: list[str], says: str) -> None:
    result = _run("serve", *options)
    assert result.exit_code == 2
    assert says in result.stderr


def test_missing_packages_are_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "capably.threads.service", None)
    monkeypatch.delitem(sys.modules, "capably.threads.server", raising=False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    result = _run("serve", "--port", "0", "--data", str(tmp_path))
    assert result.exit_code == 1
    assert "pip install 'capably[threads]'" in result.stderr


@pytest.mark.parametrize(
    "command", [[], ["serve"], ["key"], ["key", "create"], ["key", "list"], ["key", "revoke"]], ids=" ".join
)
def test_every_help_text_teaches(command: list[str]) -> None:
    result = _run(*command, "--help")
    assert result.exit_code == 0
    if command != ["key"]:
        assert "Example" in result.stdout
        assert "  capably threads " in result.stdout or "$(capably threads " in result.stdout


def test_the_commands_load_the_service_only_when_they_run() -> None:
    code = "import sys, capably.cli.threads; sys.exit(bool({'fastapi', 'sqlalchemy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
