"""The stories of tests/cases, and `capably test` itself: what it says when a story is not true."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from capably.casefile.comparing import Difference, differences
from capably.casefile.reading import find_cases, read_case
from capably.casefile.report import as_text
from capably.casefile.running import run_cases
from capably.cli import main
from capably.document import Mapping, parse_document

CASES = find_cases([Path(__file__).with_name("cases")])


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_every_story_is_true(path: Path) -> None:
    told = asyncio.run(run_cases([read_case(path)], {}))
    assert all(item.results and not item.problems for item in told), as_text(told, 0)
    assert all(result.passed for item in told for result in item.results), as_text(told, 0)


DOCUMENT = """\
ikanos: 1.0.0-beta4
capability:
  consumes:
  - {namespace: up, type: http, baseUri: 'https://up.test/v1', authentication: {type: bearer, token: '{{TOKEN}}'},
     resources: [{name: ships, path: '/ships/{imo}', operations: [{name: get, method: GET}]}]}
  exposes:
  - {type: rest, namespace: web, port: 8080,
     resources: [{path: '/ships/{imo}', operations: [{name: get-ship, method: GET, call: up.get}]}]}
  - {type: mcp, namespace: tools, port: 9090, tools: [{name: get-ship, description: One., call: up.get}]}
"""
HEAD = "document: ./fleet.yaml\ngiven: {TOKEN: made-up}\nstories:\n"
RIGHT = """\
- name: a ship is found
  call: get-ship
  with: {imo: '9'}
  upstream: [{request: GET /v1/ships/9, headers: {Authorization: Bearer made-up}, reply: {body: {name: A, tonnes: 1}}}]
  answer: {body: {name: A, tonnes: 1.0}}
"""


class Ended(NamedTuple):
    """How the command ended; times are cut out."""

    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.yaml").write_text(DOCUMENT, encoding="utf-8")
    return tmp_path


Tell = Callable[..., Ended]


@pytest.fixture
def tell(folder: Path, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Runs `capably test` on stories, beside the document."""

    def tell(stories: str, *options: str, head: str = HEAD) -> Ended:
        Path("a.case").write_text(head + stories, encoding="utf-8")
        with pytest.raises(SystemExit) as caught:
            main(["test", "a.case", *options])
        out, err = capsys.readouterr()
        return Ended(int(caught.value.code or 0), re.sub(r"[0-9.]+ s\b", "T s", out), err)

    return tell


def test_a_story_that_is_true_goes_through_both_servers(tell: Tell) -> None:
    assert tell(RIGHT, "-v") == Ended(
        0,
        "pass  a.case:4  a ship is found (rest)\npass  a.case:4  a ship is found (mcp)\n\n"
        "1 story, 2 runs: 2 passed in T s\n",
        "",
    )


def test_what_is_not_as_it_is_written_is_told_with_both_sides_and_its_place(tell: Tell) -> None:
    ended = tell(
        """\
- name: a ship is found
  call: get-ship
  with: {imo: '9'}
  upstream:
  - request: GET /v1/ships/9?full=true
    headers: {Authorization: Bearer other, X-Trace: abc}
    reply: {body: {name: A, tonnes: 1, flags: [NO, SG], more: true}}
  answer:
    body:
      name: B
      tonnes: '1'
      flags: [NO]
      owner: C
"""
    )
    assert ended.code == 1
    assert ended.out == (
        "FAIL  a.case:4  a ship is found (rest, mcp)\n"
        "  upstream query  a.case:8:14\n"
        "      expected  GET /v1/ships/9?full=true\n"
        "      came      GET /v1/ships/9\n"
        "  upstream header `Authorization`  a.case:9:30\n"
        "      expected  Bearer other\n"
        "      came      Bearer made-up\n"
        "  upstream header `X-Trace`  a.case:9:53\n"
        "      expected  abc\n"
        "      came      nothing\n"
        "  answer.body.name  a.case:13:13\n"
        '      expected  "B"\n'
        '      came      "A"\n'
        "  answer.body.tonnes  a.case:14:15\n"
        '      expected  "1"\n'
        "      came      1\n"
        "  answer.body.flags  a.case:15:14\n"
        "      expected  1 item\n"
        '      came      2 items: ["NO", "SG"]\n'
        "  answer.body.owner  a.case:16:7\n"
        '      expected  "C"\n'
        "      came      nothing\n"
        "  answer.body.more  a.case:13:7\n"
        "      expected  nothing\n"
        "      came      true\n"
        "  the upstream was asked  GET /v1/ships/9\n"
        "\n"
        "1 story, 2 runs: 0 passed, 2 failed in T s\n"
    )


