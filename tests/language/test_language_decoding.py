"""Keys and values: what is unknown, missing or of the wrong kind is told at its place, and the rest is read."""

from typing import Any

import pytest

SHIPS = """\
ikanos: 1.0.0-beta4
info:
  display: Ships
  description: All ships.
binds:
- namespace: env
  keys:
    KEY: KEY
capability:
  consumes:
  - type: http
    namespace: up
    baseUri: https://up.test
    authentication:
      type: bearer
      token: '{{env.KEY}}'
    resources:
    - name: ships
      path: /ships
      operations:
      - name: list
        method: GET
        inputParameters:
        - name: page
          in: query
          type: integer
  exposes:
  - type: mcp
    namespace: agent
    port: 9090
    tools:
    - name: list-ships
      description: Lists ships.
      hints:
        readOnly: true
      call: up.list
      inputParameters:
      - name: page
        type: integer
        description: Which page.
        required: false
"""


def test_the_document_of_these_tests_is_faultless(language: Any) -> None:
    assert language.read(SHIPS).findings == []


@pytest.mark.parametrize(
    ("old", "new", "finding", "advice"),
    [
        (
            "    baseUri: ",
            "    baseUrl: ",
            "warning DOC012 13:5 `baseUrl` is not a key of `consumes`",
            "did you mean `baseUri`?",
        ),
        ("  description: All", "  colour: All", "warning DOC012 4:3 `colour` is not a key of `info`", "it is ignored"),
        (
            "        readOnly",
            "        readonly",
            "warning DOC012 35:9 `readonly` is not a key of `hints`",
            "did you mean `readOnly`?",
        ),
        (
            "      call: up",
            "      calls: up",
            "warning DOC012 36:7 `calls` is not a key of `tools`",
            "did you mean `call`?",
        ),
        ("binds:\n", "bind:\n", "warning DOC012 5:1 `bind` is not a key of `the document`", "did you mean `binds`?"),
        (
            "  exposes:",
            "  expose:",
            "warning DOC012 27:3 `expose` is not a key of `capability`",
            "did you mean `exposes`?",
        ),
        ("    namespace: up\n", "", "error DOC011 11:5 `consumes` needs `namespace`", "add `namespace:` here"),
        ("    port: 9090\n", "", "error DOC011 28:5 the `mcp` server has no port", "add `port: 8080`"),
        ("    - name: list-ships\n", "    - tags: []\n", "error DOC011 32:7 `tools` needs `name`", "add `name:` here"),
        (
            "  - type: mcp\n",
            "  - tags: []\n",
            "error DOC011 28:5 `exposes` needs `type`",
            "add `type: rest` or `type: mcp`",
        ),
        ("  - type: mcp", "  - type: mpc", "error DOC013 28:11 `mpc` is not a kind of server", "did you mean `mcp`?"),
        ("port: 9090", "port: http", "error DOC010 30:11 `port` must be a whole number, not `http`", None),
        ("port: 9090", "port: 90900", "error DOC010 30:11 90900 is no port", "0 to 65535"),
        ("port: 9090", "port: -1", "error DOC010 30:11 -1 is no port", "0 to 65535"),
        ("port: 9090", "port: true", "error DOC010 30:11 `port` must be a whole number, not `true`", None),
        ("readOnly: true", "readOnly: maybe", "error DOC010 35:19 `readOnly` must be true or false, not `maybe`", None),
        ("display: Ships", "display: [Ships]", "error DOC010 3:12 `display` must be text, not a list", None),
        ("display: Ships", "display: {a: b}", "error DOC010 3:12 `display` must be text, not a mapping", None),
        (
            "method: GET",
            "method: GRT",
            "error DOC010 22:17 `method` must be one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS, not `GRT`",
            "did you mean `GET`?",
        ),
        (
            "in: query",
            "in: params",
            "error DOC010 25:15 `in` must be one of query, header, path, cookie, body, environment, not `params`",
            None,
        ),
        ("  keys:\n    KEY: KEY\n", "  keys: KEY\n", "error DOC010 7:9 `keys` must be a mapping, not `KEY`", None),
        (
            "binds:\n- namespace: env\n  keys:\n    KEY: KEY\n",
            "binds: env\n",
            "error DOC010 5:8 `binds` must be a list, not `env`",
            None,
        ),
        (
            "    authentication:\n      type: bearer\n",
            "    authentication:\n",
            "error DOC011 15:7 `authentication` needs `type`",
            None,
        ),
        (
            "  description: All ships.",
            "  description: All\n  description: ships",
            "error DOC003 5:3 the key `description` stands twice in one mapping",
            None,
        ),
    ],
)
def test_a_mistake_is_told_once_at_its_place(
    language: Any, old: str, new: str, finding: str, advice: str | None
) -> None:
    assert SHIPS.count(old) == 1
    reading = language.read(SHIPS.replace(old, new))
    consequences = ("DOC015", "REF002", "DOC013 32", "VAR001")
    assert [line for line in reading.findings if not any(code in line for code in consequences)] == [finding]
    assert advice is None or advice in reading.help


