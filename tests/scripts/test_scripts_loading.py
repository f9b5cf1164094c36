"""Script steps when a document is loaded: found, read, understood; or told what is wrong, where, and what to do."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from capably.diagnostics import Diagnostic
from capably.examine import examine_with
from capably.load import load
from capably.plan.variables import Given
from capably.scripts.governance import ScriptSwitches, govern
from capably.scripts.loading import load_scripts


def step(**more: Any) -> dict[str, Any]:
    return {"name": "shape", "type": "script", "language": "javascript", "file": "main.js", **more}


def write(
    folder: Path, *steps: dict[str, Any], scripting: dict[str, Any] | None = None, files: dict[str, str] | None = None
) -> Path:
    """A document with one tool, whose flow has these steps, and the scripts beside it."""
    scripts = {"main.js": "result = 1", "main.py": "result = 1", "lib/first.js": "const a = 1", **(files or {})}
    for name, text in scripts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    flow = {"name": "flow", "description": "F.", "steps": list(steps)}
    control = {"type": "control", "port": 9, "management": {"scripting": scripting or {}}}
    mcp = {"type": "mcp", "namespace": "m", "port": 8, "tools": [{"name": "t", "ref": "agg.flow"}]}
    body = {"aggregates": [{"namespace": "agg", "display": "A", "flows": [flow]}], "exposes": [mcp, control]}
    document = folder / "fleet.yaml"
    document.write_text(json.dumps({"ikanos": "1.0.0-beta4", "capability": body}), encoding="utf-8")
    return document


def told(
    document: Path, switches: ScriptSwitches | None = None, environ: dict[str, str] | None = None
) -> list[tuple[str, str, tuple[str, ...]]]:
    given = Given(environ=environ or {})
    examined = asyncio.run(examine_with(document, given, switches=switches or ScriptSwitches()))
    return [(item.code, item.message, item.help) for item in examined.diagnostics if item.code.startswith("SCR")]


def loaded(document: Path, switches: ScriptSwitches | None = None) -> tuple[list[Any], list[Diagnostic]]:
    capability = load(document).capability
    assert capability is not None
    found: list[Diagnostic] = []
    governance = govern(capability.scripting, switches or ScriptSwitches(), {}, found)
    return list(load_scripts(capability, governance, found).values()), found


def test_a_script_is_read_with_its_dependencies_and_limits(tmp_path: Path) -> None:
    scripting = {"timeout": 3000, "statementLimit": 50_000, "memoryLimit": "16MiB"}
    (script,), found = loaded(write(tmp_path, step(dependencies=["lib/first.js"]), scripting=scripting))
    assert found == []
    assert (script.language, script.step) == ("javascript", "shape")
    assert [(item.name, item.text) for item in (*script.dependencies, script.main)] == [
        ("lib/first.js", "const a = 1"),
        ("main.js", "result = 1"),
    ]
    assert (script.limits.timeout_s, script.limits.statements, script.limits.memory_bytes) == (3.0, 50_000, 16 * 2**20)


@pytest.mark.parametrize("location", ["./scripts", "scripts", "file:///./scripts", "file://{folder}/scripts"])
def test_location_is_absolute_or_relative_to_the_document(tmp_path: Path, location: str) -> None:
    written = step(location=location.format(folder=tmp_path))
    (script,), found = loaded(write(tmp_path, written, files={"scripts/main.js": "result = 'there'"}))
    assert (found, script.main.text) == ([], "result = 'there'")


def test_defaults_of_the_control_server_hold_for_steps_that_say_nothing(tmp_path: Path) -> None:
    bare = {"name": "shape", "type": "script", "file": "main.py"}
    scripting = {"defaultLanguage": "Python", "defaultLocation": "file:///./py"}
    (script,), found = loaded(write(tmp_path, bare, scripting=scripting, files={"py/main.py": "result = 2"}))
    assert (found, script.language, script.main.text) == ([], "python", "result = 2")


def test_one_file_is_understood_once_however_many_steps_name_it(tmp_path: Path) -> None:
    steps = [step(name=f"s{number}", language="python", file="main.py") for number in range(50)]
    began = time.monotonic()
    scripts, found = loaded(write(tmp_path, *steps))
    assert (len(scripts), found) == (50, [])
    assert time.monotonic() - began < 5  # understanding a Python file starts a process


LINK = "`link.js` is a link that leads out of {folder}/scripts"
NAMES = "names consist of letters, digits, `.`, `_` and `-`, with `/` between folders"


@pytest.mark.parametrize(
    "name",
    ["../secret.js", "lib/../../secret.js", "/etc/passwd", "a//b.js", ".", "..", "a b.js", "a\\b.js", "é.js", ""],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.js").write_text("result = 's3cret'")
    document = write(tmp_path, step(location="./scripts", file=name), files={"scripts/main.js": ""})
    assert told(document) == [("SCR003", f"`{name}` is no name of a file below `location`", (NAMES,))]


def test_links_that_lead_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.js").write_text("result = 's3cret'")
    document = write(tmp_path, step(location="./scripts", file="link.js"), files={"scripts/main.js": ""})
    (tmp_path / "scripts" / "link.js").symlink_to(tmp_path / "secret.js")
    assert told(document) == [("SCR003", LINK.format(folder=tmp_path.resolve()), ("put the file itself there",))]
    (tmp_path / "scripts" / "inside.js").symlink_to(tmp_path / "scripts" / "main.js")
    assert told(write(tmp_path, step(location="./scripts", file="inside.js"))) == []
    (tmp_path / "scripts" / "up").symlink_to(tmp_path)
    code, message, _help = told(write(tmp_path, step(location="./scripts", file="up/secret.js")))[0]
    assert (code, message.partition(" is a link")[0]) == ("SCR003", "`up/secret.js`")


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    document = write(tmp_path, step(location="./s", file="absent.js"), files={"s/near.js": "", "s/other.js": ""})
    assert told(document) == [
        ("SCR003", f"there is no file {tmp_path}/s/absent.js", ("files there: near.js, other.js",))
    ]
    assert told(write(tmp_path, step(location="./nowhere"))) == [
        ("SCR003", f"the folder {tmp_path}/nowhere of scripts does not exist", ("set `location`",))
    ]
    assert told(write(tmp_path, step(location="https://up.test/"))) == [
        (
            "SCR003",
            "`https://up.test/` is no folder of this machine",
            ("write `file:///folder`, or a folder relative to the document",),
        )
    ]
    large = write(tmp_path, step(file="large.js"), files={"large.js": " " * (2**20 + 1)})
    assert told(large)[0][:2] == ("SCR003", "`large.js` is larger than 1,048,576 bytes")
    assert told(write(tmp_path, step(file="lib")))[0][:2] == ("SCR003", "`lib` is no file")
    (tmp_path / "latin.js").write_bytes(b"// caf\xe9")
    assert told(write(tmp_path, step(file="latin.js")))[0][:2] == ("SCR003", "`latin.js` is not UTF-8 text: byte 6")


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    document = write(tmp_path, step(file="pipe.js"))
    os.mkfifo(tmp_path / "pipe.js")
    assert told(document) == [("SCR003", "`pipe.js` is no file", ())]


def test_a_step_without_a_file_is_told(tmp_path: Path) -> None:
    assert told(write(tmp_path, step(file=None))) == [
        ("SCR003", "script step `shape` has no `file`", ("name the script's file",))
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bad.js", "let a = 1\nlet b = ;", "SyntaxError: unexpected token in expression: ';' (bad.js:2)"),
        ("bad.js", "import x from 'y'", "SyntaxError: Unexpected identifier 'x' (bad.js:1)"),
        ("bad.py", "a = 1\nb = = 2", "Expected an expression (bad.py:2)"),
        ("bad.py", "def f():\n  yield 1", "the sandbox's Python has no yield expressions (bad.py:2)"),
    ],
)
@pytest.mark.parametrize("role", ["file", "dependencies"])
def test_a_script_is_understood_before_it_runs(tmp_path: Path, name: str, text: str, message: str, role: str) -> None:
    language = {"js": "javascript", "py": "python"}[name[-2:]]
    main = f"main.{name[-2:]}"
    files: dict[str, Any] = {"file": name} if role == "file" else {"file": main, "dependencies": [name]}
    assert told(write(tmp_path, step(language=language, **files), files={name: text})) == [("SCR004", message, ())]


def test_understanding_a_script_runs_nothing_of_it(tmp_path: Path) -> None:
    endless = write(tmp_path, step(file="endless.js"), files={"endless.js": "for (;;);"})
    assert told(endless) == []
    assert told(write(tmp_path, step(language="python", file="e.py"), files={"e.py": "while True: pass"})) == []


ON, OFF = ScriptSwitches(), ScriptSwitches(is_off=True)
GROOVY = "write it in JavaScript: `context` and `result` are the same there; see docs/scripts.md"
ALLOWED = "see `allowedLanguages` of `management.scripting`, and `--script-languages`"


@pytest.mark.parametrize(
    ("written", "scripting", "languages", "finding"),
    [
        ("groovy", {}, None, ("script step `shape` is Groovy, which is not run: it has no sandbox that holds", GROOVY)),
        ("Pyton", {}, None, ("`Pyton` is no language of scripts", "did you mean `python`?")),
        (
            None,
            {},
            None,
            (
                "script step `shape` has no `language`",
                "add `language: javascript` or `python`, or `management.scripting.defaultLanguage`",
            ),
        ),
        (
            "javascript",
            {"allowedLanguages": ["python"]},
            None,
            ("script step `shape` uses javascript, which is not allowed (allowed: python)", ALLOWED),
        ),
        (
            "javascript",
            {"allowedLanguages": ["javascript", "groovy"]},
            ("python",),
            ("script step `shape` uses javascript, which is not allowed (allowed: none)", ALLOWED),
        ),
    ],
)
def test_a_language_that_is_not_run_is_told(
    tmp_path: Path,
    written: str | None,
    scripting: dict[str, Any],
    languages: tuple[str, ...] | None,
    finding: tuple[str, str],
) -> None:
    switches = ScriptSwitches(languages=languages) if languages else None
    document = write(tmp_path, step(language=written), scripting=scripting)
    assert told(document, switches) == [("SCR002", finding[0], (finding[1],))]


WAITS = "calls of it fail until an operator switches scripts on: see `capably explain SCR001`"


@pytest.mark.parametrize(
    ("scripting", "environ", "switches", "by"),
    [
        ({"enabled": None}, {}, ON, ""),
        ({"enabled": True}, {}, ON, ""),
        ({"enabled": False}, {}, ON, "`management.scripting.enabled` of the control server"),
        ({"enabled": None}, {"NAFTIKO_SCRIPTING": "false"}, ON, "NAFTIKO_SCRIPTING=false in the environment"),
        ({"enabled": None}, {"IKANOS_SCRIPTING": "False"}, ON, "IKANOS_SCRIPTING=false in the environment"),
        ({"enabled": None}, {"IKANOS_SCRIPTING": "0"}, ON, ""),
        ({"enabled": True}, {"IKANOS_SCRIPTING": "false"}, ON, ""),
        ({"enabled": True}, {"CAPABLY_SCRIPTING": "false"}, ON, "CAPABLY_SCRIPTING=false in the environment"),
        ({"enabled": True}, {}, OFF, "`--no-scripts`"),
    ],
)
def test_scripts_can_be_switched_off_for_good_or_until_an_operator_switches_them_on(
    tmp_path: Path, scripting: dict[str, Any], environ: dict[str, str], switches: ScriptSwitches, by: str
) -> None:
    document = write(tmp_path, step(), scripting=scripting)
    message = f"script step `shape` is not run: scripts are switched off by {by}"
    advice = "the operation is left out" if by.startswith(("CAPABLY", "`--")) else WAITS
    expected = [("SCR001", message, (advice,))] if by else []
    assert told(document, switches, environ) == expected


@pytest.mark.parametrize(
    ("scripting", "message"),
    [
        ({"timeout": 0}, "`timeout: 0` cannot be used"),
        ({"statementLimit": -1}, "`statementLimit: -1` cannot be used"),
        ({"memoryLimit": "much"}, "`memoryLimit: much` cannot be used"),
        ({"memoryLimit": "1KiB"}, "`memoryLimit: 1KiB` cannot be used"),
        ({"allowedLanguages": ["javascript", "ruby"]}, "`ruby` is no language of scripts"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told(tmp_path: Path, scripting: dict[str, Any], message: str) -> None:
    assert [item[:2] for item in told(write(tmp_path, step(), scripting=scripting))] == [("SCR005", message)]
