"""docs/authentication.md: each of its examples loads as it stands."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from capably.upstream.auth.table import ALIASES, NAMES, SCHEMES

if TYPE_CHECKING:
    from tests.auth.conftest import CompileBlock

PAGE = (Path(__file__).parents[2] / "docs" / "authentication.md").read_text(encoding="utf-8")
BLOCKS = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith("type:")]


@pytest.mark.parametrize("text", BLOCKS)
def test_an_example_needs_nothing_but_its_variables(compile_block: "CompileBlock", text: str, folder: Path) -> None:
    block = yaml.safe_load(re.sub(r"\{\{env\.(\w+)\}\}", r"{{\1}}", text))
    (folder / "tls").mkdir()
    for name in ("client.pem", "client.key", "authority.pem"):
        (folder / "tls" / name).touch()
    compiled = compile_block(block, None, str(folder / "a.yaml"))
    assert compiled.told == []
    assert compiled.credentials.scheme is not None or compiled.credentials.headers


def test_every_scheme_has_its_part_of_the_page() -> None:
    headings = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert sorted(headings) == sorted(NAMES)
    assert {yaml.safe_load(text)["type"] for text in BLOCKS} == set(NAMES)


def test_every_alias_leads_to_a_scheme() -> None:
    assert set(ALIASES.values()) <= set(SCHEMES)
