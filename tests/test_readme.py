"""The README's examples are run as they stand."""

import re
import shutil
from pathlib import Path

import pytest
from tests.processes import typed

from capably.capabilities import THREADS_RUNS

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def steps(block: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output that is shown for it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


@pytest.mark.parametrize("block", BLOCKS, ids=[steps(block)[-1][0][:40] for block in BLOCKS])
def test_an_example_of_the_readme_prints_what_the_readme_shows(block: str, tmp_path: Path) -> None:
    shutil.copy(THREADS_RUNS, tmp_path / "threads-runs.yaml")
    for command, shown in steps(block):
        assert typed(command, tmp_path) == shown


def test_the_readme_has_examples() -> None:
    assert len(BLOCKS) >= 4