def test_requests_that_do_not_come_and_requests_nobody_expects_are_told(tell: Tell) -> None:
    ended = tell(
        "- {name: asks another, call: get-ship, with: {imo: '8'}, through: rest, answer: {status: 200},\n"
        "   upstream: [{request: GET /v1/ships/9}]}\n"
    )
    assert ended.out == (
        "FAIL  a.case:4  asks another (rest)\n"
        "  upstream  a.case:4:10\n"
        "      expected  GET /v1/ships/9\n"
        "      came      GET /v1/ships/8\n"
        "  upstream  a.case:5:15\n"
        "      expected  GET /v1/ships/9\n"
        "      came      nothing\n"
        "  answer.status  a.case:4:90\n"
        "      expected  200\n"
        "      came      501: The story has no reply to this request.\n"
        "  the upstream was asked  GET /v1/ships/8\n"
        "\n"
        "1 story, 1 run: 0 passed, 1 failed in T s\n"
    )


@pytest.mark.parametrize(
    ("answer", "expected", "came"),
    [
        ("{status: 200}", "200", "404: none"),
        ("{body: {}}", "a success", "404: none"),
        ("{status: 404, error: gone}", '"gone"', '"none"'),
        ("{status: 404, type: text/html}", "text/html", "text/plain"),
        ("{status: 404, headers: {Retry-After: b}}", "b", "c"),
        ("{status: 404, headers: {Retry-After: null}}", "nothing", "c"),
    ],
)
def test_an_answer_that_is_another_is_told(tell: Tell, answer: str, expected: str, came: str) -> None:
    ended = tell(
        "- {name: fails, call: get-ship, with: {imo: '9'}, through: rest, "
        f"upstream: [{{reply: {{status: 404, headers: {{Retry-After: c}}, body: none}}}}], answer: {answer}}}\n"
    )
    assert f"      expected  {expected}\n      came      {came}\n" in ended.out
    assert ended.code == 1


@pytest.mark.parametrize(
    ("story", "message", "advice"),
    [
        ("{name: a}", "the story has neither `call` nor `request`", "write one of them"),
        ("{name: a, call: b, request: GET /}", "the story has both `call` and `request`", "write one of them"),
        ("{name: a, call: get-shp}", "the document serves no operation `get-shp`", "did you mean `get-ship`?"),
        ("{name: a, call: get-ship, wiht: {}}", "`wiht` is not a key of `stories`", "did you mean `with`?"),
        ("{name: a, call: get-ship, with: {im: 1}}", "`get-ship` has no input `im`", "did you mean `imo`?"),
        (
            "{name: a, call: get-ship}",
            "REST callers cannot leave this out: `imo` is a part of the path",
            "give it in `with`, or write `through: mcp`",
        ),
        ("{name: a, request: ships}", "`ships` is no request", "write it as `GET /path` or `GET /path?a=b`"),
        ("{name: a, request: GET /, with: {}}", "`with` belongs to `call`", "remove it"),
        ("{name: a, request: GET /, server: wbe}", "the document serves no server `wbe`", "did you mean `web`?"),
        (
            "{name: a, call: get-ship, upstream: [{reply: fine}]}",
            "`fine` is no status",
            "write a number, or a mapping",
        ),
    ],
)
def test_a_story_that_cannot_be_run_is_told_like_a_mistake_in_a_document(
    tell: Tell, story: str, message: str, advice: str
) -> None:
    ended = tell(f"- {story}\n")
    assert ended.code == 1
    assert f": {message}\n --> a.case:4:" in ended.out
    assert f"  = help: {advice}\n" in ended.out


def test_a_story_may_be_about_a_missing_argument_through_mcp(tell: Tell) -> None:
    assert tell("- {name: a, call: get-ship, through: mcp, answer: {error: imo}}\n").code == 0


