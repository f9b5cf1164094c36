"""What versions before 1.0.0 wrote, and what became of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from capably.examine import examine, examine_with
from capably.plan.variables import Given

Write = Callable[[str, str], Path]

OLD = """\
naftiko: "0.5"
info: {label: Old, description: An old document.}
externalRefs:
- name: notion-env
  type: environment
  resolution: runtime
  keys: {notion_token: NOTION_API_TOKEN}
capability:
  consumes:
  - type: http
    namespace: notion
    baseUri: https://api.notion.example
    authentication: {type: bearer, token: '{{notion_token}}'}
    resources:
    - {name: users, path: /users, operations: [{name: list, method: GET}]}
  exposes:
  - type: KIND
    port: 9090
    namespace: front
    resources:
    - {path: /users, operations: [{method: GET, call: notion.list}]}
"""


async def test_external_refs_are_binds(write: Write) -> None:
    given = Given(environ={"NOTION_API_TOKEN": "s3cret"})
    examined = await examine_with(write("old.yaml", OLD.replace("KIND", "rest")), given)
    assert [item.code for item in examined.diagnostics if item.is_error] == []
    told = next(item for item in examined.diagnostics if item.code == "DOC016")
    assert (told.message, told.span.line) == ("`externalRefs` is read as `binds`", 3)
    assert examined.compiled is not None
    assert examined.compiled.missing == ()


@pytest.mark.parametrize(
    ("kind", "today"), [("http", "rest"), ("api", "rest"), ("webhook", "rest"), ("agent-skill", "skill")]
)
def test_an_old_kind_of_server_is_left_out_with_the_word_for_it_today(write: Write, kind: str, today: str) -> None:
    examined = examine(write("old.yaml", OLD.replace("KIND", kind)))
    told = next(item for item in examined.diagnostics if item.code == "DOC013")
    assert told.message == f"`{kind}` is a kind of server from before the published versions: it is left out"
    assert told.help == (f"today that is `type: {today}`",)
