"""Every published version of the language, in list shape and keyed by name, is the same language."""

import json
from typing import Any

import pytest

from capably.diagnostics import Diagnostic
from capably.dialects import VERSIONS, canonical
from capably.document import parse_document, plain
from capably.plan.description import describe_plan

LISTS = """\
naftiko: 1.0.0-alpha2
info:
  label: Ships
  description: All ships.
capability:
  consumes:
  - type: http
    namespace: registry
    baseUri: https://registry.test
    resources:
    - name: ships
      path: /ships/{imo}
      label: The ships
      operations:
      - name: get-ship
        method: GET
        inputParameters:
        - name: imo
          in: path
        - name: fields
          in: query
  exposes:
  - type: rest
    namespace: ships-rest
    port: 8080
    resources:
    - name: ship
      path: /ships/{imo}
      operations:
      - name: read
        label: Read a ship
        method: GET
        call: registry.get-ship
        with:
          imo: rest.imo
          fields: rest.fields
  - type: mcp
    namespace: ships-mcp
    port: 9090
    tools:
    - name: get-ship
      label: Read a ship
      description: Reads one ship.
      inputParameters:
      - name: imo
        type: string
        description: Its number.
      call: registry.get-ship
      with:
        imo: tools.imo
"""

KEYED = """\
ikanos: 1.0.0-beta4
info:
  display: Ships
  description: All ships.
capability:
  consumes:
  - type: http
    namespace: registry
    baseUri: https://registry.test
    resources:
      ships:
        path: /ships/{imo}
        display: The ships
        operations:
          get-ship:
            method: GET
            inputParameters:
              imo:
                in: path
              fields: {in: query}
  exposes:
  - type: rest
    namespace: ships-rest
    port: 8080
    resources:
      ship:
        path: /ships/{imo}
        operations:
          read:
            display: Read a ship
            method: GET
            call: registry.get-ship
            with:
              imo: rest.imo
              fields: rest.fields
  - type: mcp
    namespace: ships-mcp
    port: 9090
    tools:
      get-ship:
        display: Read a ship
        description: Reads one ship.
        inputParameters:
          imo:
            type: string
            description: Its number.
        call: registry.get-ship
        with:
          imo: tools.imo
"""


def rooted(text: str) -> tuple[Any, list[Diagnostic]]:
    document, problems = parse_document("a.yaml", text.encode())
    assert document is not None, problems
    _version, root, found = canonical(document)
    return (None if root is None else plain(root)), found


def planned(reading: Any) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(json.dumps(describe_plan(reading.examined.compiled.plan)))
    for operation in described["operations"]:
        del operation["line"]
    del described["language"]
    return described


def test_lists_and_keyed_maps_are_the_same_capability(language: Any) -> None:
    lists, keyed = language.read(LISTS), language.read(KEYED)
    assert lists.told == keyed.told == []
    assert planned(lists) == planned(keyed)
    assert planned(keyed)["operations"][0]["title"] == "Read a ship"


def test_a_keyed_item_without_content_has_its_name() -> None:
    root, _found = rooted("ikanos: 1.0.0-beta4\ncapability: {consumes: [{operations: {a: , b: {method: GET}}}]}\n")
    assert root["capability"]["consumes"][0]["operations"] == [{"name": "a"}, {"name": "b", "method": "GET"}]


def test_an_item_that_was_not_put_into_a_list_stays_one_item() -> None:
    root, _found = rooted("ikanos: 1.0.0-beta4\ncapability: {exposes: [{tools: {name: a, call: b.c}}]}\n")
    assert root["capability"]["exposes"][0]["tools"] == {"name": "a", "call": "b.c"}


def test_an_item_that_states_an_id_is_called_by_it() -> None:
    root, _found = rooted("naftiko: 0.5\ncapability: {consumes: [{operations: [{id: a}, {id: b, name: c}]}]}\n")
    assert root["capability"]["consumes"][0]["operations"] == [{"name": "a"}, {"id": "b", "name": "c"}]