def test_a_value_nobody_gives_is_told(tell: Tell, folder: Path) -> None:
    ended = tell(RIGHT, head="document: ./fleet.yaml\nstories:\n")
    assert "      a value is missing\n      secret `TOKEN` (fleet.yaml:4:" in ended.out.replace(f"{folder}/", "")
    assert ended.code == 1


def test_a_secret_of_the_command_line_is_not_shown(tell: Tell) -> None:
    ended = tell(RIGHT, "--set", "TOKEN=hide-me", head="document: ./fleet.yaml\nstories:\n")
    assert "      expected  Bearer made-up\n      came      Bearer <TOKEN>\n" in ended.out
    assert "hide-me" not in ended.out


def test_a_value_for_nothing_is_told_with_the_nearest_name(tell: Tell) -> None:
    ended = tell(RIGHT, head=HEAD.replace("TOKEN: made-up", "TOKEN: made-up, TOKE: a"))
    assert "error[CAS002]: no variable has the name `TOKE`\n --> a.case:2:25\n" in ended.out
    assert "  = help: did you mean `TOKEN`?\n" in ended.out
    assert ended.code == 1


def test_variables_of_a_base_uri_may_be_given_and_need_not(tell: Tell, folder: Path) -> None:
    path = folder / "fleet.yaml"
    text = path.read_text(encoding="utf-8").replace("https://up.test/v1", "https://{{region}}.up.test/{{version}}")
    path.write_text(text, encoding="utf-8")
    head = HEAD.replace("TOKEN: made-up", "TOKEN: made-up, version: v1")
    assert tell(RIGHT, head=head).out == "1 story, 2 runs: 2 passed in T s\n"
    assert tell(RIGHT, "--set", "other=1", head=head.replace("version", "region: eu, version")).code == 0


def test_the_environment_is_not_read(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "real")
    assert "a value is missing" in tell(RIGHT, head="document: ./fleet.yaml\nstories:\n").out


def test_a_mistake_in_a_document_that_stands_in_the_case_is_told_at_its_place(tell: Tell) -> None:
    inline = "".join(f"  {line}\n" for line in DOCUMENT.replace("call: up.get}]}]}", "call: up.gte}]}]}").splitlines())
    head = f"# A comment.\ndocument:\n{inline}given: {{TOKEN: made-up}}\nstories:\n"
    ended = tell(RIGHT.replace("call:", "through: rest\n  call:"), head=head)
    assert "error[REF001]: no operation `gte` in `up`\n  --> a.case:" in ended.out
    assert "the document serves no operation `get-ship`" in ended.out


def test_runs_are_chosen_by_what_they_are_called(tell: Tell) -> None:
    other = RIGHT.replace("a ship is found", "another")
    assert tell(RIGHT + other, "-k", "ANOTHER (mcp)").out == "1 story, 1 run: 1 passed in T s\n"
    ended = tell(RIGHT, "-k", "nothing like it")
    assert (ended.code, ended.err) == (2, "error: no run has `nothing like it` in its name\n")


def test_programs_read_one_object_a_run(tell: Tell) -> None:
    wrong = RIGHT.replace("name: A, tonnes: 1.0", "name: B, tonnes: 1.0")
    lines = [json.loads(line) for line in tell(RIGHT + wrong + "- {name: a}\n", "--format", "json").out.splitlines()]
    assert [line["outcome"] for line in lines] == ["problem"]  # a file with a mistake is not half run
    lines = [json.loads(line) for line in tell(RIGHT + wrong, "--format", "json").out.splitlines()]
    assert [(line["line"], line["through"], line["outcome"]) for line in lines] == [
        (4, "rest", "passed"),
        (4, "mcp", "passed"),
        (9, "rest", "failed"),
        (9, "mcp", "failed"),
    ]
    assert lines[2]["differences"] == [
        {"what": "answer.body.name", "expected": '"B"', "came": '"A"', "file": "a.case", "line": 13, "column": 25}
    ]
    assert lines[2]["asked"] == ["GET /v1/ships/9"]


