"""`capably test --update`: what came becomes what is expected, where nothing else can change."""

from collections.abc import Callable
from pathlib import Path

import pytest

from capably.cli import main

DOCUMENT = """\
ikanos: 1.0.0-beta4
capability:
  consumes:
  - {namespace: up, type: http, baseUri: 'https://up.test',
     resources: [{name: ships, path: /ships, operations: [{name: list, method: GET}]}]}
  exposes:
  - {type: rest, namespace: web, port: 0,
     resources: [{path: /ships, operations: [{name: list-ships, method: GET, call: up.list}]}]}
  - {type: mcp, namespace: tools, port: 0, tools: [{name: list-ships, description: All., call: up.list}]}
"""
ASKED = "upstream: [{request: GET /ships, reply: {body: {ships: [{name: 'on'}], total: 1}}}]"

Update = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Update:
    """Runs `capably test --update`; gives the exit code, the new text and what is told on stderr."""
    monkeypatch.chdir(tmp_path)
    Path("fleet.yaml").write_text(DOCUMENT, encoding="utf-8")

    def update(text: str) -> tuple[int, str, str]:
        Path("a.case").write_bytes(text.encode())
        with pytest.raises(SystemExit) as caught:
            main(["test", "a.case", "--update"])
        told = capsys.readouterr().err
        return int(caught.value.code or 0), Path("a.case").read_bytes().decode(), told

    return update


HEAD = "document: ./fleet.yaml\n# Stories.\nstories:\n"
FIRST = f"- name: all ships\n  call: list-ships\n  {ASKED}\n  answer:\n"


def test_a_body_in_lines_is_written_in_lines_and_the_rest_is_left_alone(update: Update) -> None:
    other = "- name: nothing\n  request: GET /\n  answer: {status: 404}\n"
    wrong = f"{HEAD}{FIRST}    body:\n      ships: []\n      total: 0 # none\n    status: 200 # fine\n{other}"
    right = wrong.replace("ships: []\n      total: 0", "ships:\n      - name: 'on'\n      total: 1")
    assert update(wrong) == (0, right, "a.case: 1 body written\n")
    assert update(right) == (0, right, "")


@pytest.mark.parametrize("old", ["{}", "[1, 2]", "{ships: [{name: off}], total: 1}", "text", "'quoted'", "7", "null"])
def test_a_body_on_one_line_is_written_on_one_line(update: Update, old: str) -> None:
    code, text, told = update(f"{HEAD}- {{name: a, call: list-ships, {ASKED}, answer: {{body: {old}, status: 200}}}}\n")
    assert (code, told) == (0, "a.case: 1 body written\n")
    assert text.endswith('answer: {body: {"ships": [{"name": "on"}], "total": 1}, status: 200}}\n')


def test_several_bodies_of_a_file_are_written_at_their_own_places(update: Update) -> None:
    wrong = f"{HEAD}{FIRST}    body:\n      a: 1\n      b: 2\n{FIRST}    body: {{}}\n{FIRST}    body: {{a: b}}\n"
    code, text, told = update(wrong.replace("\n", "\r\n"))
    assert (code, told) == (0, "a.case: 3 bodies written\n")
    assert text.count("total") == 6
    assert text.count("\r\n") >= 15


@pytest.mark.parametrize(
    "story",
    [
        f"{FIRST}    status: 201\n    body: {{}}\n",
        f"{FIRST.replace('GET /ships', 'GET /other')}    body: {{}}\n",
        f"{FIRST}    includes: {{total: 2}}\n",
        f"{FIRST}    body: &one {{}}\n- name: other\n  request: GET /none\n  answer: {{status: 404, includes: *one}}\n",
    ],
    ids=["another status", "another request", "no body", "a body that others share"],
)
def test_a_story_that_differs_in_more_or_cannot_be_written_safely_stays_as_it_is(update: Update, story: str) -> None:
    assert update(HEAD + story) == (1, HEAD + story, "")
