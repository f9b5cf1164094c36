"""Aggregates of another file: their flows are referred to as if they stood in the importing document."""

from pathlib import Path

from capably.examine import examine
from capably.plan.consumed import Consumed

LIBRARY = """ikanos: 1.0.0-beta5
capability:
  consumes:
    - namespace: up
      type: http
      baseUri: https://up.test
      resources: [{name: ships, path: "/ships/{imo}", operations: [{name: get-ship, method: GET}]}]
  aggregates:
    - display: Fleet
      namespace: fleet
      flows:
        - name: one-ship
          description: One ship.
          semantics: {safe: true, idempotent: true}
          inputParameters: [{name: imo, type: string, description: The ship.}]
          call: up.get-ship
          with: {imo: fleet.imo}
"""
DOCUMENT = """ikanos: 1.0.0-beta5
capability:
  consumes: [{import: up, from: ./library.yaml}]
  aggregates: [{import: fleet, from: ./library.yaml, as: boats}]
  exposes:
    - {type: mcp, namespace: agent, port: 9090, tools: [{ref: REF}]}
"""


def test_a_flow_of_an_imported_aggregate_is_served_under_the_name_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "library.yaml").write_text(LIBRARY, encoding="utf-8")
    file = tmp_path / "document.yaml"
    file.write_text(DOCUMENT.replace("REF", "boats.one-ship"), encoding="utf-8")
    examined = examine(file)
    assert examined.compiled is not None
    (operation,) = examined.compiled.plan.servers[0].operations
    assert isinstance(operation.work, Consumed)
    assert (operation.name, operation.description, operation.work.target.path) == (
        "one-ship",
        "One ship.",
        "/ships/{imo}",
    )
    assert [(item.name, item.required) for item in operation.inputs] == [("imo", True)]
    assert operation.hints is not None
    assert (operation.hints.read_only, operation.hints.destructive, operation.hints.idempotent) == (True, False, True)


def test_an_aggregate_that_the_file_does_not_hold_is_told_where_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "library.yaml").write_text(LIBRARY, encoding="utf-8")
    file = tmp_path / "document.yaml"
    text = DOCUMENT.replace("REF", "boats.one-ship").replace("import: fleet", "import: fleets")
    file.write_text(text, encoding="utf-8")
    told = [(item.code, item.span.line, item.message) for item in examine(file).errors]
    assert ("IMP005", 4, "`./library.yaml` has no `aggregates` entry with the namespace `fleets`") in told


SERVER = """ikanos: 1.0.0-beta5
capability:
  consumes:
    - namespace: up
      type: http
      baseUri: https://up.test
      resources: [{name: ships, path: "/ships/{imo}", operations: [{name: get-ship, method: GET}]}]
  exposes:
    - type: mcp
      namespace: agent
      port: 9090
      tools: [{name: ship, description: A ship., call: up.get-ship, with: {imo: agent.number}}]
"""


def test_a_server_that_was_given_another_name_still_knows_its_own(tmp_path: Path) -> None:
    (tmp_path / "library.yaml").write_text(SERVER, encoding="utf-8")
    file = tmp_path / "document.yaml"
    text = DOCUMENT.partition("  aggregates")[0] + "  exposes: [{import: agent, from: ./library.yaml, as: helm}]\n"
    file.write_text(text, encoding="utf-8")
    examined = examine(file)
    assert not examined.errors
    assert examined.compiled is not None
    (server,) = examined.compiled.plan.servers
    assert server.namespace == "helm"
    assert [item.name for item in server.operations[0].inputs] == ["number"]