def test_ci_reads_junit(tell: Tell) -> None:
    wrong = RIGHT.replace("{name: A, tonnes: 1.0}", "'<&\x85\">'")
    suites = ET.fromstring(tell(RIGHT + wrong, "--format", "junit").out)  # noqa: S314 -- our own text
    (suite,) = suites
    assert suite.attrib == {"name": "a.case", "tests": "4", "failures": "2", "errors": "0"}
    assert [len(case) for case in suite] == [0, 0, 1, 1]
    failure = suite[2][0]
    assert failure.attrib["message"] == "FAIL  a.case:9  a ship is found (rest)"
    assert "<&" in (failure.text or "")
    problems = ET.fromstring(tell("- {name: a}\n", "--format", "junit").out)  # noqa: S314 -- our own text
    assert problems[0][0][0].tag == "error"


def test_a_folder_without_cases_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["test", "."])
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: . holds no .case file\n"


def test_colour_is_for_terminals_alone(tell: Tell) -> None:
    wrong = RIGHT.replace("name: A, tonnes: 1.0", "name: B")
    assert "\x1b" not in tell(wrong).out
    told = asyncio.run(run_cases([read_case(Path("a.case"))], {}))
    assert "\x1b[1;31mFAIL\x1b[0m" in as_text(told, 0, colour=True)


def test_what_an_upstream_says_cannot_write_to_the_terminal(tell: Tell) -> None:
    wrong = RIGHT.replace("reply: {body: {name: A, tonnes: 1}}", 'reply: {body: "\\x1b]0;title\\a"}')
    assert "\x1b" not in tell(wrong).out


def test_a_server_over_stdio_is_tested_over_http(tell: Tell, folder: Path) -> None:
    path = folder / "fleet.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("namespace: tools, port: 9090", "namespace: tools, transport: stdio"), encoding="utf-8"
    )
    assert tell(RIGHT).out == "1 story, 2 runs: 2 passed in T s\n"


texts = st.text(st.characters(max_codepoint=0xD7FF, exclude_characters="\x7f"), max_size=5)  # JSON that is YAML, too


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)


scalars = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | texts
json_values = st.recursive(scalars, nested, max_leaves=12)


def found(written: Any, came: Any, *, exact: bool = True) -> list[Difference]:
    document, problems = parse_document("a.case", json.dumps({"body": written}).encode())
    assert document is not None
    assert isinstance(document.root, Mapping)
    assert problems == []
    return list(differences(document.root.entries["body"].value, came, "body", exact=exact))


@given(json_values)
def test_every_value_is_itself(value: Any) -> None:
    assert found(value, value) == []


@given(json_values, json_values)
def test_values_that_differ_as_json_are_told_apart(one: Any, other: Any) -> None:
    same = json.dumps(normal(one), sort_keys=True) == json.dumps(normal(other), sort_keys=True)
    assert (found(one, other) == []) == same


def normal(value: Any) -> Any:
    """A JSON value with each number in one spelling."""
    if isinstance(value, dict):
        return {name: normal(item) for name, item in value.items()}
    if isinstance(value, list):
        return [normal(item) for item in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) + 0.0 if is_number else value


@given(st.dictionaries(texts, json_values, max_size=4), st.just("one more"), json_values)
def test_more_fields_are_allowed_where_a_part_is_written_and_nowhere_else(
    value: dict[str, Any], name: str, more: Any
) -> None:
    assert found(value, {**value, name: more}, exact=False) == []
    assert [item.what for item in found(value, {**value, name: more})] == [f"body.{name}"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False], ids=["the document last", "the stories last"])
@pytest.mark.parametrize("flow", [True, False], ids=["in braces", "in lines"])
def test_a_document_may_stand_anywhere_in_a_case_file(folder: Path, newline: str, last: bool, flow: bool) -> None:  # noqa: FBT001 -- cases
    lines = "document:\n" + "".join(f"    {line}\n" for line in DOCUMENT.splitlines())
    inline = f"document: {json.dumps(yaml.safe_load(DOCUMENT))}\n" if flow else lines
    rest = HEAD.partition("\n")[2] + RIGHT
    text = rest + inline.rstrip("\n") if last else inline + rest
    Path("b.case").write_bytes(text.replace("\n", newline).encode())
    (told,) = asyncio.run(run_cases([read_case(Path("b.case"))], {}))
    assert [(result.through, result.passed) for result in told.results] == [("rest", True), ("mcp", True)]
