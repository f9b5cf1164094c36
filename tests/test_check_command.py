"""`capably check`, `capably explain` and `capably --help`: what is printed, and how the program ends."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from capably import __version__
from capably.capabilities import THREADS_RUNS
from capably.cli import main
from capably.codes import CODES

FAULTLESS = """\
ikanos: 1.0.0-beta4
capability:
  consumes:
  - {namespace: up, baseUri: https://up.test, resources: [{path: /x, operations: [{name: op}]}]}
  exposes:
  - {type: mcp, namespace: agent, port: 9090, tools: [{name: op, call: up.op}]}
"""
WRONG = FAULTLESS.replace("call: up.op", "call: up.opp")
LOOSE = FAULTLESS.replace("capability:", "titel: x\ncapability:")


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the program in a folder with three documents."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"faultless.yaml": FAULTLESS, "wrong.yaml": WRONG, "loose.yaml": LOOSE}.items():
        Path(name).write_text(text, encoding="utf-8")

    def run(*arguments: str | Path) -> Ended:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ended(int(caught.value.code or 0), out, err)

    return run


LOOSENESSES = [
    ("VAR001", "`baseurl` is bound to nothing: it must be given when the document is served"),
    ("REF010", "`aimlapi-threads-runs` has 2 operations named `post`"),
    ("REF010", "`aimlapi-threads-runs` has 2 operations named `get`"),
    ("INP001", "4 operations of `aimlapi-threads-runs-rest` declare no inputs: they are inferred"),
    ("REF006", "`threadId` is taken to mean `{threadid}`: the names match ignoring case"),
    ("OUT001", "`$.` is read as `$`, the whole answer"),
    ("REF006", "`runId` is taken to mean `{runid}`: the names match ignoring case"),
    ("INP001", "4 operations of `aimlapi-threads-runs-mcp` declare no inputs: they are inferred"),
]


def test_the_bundled_document_has_no_errors_and_is_told_each_looseness_once(run: Run) -> None:
    code, out, err = run("check", THREADS_RUNS)
    assert (code, err) == (0, "")
    heads = [line for line in out.splitlines() if line.startswith(("warning[", "error["))]
    assert heads == [f"warning[{code}]: {message}" for code, message in LOOSENESSES]
    assert out.endswith("\n8 warnings in 1 file\n")


def test_findings_of_the_same_words_are_grouped(run: Run) -> None:
    out = run("check", THREADS_RUNS).out
    (line,) = [line for line in out.splitlines() if "also on lines" in line and line.count(",") > 4]
    assert len(line.removeprefix("    = help: also on lines ").split(", ")) == 7


def test_a_finding_shows_its_line_and_what_to_do(run: Run) -> None:
    code, out, _err = run("check", "wrong.yaml")
    assert code == 1
    assert out == (
        "error[REF001]: no operation `opp` in `up`\n"
        " --> wrong.yaml:6:72\n"
        "  |\n"
        "6 |   - {type: mcp, namespace: agent, port: 9090, tools: [{name: op, call: up.opp}]}\n"
        "  |                                                                        ^^^^^^\n"
        "  = help: did you mean `up.op`?\n"
        "  = docs: capably explain REF001\n"
        "\n"
        "1 error in 1 file\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "last"),
    [
        (["faultless.yaml"], 0, "no problems found in 1 file"),
        (["--strict", "faultless.yaml"], 0, "no problems found in 1 file"),
        (["loose.yaml"], 0, "1 warning in 1 file"),
        (["--strict", "loose.yaml"], 1, "1 warning in 1 file"),
        (["wrong.yaml"], 1, "1 error in 1 file"),
        (["faultless.yaml", "wrong.yaml"], 1, "1 error in 1 of 2 files"),
        (["."], 1, "1 error, 1 warning in 2 of 3 files"),
        ([".", "wrong.yaml"], 1, "1 error, 1 warning in 2 of 3 files"),
        (["absent.yaml"], 1, "1 error in 1 file"),
    ],
)
def test_the_exit_code_and_the_last_line_sum_up(run: Run, arguments: list[str], code: int, last: str) -> None:
    ended = run("check", *arguments)
    assert (ended.code, ended.out.splitlines()[-1], ended.err) == (code, last, "")


def test_a_missing_file_is_told_with_the_files_that_are_there(run: Run) -> None:
    assert run("check", "absent.yaml").out == (
        "error[DOC001]: the file cannot be read: No such file or directory\n"
        " --> absent.yaml:1:1\n"
        "  = help: files here: faultless.yaml, loose.yaml, wrong.yaml\n"
        "  = docs: capably explain DOC001\n"
        "\n"
        "1 error in 1 file\n"
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["check"], "Missing argument 'FILE...'"),
        (["check", "--format", "xml", "wrong.yaml"], "'xml' is not one of 'text', 'json', 'sarif'"),
        (["check", "--strickt", "wrong.yaml"], "No such option '--strickt'. Did you mean '--strict'?"),
        (["check", "empty"], "empty holds no YAML or JSON file"),
        (["chek", "wrong.yaml"], "no command `chek`: did you mean `check`?"),
        (["xyzzy"], "no command `xyzzy`: known here: `serve`, `check`"),
        (["explain", "REF000"], "`REF000` is not a diagnostic code"),
    ],
)
def test_a_command_used_wrongly_ends_with_two_and_says_so(run: Run, arguments: list[str], complaint: str) -> None:
    Path("empty").mkdir()
    ended = run(*arguments)
    assert ended.code == 2
    assert complaint in ended.err
    assert ended.out == ""


def test_json_is_one_object_a_line_for_each_document(run: Run) -> None:
    ended = run("check", "--format", "json", ".")
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert [(line["file"], line["errors"], line["warnings"]) for line in lines] == [
        ("faultless.yaml", 0, 0),
        ("loose.yaml", 0, 1),
        ("wrong.yaml", 1, 0),
    ]
    assert lines[2]["diagnostics"] == [
        {
            "code": "REF001",
            "severity": "error",
            "message": "no operation `opp` in `up`",
            "file": "wrong.yaml",
            "line": 6,
            "column": 72,
            "end_line": 6,
            "end_column": 78,
            "help": ["did you mean `up.op`?"],
            "related": [],
        }
    ]
    assert ended.code == 1


def test_sarif_names_every_file_rule_and_place(run: Run) -> None:
    ended = run("check", "--format", "sarif", ".")
    (sarif_run,) = json.loads(ended.out)["runs"]
    assert [artifact["location"]["uri"] for artifact in sarif_run["artifacts"]] == [
        "faultless.yaml",
        "loose.yaml",
        "wrong.yaml",
    ]
    rules = {rule["id"]: rule["shortDescription"]["text"] for rule in sarif_run["tool"]["driver"]["rules"]}
    assert rules == {code: CODES[code].title for code in ("DOC012", "REF001")}
    results: list[dict[str, Any]] = sarif_run["results"]
    assert [(item["ruleId"], item["level"]) for item in results] == [("DOC012", "warning"), ("REF001", "error")]
    region = results[1]["locations"][0]["physicalLocation"]["region"]
    assert (region["startLine"], region["startColumn"]) == (6, 72)
    assert ended.code == 1


def test_the_bundled_document_is_the_same_in_every_format(run: Run) -> None:
    told = json.loads(run("check", "--format", "json", THREADS_RUNS).out)["diagnostics"]
    results = json.loads(run("check", "--format", "sarif", THREADS_RUNS).out)["runs"][0]["results"]
    assert [(item["code"], item["message"]) for item in told] == LOOSENESSES
    assert [item["ruleId"] for item in results] == [code for code, _message in LOOSENESSES]


@pytest.mark.parametrize("code", ["REF003", "ref003", "Ref003"])
def test_explain_shows_the_page_of_a_code_in_any_case(run: Run, code: str) -> None:
    ended = run("explain", code)
    assert ended.out == f"REF003: {CODES['REF003'].title}\n\n{CODES['REF003'].text}\n"
    assert ended.code == 0


def test_explain_without_a_code_lists_them_all(run: Run) -> None:
    lines = run("explain").out.splitlines()
    assert lines == [f"{code}  {page.title}" for code, page in CODES.items()]


@pytest.mark.parametrize(("written", "nearest"), [("reff003", "REF003"), ("SEC0001", "SEC001")])
def test_explain_names_the_nearest_code(run: Run, written: str, nearest: str) -> None:
    ended = run("explain", written)
    assert ended.err == f"error: `{written}` is not a diagnostic code\n  = did you mean `{nearest}`?\n"
    assert ended.code == 2


def test_help_shows_where_to_start_and_every_command(run: Run) -> None:
    ended = run("--help")
    assert ended.code == 0
    for line in ("capably check FILE", "capably plan FILE", "capably serve FILE"):
        assert line in ended.out
    commands = [line.split()[0] for line in ended.out.partition("Commands:\n")[2].splitlines() if line[2:3].strip()]
    assert commands[:4] == ["serve", "check", "plan", "call"]
    assert {"inspect", "mock", "test", "explain"} <= set(commands)


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_told(run: Run, option: str) -> None:
    assert run(option).out == f"capably {__version__}\n"
