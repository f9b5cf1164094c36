"""The examples of docs/testing-documents.md are run as they stand."""

import re
from pathlib import Path

from tests.processes import typed

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
    for command, shown in COMMANDS:
        assert without_times(typed(command, tmp_path)) == without_times(shown)
