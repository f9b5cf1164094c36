"""The skill server: a catalogue that agents read to learn what can be done here, and how.

Nothing is executed: a tool of a skill tells where the operation is, or which file of the skill has instructions. What
the document says is written once, when the server is built; files are read when they are asked for.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, unquote_to_bytes

import msgspec

from capably.diagnostics import nearest
from capably.folder import Folder, FolderError, UnsafeNameError
from capably.plan.operation import Derived, ServerPlan, SkillPlan, SkillTool
from capably.plan.outcome import Fault, Headers
from capably.servers.gatekeeper import Gatekeeper
from capably.servers.http import (
    Application,
    Limits,
    Receive,
    Scope,
    Send,
    check_origin,
    header,
    send_body,
    send_fault,
)
from capably.telemetry.current import asks_for_route

_log = logging.getLogger("capably.skill")
_JSON = "application/json"
_METHODS = "GET, HEAD, OPTIONS"

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class _Page:
    """An answer: its media type, bytes and headers."""

    media_type: str
    body: bytes
    headers: Headers = ()


def build_app(server: ServerPlan, limits: Limits, gatekeeper: Gatekeeper) -> Application:
    """The ASGI application of one skill server."""
    catalogue = _Catalogue(server.skills)

    async def respond(scope: Scope, send: Send) -> None:
        check_origin(scope, limits)
        await gatekeeper.admit(server.gate, scope)
        method = scope["method"]
        if method == "OPTIONS":
            await send_body(send, 204, None, b"", (("allow", _METHODS),))
            return
        if method not in {"GET", "HEAD"}:
            detail = f"skills are read: every path answers to {_METHODS}, none to {method}"
            headers = (("allow", _METHODS),)
            raise Fault(405, "method-not-allowed", "The method is not allowed here", detail, headers=headers)
        segments = _segments(scope["raw_path"])
        asks_for_route(_route(segments), method)
        page = await catalogue.page(segments)
        await _send_page(page, scope, send)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive  # bodies of requests mean nothing here
        is_head = scope["method"] == "HEAD"
        try:
            await respond(scope, send)
        except Fault as fault:
            await send_fault(send, fault, head=is_head)
        except Exception:  # noqa: BLE001 -- the last resort: whatever happens, the caller gets a problem
            _log.exception("%s %s failed", scope["method"], scope["path"])
            await send_fault(send, _INTERNAL, head=is_head)

    return app


_INTERNAL = Fault(500, "internal", "Something went wrong in the server", "the server's log says what happened")


def _route(segments: list[str]) -> str:
    """The template of a path, without the names a caller may make up; empty when there is none."""
    match segments:
        case ["skills"]:
            return "/skills"
        case ["skills", _]:
            return "/skills/{name}"
        case ["skills", _, "download" | "contents" as what]:
            return f"/skills/{{name}}/{what}"
        case ["skills", _, "contents", *_]:
            return "/skills/{name}/contents/{file}"
    return ""


def _segments(raw_path: bytes) -> list[str]:
    """The parts of a path; an encoded slash does not part them."""
    try:
        return [unquote_to_bytes(part).decode() for part in raw_path.split(b"/")[1:]]
    except UnicodeDecodeError:
        detail = "percent-encode the UTF-8 bytes of each part of the path"
        raise Fault(400, "malformed-path", "The path is not UTF-8", detail) from None


async def _send_page(page: _Page, scope: Scope, send: Send) -> None:
    """Send an answer with its entity tag; 304 when the caller has it (RFC 9110, section 13.1.2)."""
    tag = f'"{hashlib.sha256(page.body).hexdigest()[:32]}"'
    # A skill's files are data: no browser may take them for a page of this server.
    headers = (*page.headers, ("etag", tag), ("x-content-type-options", "nosniff"))
    known = [item.strip().removeprefix("W/") for item in (header(scope, b"if-none-match") or "").split(",")]
    if tag in known or known == ["*"]:
        await send_body(send, 304, None, b"", headers)
        return
    await send_body(send, 200, page.media_type, page.body, headers, head=scope["method"] == "HEAD")


class _Catalogue:
    """The pages of a skill server."""

    def __init__(self, skills: tuple[SkillPlan, ...]) -> None:
        self.skills = {skill.name: skill for skill in reversed(skills)}  # of two with one name the first is served
        listed = [_entry(skill) for skill in skills if self.skills[skill.name] is skill]
        self.index = _json({"count": len(listed), "skills": listed})
        self.details = {name: _json(_detail(skill)) for name, skill in self.skills.items()}

    async def page(self, segments: list[str]) -> _Page:
        """The answer to a path.

        Raises:
            Fault: status 404 when there is no such path, skill or file, 400 when a file's name is unsafe.
        """
        match segments:
            case ["skills"]:
                return self.index
            case ["skills", name]:
                return self.details[self.skill(name).name]
            case ["skills", name, "download"]:
                return await self.download(name)
            case ["skills", name, "contents"]:
                return await self.contents(name)
            case ["skills", name, "contents", *parts]:
                return await self.file(name, parts)
        detail = "see /skills, /skills/NAME, /skills/NAME/contents, /skills/NAME/contents/FILE, /skills/NAME/download"
        raise Fault(404, "no-route", "Nothing has this path", detail)

    def skill(self, name: str) -> SkillPlan:
        skill = self.skills.get(name)
        if skill is None:
            close = nearest(name[:100], self.skills)
            advice = f"did you mean `{close}`?" if close is not None else "see /skills for those there are"
            raise Fault(404, "no-skill", "There is no such skill", f"no skill is named `{name[:100]}`: {advice}")
        return skill

    async def download(self, name: str) -> _Page:
        skill = self.skill(name)
        body = await _read(skill, lambda folder: folder.archive())
        headers = (("content-disposition", f"attachment; filename*=UTF-8''{quote(skill.name, safe='')}.zip"),)
        return _Page("application/zip", body, headers)

    async def contents(self, name: str) -> _Page:
        skill = self.skill(name)
        files = await _read(skill, lambda folder: folder.files())
        listed = [{"path": file.name, "size": file.size, "type": file.media_type} for file in files]
        return _json({"name": skill.name, "files": listed})

    async def file(self, name: str, parts: list[str]) -> _Page:
        skill = self.skill(name)
        if any("/" in part for part in parts):
            raise _unsafe("a part of the name holds a slash")
        wanted = "/".join(parts)
        found = await _read(skill, lambda folder: folder.read(wanted))
        if found is None:
            detail = f"the skill `{skill.name}` has no such file: see /skills/{quote(skill.name, safe='')}/contents"
            raise Fault(404, "no-file", "There is no such file", detail)
        file, data = found
        return _Page(_with_charset(file.media_type, data), data, (("content-security-policy", "sandbox"),))


async def _read(skill: SkillPlan, work: Callable[[Folder], Read]) -> Read:
    """Read files of a skill, in a thread of their own.

    Raises:
        Fault: 404 without files, 400 for an unsafe name, 500 when they cannot be shown.
    """
    if skill.folder is None or not skill.folder.exists:
        raise Fault(404, "no-files", "The skill has no files", f"the skill `{skill.name}` is a description alone")
    try:
        return await asyncio.to_thread(work, skill.folder)
    except UnsafeNameError as problem:
        raise _unsafe(str(problem)) from None
    except FolderError as problem:
        _log.warning("skill %s: %s", skill.name, problem)
        raise Fault(500, "files-not-readable", "The files of the skill cannot be read", str(problem)) from None


def _unsafe(why: str) -> Fault:
    return Fault(400, "unsafe-path", "The name of the file is refused", why)


def _entry(skill: SkillPlan) -> dict[str, Any]:
    """A skill in the catalogue."""
    licence = {"license": skill.stated["license"]} if "license" in skill.stated else {}
    names = [tool.name for tool in skill.tools]
    return {"name": skill.name, "description": skill.description, **licence, "tools": names}


def _detail(skill: SkillPlan) -> dict[str, Any]:
    tools = [_tool(tool) for tool in skill.tools]
    return {"name": skill.name, "description": skill.description, **skill.stated, "tools": tools}


def _tool(tool: SkillTool) -> dict[str, Any]:
    about = {"name": tool.name, "description": tool.description}
    if isinstance(tool.means, Derived):
        means = tool.means
        reference = {"targetNamespace": means.namespace, "action": means.action, "mode": means.mode.value}
        return {**about, "type": "derived", "invocationRef": reference}
    return {**about, "type": "instruction", "instruction": tool.means}


def _json(value: dict[str, Any]) -> _Page:
    return _Page(_JSON, msgspec.json.encode(value))


def _with_charset(media_type: str, data: bytes) -> str:
    """The media type of a text with the character set it is in, when that is UTF-8."""
    if not media_type.startswith("text/"):
        return media_type
    try:
        data.decode()
    except UnicodeDecodeError:
        return media_type
    return f"{media_type}; charset=utf-8"
