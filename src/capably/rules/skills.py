"""Rules about skills: what clients refuse, and files that are not there."""

import re
from collections.abc import Iterator

from capably.diagnostics import Diagnostic, did_you_mean, warning
from capably.folder import FolderError
from capably.model.capability import Capability
from capably.model.skills import ExposesSkill, Skill
from capably.plan.compile import Compiled
from capably.plan.operation import Kind, SkillPlan

# The Agent Skills specification (agentskills.io): at most 64 characters, no hyphen at an end, none beside another.
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST = {"name": 64, "description": 1024, "compatibility": 500}


def skill_out_of_form(capability: Capability, _compiled: Compiled) -> Iterator[Diagnostic]:
    """What a skill says of itself in a form that agents refuse."""
    for skill in _stated(capability):
        if not _NAME.fullmatch(skill.name):
            message = f"agents may refuse the skill name `{skill.name}`"
            advice = "use lower-case letters, digits and single hyphens between them"
            yield warning("SKL004", message, skill.value_span("name"), advice)
        for key, most in _LONGEST.items():
            length = len(getattr(skill, key) or "")
            if length > most:
                message = f"agents may refuse the skill `{skill.name}`: its `{key}` has {length:,} characters"
                yield warning("SKL004", message, skill.value_span(key), f"{most:,} are allowed")
        if skill.description is None:
            message = f"the skill `{skill.name}` has no description: no agent will know when to use it"
            yield warning("SKL004", message, skill.value_span("name"), "add `description:`")


def skill_twice(_capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """Two skills of one server have the same name."""
    for server in compiled.plan.servers:
        first: dict[str, SkillPlan] = {}
        for skill in server.skills:
            earlier = first.setdefault(skill.name, skill)
            if earlier is not skill:
                message = f"the skill `{skill.name}` is exposed twice: the first one is served"
                advice = "rename or remove one of them"
                yield warning("SKL005", message, skill.span, advice, related=[(earlier.span, "the first one")])


def skill_files_absent(_capability: Capability, compiled: Compiled) -> Iterator[Diagnostic]:
    """A skill's folder that is not there, and instructions that are not in it."""
    for server in compiled.plan.servers:
        for skill in server.skills if server.kind is Kind.SKILL else ():
            yield from _absent(skill)


def _absent(skill: SkillPlan) -> Iterator[Diagnostic]:
    if skill.folder is None:
        return
    if not skill.folder.exists:
        message = f"the folder of the skill `{skill.name}` does not exist: {skill.folder.path}"
        yield warning("SKL006", message, skill.parts[-1], "the skill is served without files")
        return
    try:
        names = [file.name for file in skill.folder.files()]
    except FolderError as problem:
        yield warning("SKL006", f"the skill `{skill.name}` has no files: {problem}", skill.parts[-1])
        return
    for tool in skill.tools:
        if isinstance(tool.means, str) and tool.means not in names:
            message = f"the folder of the skill `{skill.name}` has no file `{tool.means}`"
            yield warning("SKL006", message, tool.parts[0], *did_you_mean(tool.means, names))


def _stated(capability: Capability) -> Iterator[Skill]:
    for server in capability.exposes:
        if isinstance(server, ExposesSkill):
            yield from server.skills
