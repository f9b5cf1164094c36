"""docs/authorization.md: each of its examples loads as it stands."""

import re
from pathlib import Path

import pytest
import yaml

from capably.examine import examine
from capably.plan.gate import _SCHEMES

PAGE = (Path(__file__).parents[2] / "docs" / "authorization.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BLOCKS = [text for text in EXAMPLES if text.startswith("type:")]
DOCUMENT = """\
ikanos: 1.0.0-beta4
binds:
- namespace: env
  keys: {%s}
capability:
  exposes:
  - type: mcp
    namespace: fleet
    port: 1
    tools: [{name: t, outputParameters: [{type: string, value: x}]}]
    authentication:
%s"""


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "example.yaml"
    path.write_text(text, encoding="utf-8")
    examined = examine(path)
    assert examined.is_served
    return [f"{item.code} {item.message}" for item in examined.diagnostics]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_the_page_is_understood(tmp_path: Path, block: str) -> None:
    keys = ", ".join(f"{name}: {name}" for name in re.findall(r"\{\{env\.(\w+)\}\}", block))
    indented = "".join(f"      {line}\n" for line in block.splitlines())
    assert problems(tmp_path, DOCUMENT % (keys, indented)) == []


@pytest.mark.parametrize("text", [text for text in EXAMPLES if text not in BLOCKS])
def test_a_document_of_the_page_is_served(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == []


def test_every_scheme_is_on_the_page() -> None:
    assert {yaml.safe_load(text)["type"] for text in BLOCKS} == set(_SCHEMES)
