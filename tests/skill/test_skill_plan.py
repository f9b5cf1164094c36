"""What is decided of skills when a document is read, and what its author is told."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from capably.cli.main import capably
from capably.examine import Examined, examine
from capably.plan.operation import SkillPlan


def examined(path: Path, old: str = "", new: str = "") -> Examined:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return examine(path)


def skills(found: Examined) -> list[SkillPlan]:
    assert found.compiled is not None
    return [skill for server in found.compiled.plan.servers for skill in server.skills]


def test_the_document_is_faultless(written: Path) -> None:
    assert [item for item in examine(written).diagnostics if item.code.startswith(("SKL", "DOC"))] == []


GUIDE = "guide: {description: How to choose., instruction: docs/guide.md}"
ONE_OF_TWO = "write one of them: a tool stands for an operation of a server, or names a file with instructions"
DERIVED = "from: {sourceNamespace: tools, action: list-ships}"


LEADS_NOWHERE: list[tuple[tuple[str, str], tuple[str, str, str], list[str]]] = [
    (
        (GUIDE, "guide: {description: How.}"),
        ("SKL001", "the tool `guide` has neither `from` nor `instruction`", ONE_OF_TWO),
        ["list-ships", "by-rest"],
    ),
    (
        (DERIVED, f"{DERIVED}, instruction: docs/guide.md"),
        ("SKL001", "the tool `list-ships` has both `from` and `instruction`", ONE_OF_TWO),
        ["by-rest", "guide"],
    ),
    (
        ("sourceNamespace: tools", "sourceNamespace: tool"),
        ("SKL002", "`tool` is not the namespace of a REST or MCP server of this document", "did you mean `tools`?"),
        ["by-rest", "guide"],
    ),
    (
        ("sourceNamespace: tools", "sourceNamespace: skills"),
        (
            "SKL002",
            "`skills` is not the namespace of a REST or MCP server of this document",
            "known here: `web`, `tools`",
        ),
        ["by-rest", "guide"],
    ),
    (
        ("action: list-ships", "action: lst-ship"),
        ("SKL002", "`tools` has no tool `lst-ship`", "did you mean `list-ships`?"),
        ["by-rest", "guide"],
    ),
    (
        ("action: List_Ships", "action: fleet"),
        ("SKL002", "`web` has no operation `fleet`", "known here: `list-ships`"),
        ["list-ships", "guide"],
    ),
    (
        ("location: ./fleet", "tags: [a]"),
        (
            "SKL003",
            "`docs/guide.md` is a file below the `location` of the skill `fleet-ops`, which has none",
            "add `location: ./folder` to the skill",
        ),
        ["list-ships", "by-rest"],
    ),
    (
        ("docs/guide.md", "../secret.txt"),
        (
            "SKL003",
            "`../secret.txt` is no file below the skill's folder",
            "name it relative to `location`, without `..`",
        ),
        ["list-ships", "by-rest"],
    ),
]


@pytest.mark.parametrize(("edit", "told", "left"), LEADS_NOWHERE)
def test_a_tool_that_leads_nowhere_is_told_and_left_out(
    written: Path, edit: tuple[str, str], told: tuple[str, str, str], left: list[str]
) -> None:
    found = examined(written, *edit)
    assert [(item.code, item.message, item.help[0]) for item in found.errors] == [told]
    assert [tool.name for tool in skills(found)[0].tools] == left


def test_a_skill_whose_folder_is_elsewhere_is_left_out(written: Path) -> None:
    found = examined(written, "location: ./fleet", "location: s3://fleet")
    assert [item.message for item in found.errors] == ["`s3://fleet` is no folder of this machine"]
    assert [skill.name for skill in skills(found)] == ["about"]


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("fleet-ops:", "Fleet_Ops:", "SKL004", "agents may refuse the skill name `Fleet_Ops`"),
        ("fleet-ops:", "fleet--ops:", "SKL004", "agents may refuse the skill name `fleet--ops`"),
        ("any agent", "a" * 501, "SKL004",
         "agents may refuse the skill `fleet-ops`: its `compatibility` has 501 characters"),
        ("about: {description: A description alone.}", "about:", "SKL004",
         "the skill `about` has no description: no agent will know when to use it"),
        ("instruction: docs/guide.md", "instruction: docs/guid.md", "SKL006",
         "the folder of the skill `fleet-ops` has no file `docs/guid.md`"),
    ],
)  # fmt: skip
def test_what_agents_stumble_over_is_told_and_served(
    written: Path, old: str, new: str, code: str, message: str
) -> None:
    found = examined(written, old, new)
    (told,) = [item for item in found.diagnostics if item.code.startswith("SKL")]
    assert (told.code, told.message, told.is_error) == (code, message, False)
    assert len(skills(found)) == 2


def test_a_folder_that_is_not_there_is_told(written: Path) -> None:
    found = examined(written, "./fleet", "./fleets")
    (told,) = [item for item in found.diagnostics if item.code == "SKL006"]
    assert told.message == f"the folder of the skill `fleet-ops` does not exist: {written.parent / 'fleets'}"
    assert told.span.line == 25


def test_of_two_skills_with_one_name_the_first_is_served(written: Path) -> None:
    more = "    - {name: fleet-ops, description: One.}\n    - {name: fleet-ops, description: Two.}\n"
    text = written.read_text(encoding="utf-8")
    written.write_text(text[: text.index("      fleet-ops:")] + more, encoding="utf-8")
    found = examine(written)
    (told,) = [item for item in found.diagnostics if item.code == "SKL005"]
    assert told.message == "the skill `fleet-ops` is exposed twice: the first one is served"


def test_the_plan_shows_skills_for_people_and_for_programs(written: Path) -> None:
    shown = CliRunner().invoke(capably, ["plan", str(written)]).output
    assert shown.endswith(
        "skill skills on 127.0.0.1:0, 2 skills\n"
        "  fleet-ops\n"
        f"    files  {written.parent / 'fleet'}\n"
        "    tool   list-ships: tools.list-ships\n"
        "    tool   by-rest: web.list-ships\n"
        "    tool   guide: docs/guide.md\n"
        "  about\n"
    )
    data = json.loads(CliRunner().invoke(capably, ["plan", "--format", "json", str(written)]).output)
    assert data["servers"][2] | {"line": None} == {
        "server": "skill", "namespace": "skills", "address": "127.0.0.1", "port": 0,
        "operations": 0, "forwards": 0, "skills": 2, "asks_for": "none", "line": None,
    }  # fmt: skip
    assert data["skills"][0]["tools"][2] == {
        "name": "guide", "description": "How to choose.", "from": None, "instruction": "docs/guide.md",
    }  # fmt: skip


def test_a_document_with_skills_alone_is_served(tmp_path: Path) -> None:
    path = tmp_path / "about.yaml"
    path.write_text(
        "ikanos: 1.0.0-beta4\ncapability:\n  exposes:\n"
        "  - {type: skill, port: 0, namespace: s, skills: [{name: about, description: Tells.}]}\n",
        encoding="utf-8",
    )
    found = examine(path)
    assert (found.diagnostics, found.is_served) == ((), True)


def test_a_catalogue_open_to_the_network_is_told_for_what_it_shows(written: Path) -> None:
    found = examined(written, "    description: What can", "    address: 0.0.0.0\n    description: What can")
    (told,) = [item for item in found.diagnostics if item.code == "SEC003"]
    assert told.message == "`skills` listens on 0.0.0.0 without authentication"
    assert told.help == (
        "whoever reaches it reads the files of its skills: listen on 127.0.0.1, or add `authentication`",
    )