def test_the_same_name_twice_survives_in_a_list(language: Any) -> None:
    reading = language.read(
        LISTS.replace(
            "- name: imo\n          in: path\n        - name: fields",
            "- name: imo\n          in: path\n        - name: imo",
        )
    )
    assert [item.name for item in reading.examined.capability.consumes[0].resources[0].operations[0].inputs] == [
        "imo"
    ] * 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("info: {label: A}", "info: {display: A}"),
        ("aggregates: [{functions: {f: {label: A}}}]", "aggregates: [{flows: [{name: f, display: A}]}]"),
        ("x: {mappings: [{targetName: a}]}", "x: {mappings: [{target: a}]}"),
        ("consumes: [{import: a, location: ./b.yml}]", "consumes: [{import: a, from: ./b.yml}]"),
        ("info: {label: A, display: B}", "info: {label: A, display: B}"),
        ("binds: [{namespace: a, location: file:///b}]", "binds: [{namespace: a, location: file:///b}]"),
    ],
)
def test_old_names_become_the_newest(old: str, new: str) -> None:
    head = "naftiko: 1.0.0-alpha2\ncapability: {}\n"
    assert rooted(head + old) == rooted(head + new)


@pytest.mark.parametrize("key", ["with", "body", "value", "default", "const", "enum", "example", "metadata", "schema"])
def test_the_author_s_own_data_is_left_alone(key: str) -> None:
    data = "{label: A, functions: {a: {}}, targetName: x, steps: {a: {b: 1}}, resources: {r: {}}}"
    root, _found = rooted(f"naftiko: 1.0.0-alpha2\ncapability: {{}}\nx-a: {{{key}: {data}}}\n")
    assert root["x-a"][key] == {
        "label": "A",
        "functions": {"a": {}},
        "targetName": "x",
        "steps": {"a": {"b": 1}},
        "resources": {"r": {}},
    }


@pytest.mark.parametrize(("key", "version"), [(key, version) for key, known in VERSIONS.items() for version in known])
def test_every_published_version_is_read(language: Any, key: str, version: str) -> None:
    assert language.read(LISTS.replace("naftiko: 1.0.0-alpha2", f"{key}: {version}")).told == []


@pytest.mark.parametrize("written", ["'0.5'", "0.5", '"0.5"'])
def test_a_version_may_look_like_a_number(language: Any, written: str) -> None:
    assert language.read(LISTS.replace("1.0.0-alpha2", written)).told == []


@pytest.mark.parametrize(
    ("line", "message", "advice"),
    [
        (
            "naftiko: 1.0.0-alpha9",
            "`1.0.0-alpha9` is not a version of `naftiko`",
            [
                "did you mean `1.0.0-alpha3`?",
                "versions read: 0.4, 0.5, 1.0.0-alpha1, 1.0.0-alpha2, 1.0.0-alpha3",
            ],
        ),
        (
            "naftiko: yes",
            "`yes` is not a version of `naftiko`",
            ["versions read: 0.4, 0.5, 1.0.0-alpha1, 1.0.0-alpha2, 1.0.0-alpha3"],
        ),
        (
            "naftiko: 1.0.0-beta4",
            "`1.0.0-beta4` is not a version of `naftiko`",
            ["version 1.0.0-beta4 is written under `ikanos:`"],
        ),
        (
            "naftiko:",
            "`naftiko` must state the version of the language, as text",
            ["write `naftiko: 1.0.0-alpha3` and put the rest of the document beside it"],
        ),
        (
            "ikanos: {version: 1.0.0-beta4}",
            "`ikanos` must state the version of the language, as text",
            ["write `ikanos: 1.0.0-beta5` and put the rest of the document beside it"],
        ),
    ],
)
def test_a_version_that_is_none_is_one_error(language: Any, line: str, message: str, advice: list[str]) -> None:
    reading = language.read(LISTS.replace("naftiko: 1.0.0-alpha2", line))
    assert reading.told == [("DOC007", message)]
    assert reading.help == advice
