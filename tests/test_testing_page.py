"""The examples of docs/testing-documents.md are run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs" / "testing-documents.md").read_text(encoding="utf-8")
FILES = re.findall(r"^`([a-z.]+)`[^\n]*:\n\n```yaml\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"```console\n\$ (.*?)\n(.*?)```", PAGE, re.DOTALL)


def without_times(text: str) -> str:
    return re.sub(r"[0-9.]+ s\b", "T s", text)


def test_the_commands_of_the_page_print_what_it_shows(tmp_path: Path) -> None:
    assert [name for name, _text in FILES] == ["fleet.case", "fleet.yaml"]
    assert len(COMMANDS) == 2
    for name, text in FILES:
        (tmp_path / name).write_text(text, encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command, shown in COMMANDS:
        done = subprocess.run(
            ["bash", "-c", command],  # noqa: S607 -- the page is written for a shell
            cwd=tmp_path,
            env={"PATH": path},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert without_times(done.stdout + done.stderr) == without_times(shown)
