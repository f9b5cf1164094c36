"""The skill server: what agents read of a document's skills, and that they read nothing else."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from capably import folder

if TYPE_CHECKING:
    from tests.skill.conftest import Client

FLEET = {
    "name": "fleet-ops",
    "description": "Find ships. Use it when somebody asks for one.",
    "license": "Apache-2.0",
    "compatibility": "any agent",
    "argument-hint": "[name]",
    "allowed-tools": "list-ships",
    "user-invocable": True,
    "disable-model-invocation": False,
    "metadata": {"owner": "harbour"},
    "tools": [
        {
            "name": "list-ships",
            "description": "All ships.",
            "type": "derived",
            "invocationRef": {"targetNamespace": "tools", "action": "list-ships", "mode": "mcp"},
        },
        {
            "name": "by-rest",
            "description": "The same.",
            "type": "derived",
            "invocationRef": {"targetNamespace": "web", "action": "list-ships", "mode": "rest"},
        },
        {"name": "guide", "description": "How to choose.", "type": "instruction", "instruction": "docs/guide.md"},
    ],
}


async def test_the_catalogue_lists_skills_with_the_names_of_their_tools(client: "Client", written: Path) -> None:
    async with client(written) as session:
        answer = await session.get("/skills")
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert await answer.json() == {
            "count": 2,
            "skills": [
                {
                    "name": "fleet-ops",
                    "description": "Find ships. Use it when somebody asks for one.",
                    "license": "Apache-2.0",
                    "tools": ["list-ships", "by-rest", "guide"],
                },
                {"name": "about", "description": "A description alone.", "tools": []},
            ],
        }


async def test_a_skill_tells_what_the_document_says_of_it_and_nothing_it_does_not(
    client: "Client", written: Path
) -> None:
    async with client(written) as session:
        assert await (await session.get("/skills/fleet-ops")).json() == FLEET
        alone = {"name": "about", "description": "A description alone.", "tools": []}
        assert await (await session.get("/skills/about")).json() == alone


async def test_contents_are_listed_by_name_without_links_and_hidden_files(client: "Client", written: Path) -> None:
    async with client(written) as session:
        answer = await session.get("/skills/fleet-ops/contents")
        assert await answer.json() == {
            "name": "fleet-ops",
            "files": [
                {"path": "SKILL.md", "size": 24, "type": "text/markdown"},
                {"path": "docs/a b.bin", "size": 256, "type": "application/octet-stream"},
                {"path": "docs/guide.md", "size": 39, "type": "text/markdown"},
            ],
        }


async def test_files_come_as_they_are_with_their_type_and_as_no_page(client: "Client", written: Path) -> None:
    async with client(written) as session:
        guide = await session.get("/skills/fleet-ops/contents/docs/guide.md")
        assert guide.headers["content-type"] == "text/markdown; charset=utf-8"
        assert guide.headers["x-content-type-options"] == "nosniff"
        assert guide.headers["content-security-policy"] == "sandbox"
        assert (await guide.text()).endswith("⚓\n")
        other = await session.get("/skills/fleet-ops/contents/docs/a%20b.bin")
        assert (other.headers["content-type"], await other.read()) == ("application/octet-stream", bytes(range(256)))


async def test_a_file_that_changes_is_read_anew(client: "Client", written: Path) -> None:
    async with client(written) as session:
        (written.parent / "fleet" / "new.txt").write_text("new", encoding="utf-8")
        assert await (await session.get("/skills/fleet-ops/contents/new.txt")).text() == "new"


async def test_a_download_is_a_zip_whose_bytes_depend_on_the_files_alone(client: "Client", written: Path) -> None:
    async with client(written) as session:
        first = await session.get("/skills/fleet-ops/download")
        assert first.headers["content-type"] == "application/zip"
        assert first.headers["content-disposition"] == "attachment; filename*=UTF-8''fleet-ops.zip"
        data = await first.read()
        for file in (written.parent / "fleet").rglob("*.md"):
            os.utime(file, (0, 0))
        again = await session.get("/skills/fleet-ops/download")
        assert await again.read() == data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["SKILL.md", "docs/a b.bin", "docs/guide.md"]
        assert archive.testzip() is None
        assert archive.read("docs/a b.bin") == bytes(range(256))


@pytest.mark.parametrize("path", ["/skills", "/skills/fleet-ops", "/skills/fleet-ops/contents/SKILL.md"])
async def test_what_a_caller_has_already_is_not_sent_again(client: "Client", written: Path, path: str) -> None:
    async with client(written) as session:
        tag = (await session.get(path)).headers["etag"]
        same = await session.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (same.status, await same.read(), same.headers["etag"]) == (304, b"", tag)
        assert (await session.get(path, headers={"If-None-Match": '"other"'})).status == 200


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/skills/fleet-op", "no-skill"),
        ("/skills/nothing/contents", "no-skill"),
        ("/skills/about/contents", "no-files"),
        ("/skills/about/download", "no-files"),
        ("/skills/about/contents/x.md", "no-files"),
        ("/skills/fleet-ops/contents/absent.md", "no-file"),
        ("/skills/fleet-ops/contents/docs", "no-file"),
        ("/skills/fleet-ops/contents/.env", "no-file"),
        ("/skills/fleet-ops/SKILL.md", "no-route"),
        ("/skills/", "no-skill"),
        ("/", "no-route"),
    ],
)
async def test_what_is_not_there_is_a_problem_of_its_kind(
    client: "Client", written: Path, path: str, kind: str
) -> None:
    async with client(written) as session:
        answer = await session.get(path)
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
        assert (await answer.json())["type"] == f"urn:problem-type:capably:{kind}"


async def test_an_unknown_skill_is_told_with_the_nearest_name(client: "Client", written: Path) -> None:
    async with client(written) as session:
        answer = await session.get("/skills/fleet-op")
        assert (await answer.json())["detail"] == "no skill is named `fleet-op`: did you mean `fleet-ops`?"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "docs/../../secret.txt",
        "docs/./guide.md",
        "docs//guide.md",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "docs%5c..%5c..%5csecret.txt",
        "C:%5csecret.txt",
        "docs/guide.md%00",
        "docs/linked.txt",
        "linked/secret.txt",
        "linked",
        "",
    ],
)
async def test_a_name_that_could_lead_out_of_the_folder_is_refused(client: "Client", written: Path, name: str) -> None:
    async with client(written) as session:
        answer = await session.get(f"/skills/fleet-ops/contents/{name}")
        text = await answer.text()
        assert (answer.status, json.loads(text)["type"]) == (400, "urn:problem-type:capably:unsafe-path")
        assert str(written.parent) not in text


async def test_links_are_not_in_a_download(client: "Client", written: Path) -> None:
    async with client(written) as session:
        answer = await session.get("/skills/fleet-ops/download")
        assert b"linked" not in await answer.read()


async def test_a_folder_that_holds_too_much_is_not_shown(
    client: "Client", written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "MAX_FILES", 2)
    async with client(written) as session:
        for path in ("contents", "contents/SKILL.md", "download"):
            answer = await session.get(f"/skills/fleet-ops/{path}")
            assert (answer.status, (await answer.json())["type"]) == (
                500,
                "urn:problem-type:capably:files-not-readable",
            )


async def test_a_skill_server_is_read_only(client: "Client", written: Path) -> None:
    async with client(written) as session:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            refused = await session.ask(method, "/skills/fleet-ops")
            assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        asked = await session.ask("OPTIONS", "/skills")
        assert (asked.status, asked.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
        head = await session.ask("HEAD", "/skills")
        assert (head.status, await head.read()) == (200, b"")
        assert int(head.headers["content-length"]) > 100


@pytest.fixture
def closed(written: Path) -> Path:
    """The document, asking its callers for a token."""
    block = "    authentication: {type: bearer, token: '{{env.DOOR}}'}\n    description: What"
    written.write_text(written.read_text(encoding="utf-8").replace("    description: What", block), encoding="utf-8")
    return written


async def test_strangers_and_foreign_pages_are_refused_as_everywhere(client: "Client", closed: Path) -> None:
    async with client(closed) as session:
        for path in ("/skills", "/skills/fleet-ops/download", "/nothing"):
            assert (await session.get(path)).status == 401
        known = {"Authorization": "Bearer open"}
        assert (await session.get("/skills", headers=known)).status == 200
        assert (await session.get("/skills", headers={**known, "Host": "evil.example"})).status == 421
        assert (await session.get("/skills", headers={**known, "Origin": "https://evil.example"})).status == 403