def test_keys_of_one_s_own_are_never_told(language: Any) -> None:
    text = SHIPS.replace("info:\n", "x-team: ships\ninfo:\n  x-owner: me\n").replace("port:", "x-note: [1]\n    port:")
    assert language.read(text).findings == []


def test_one_mistake_never_hides_another(language: Any) -> None:
    text = SHIPS.replace("port: 9090", "port: http").replace("method: GET", "method: GRT").replace("All ships.", "[]")
    assert [line.split()[1] for line in language.read(text).findings if "DOC010" in line] == ["DOC010"] * 3


def test_a_fault_of_one_part_leaves_the_others(language: Any) -> None:
    tool = "    - description: It has no name.\n      call: up.list\n"
    reading = language.read(SHIPS.replace("    - name: list-ships\n", tool + "    - name: list-ships\n"))
    assert [line for line in reading.findings if line.startswith("error")] == ["error DOC011 32:7 `tools` needs `name`"]
    assert [item.name for item in reading.operations] == ["list-ships"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1.0", "1.0"),
        ("1.10", "1.10"),
        ("on", "on"),
        ("yes", "yes"),
        ("2015-02-01", "2015-02-01"),
        ("0x1F", "0x1F"),
        ("true", "true"),
        ("1e3", "1e3"),
        ("0123", "0123"),
    ],
)
def test_text_is_kept_as_it_is_written(language: Any, written: str, read: str) -> None:
    reading = language.read(SHIPS.replace("display: Ships", f"display: {written}\n  version: {written}"))
    info = reading.examined.capability.info
    assert (info.display, info.version) == (read, read)
    assert reading.findings == []


@pytest.mark.parametrize(
    ("written", "read"), [("true", True), ("yes", True), ("on", True), ("'no'", False), ("Off", False)]
)
def test_a_flag_may_be_written_in_words(language: Any, written: str, read: bool) -> None:  # noqa: FBT001 -- a table
    reading = language.read(SHIPS.replace("readOnly: true", f"readOnly: {written}"))
    assert reading.operation.hints.read_only is read


@pytest.mark.parametrize("written", ["9090", "'9090'"])
def test_a_port_may_be_quoted(language: Any, written: str) -> None:
    reading = language.read(SHIPS.replace("port: 9090", f"port: {written}"))
    assert reading.examined.compiled.plan.servers[0].port == 9090


@pytest.mark.parametrize(("written", "read"), [("get", "GET"), ("Post", "POST")])
def test_a_method_is_read_in_any_case(language: Any, written: str, read: str) -> None:
    assert language.read(SHIPS.replace("method: GET", f"method: {written}")).decisions == [f"name: {read} /ships"]


@pytest.mark.parametrize("written", ["", "null", "~"])
def test_a_key_without_a_value_is_as_if_it_were_not_there(language: Any, written: str) -> None:
    text = SHIPS.replace("description: Which page.", f"description: {written}")
    assert language.read(text).operation.inputs[0].description == ""


def test_findings_of_the_same_words_are_one_that_names_the_other_lines(language: Any) -> None:
    first, second = (f"    - name: {name}\n      colour: 1\n      call: up.list\n" for name in "ab")
    text = SHIPS.replace("    - name: list-ships\n", f"{first}{second}    - name: list-ships\n")
    reading = language.read(text)
    assert reading.told == [("DOC012", "`colour` is not a key of `tools`")]
    assert reading.help == ["it is ignored", "also on line 36"]


@pytest.mark.parametrize("digits", ["9" * 5_000, "0x" + "f" * 5_000])
def test_a_number_that_is_too_long_to_be_read_is_no_number(language: Any, digits: str) -> None:
    told = [f"error DOC010 {LINE}:11 `port` must be a whole number, not `{digits[:40]}…`"]
    assert language.read(SHIPS.replace("9090", digits)).findings == told


def test_a_server_whose_port_is_left_empty_has_no_port(language: Any) -> None:
    told = [f"error DOC011 {LINE - 2}:5 the `mcp` server has no port"]
    assert [item for item in language.read(SHIPS.replace(" 9090", "")).findings if item.startswith("error")] == told


def test_a_server_whose_certificate_is_left_empty_is_told(language: Any) -> None:
    told = [f"error DOC011 {LINE + 1}:5 `tls` is empty: it needs `certificate`"]
    read = language.read(SHIPS.replace("9090", "9090\n    tls:"))
    assert [item for item in read.findings if item.startswith("error")] == told


LINE = next(number for number, line in enumerate(SHIPS.splitlines(), 1) if "port: 9090" in line)
