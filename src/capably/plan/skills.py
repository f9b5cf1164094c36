"""The skills of a skill server, compiled: which operation each tool stands for, where the files of a skill are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from capably.diagnostics import Diagnostic, did_you_mean, error
from capably.document import Scalar
from capably.expr.names import find_name
from capably.folder import Folder, unsafe
from capably.imports import local_path
from capably.model.exposes import Exposes, ExposesMcp, ExposesRest
from capably.model.skills import ExposesSkill, Skill, SkillSource
from capably.model.skills import SkillTool as StatedTool
from capably.plan.operation import Derived, Kind, SkillPlan, SkillTool
from capably.plan.parts import parts_of_skill

_STATED = {
    "license": "license",
    "compatibility": "compatibility",
    "argument-hint": "argument_hint",
    "allowed-tools": "allowed_tools",
    "user-invocable": "user_invocable",
    "disable-model-invocation": "disable_model_invocation",
    "metadata": "metadata",
}
"""What Agent Skills says of a skill beside name and description: key, field of the record."""


def compile_skills(server: Exposes, servers: Iterable[Exposes], found: list[Diagnostic]) -> tuple[SkillPlan, ...]:
    """The skills of a server, none when it is of another kind.

    Args:
        server: the server.
        servers: all servers of the document, whose operations tools can stand for.
        found: collects what is wrong.
    """
    if not isinstance(server, ExposesSkill):
        return ()
    compiler = _Compiler({name: other for other in servers for name in _names(other)}, found)
    return tuple(compiler.skill(server, skill) for skill in server.skills)


def _names(server: Exposes) -> Iterator[str]:
    """The name that others call a server by, if it has operations to stand for."""
    if isinstance(server, ExposesRest | ExposesMcp):
        yield server.namespace or server.type


@dataclass(frozen=True, slots=True)
class _Compiler:
    """What skills are compiled with: servers by namespace, and findings."""

    servers: dict[str, Exposes]
    found: list[Diagnostic]

    def skill(self, server: ExposesSkill, skill: Skill) -> SkillPlan:
        folder = self.folder(skill)
        tools = (self.tool(skill, tool, folder) for tool in skill.tools)
        stated = {key: getattr(skill, field) for key, field in _STATED.items()}
        return SkillPlan(
            name=skill.name,
            description=skill.description or "",
            stated={key: value for key, value in stated.items() if value is not None},
            tools=tuple(tool for tool in tools if tool is not None),
            folder=folder,
            span=skill.value_span("name"),
            parts=parts_of_skill(server, skill),
        )

    def folder(self, skill: Skill) -> Folder | None:
        if skill.location is None:
            return None
        span = skill.value_span("location")
        path = local_path(skill.location, Path(span.file))
        if path is None:
            message = f"`{skill.location}` is no folder of this machine"
            advice = "write `file:///folder`, or a path relative to the document"
            self.found.append(error("SKL003", message, span, advice))
            return None
        return Folder(path)

    def tool(self, skill: Skill, tool: StatedTool, folder: Folder | None) -> SkillTool | None:
        if (tool.source is None) == (tool.instruction is None):
            self.tell_what_it_means(tool)
            return None
        means = self.derived(tool.source) if tool.source is not None else self.instruction(skill, tool, folder)
        if means is None:
            return None
        return SkillTool(tool.name, tool.description or "", means, (tool.node.span,))

    def tell_what_it_means(self, tool: StatedTool) -> None:
        written = tool.node.get("from")
        if tool.source is None and written is not None and not (isinstance(written, Scalar) and written.value is None):
            return  # what is wrong with it has been told
        how = "both `from` and `instruction`" if tool.source is not None else "neither `from` nor `instruction`"
        advice = "write one of them: a tool stands for an operation of a server, or names a file with instructions"
        self.found.append(error("SKL001", f"the tool `{tool.name}` has {how}", tool.node.span, advice))

    def derived(self, source: SkillSource) -> Derived | None:
        namespace = find_name(source.namespace, self.servers).one
        if namespace is None:
            message = f"`{source.namespace}` is not the namespace of a REST or MCP server of this document"
            span = source.value_span("sourceNamespace")
            self.found.append(error("SKL002", message, span, *did_you_mean(source.namespace, self.servers)))
            return None
        server = self.servers[namespace]
        actions = list(_actions(server))
        action = find_name(source.action, actions).one
        if action is None:
            what = "tool" if isinstance(server, ExposesMcp) else "operation"
            message = f"`{namespace}` has no {what} `{source.action}`"
            advice = did_you_mean(source.action, actions) or (f"give the {what} it means a `name`",)
            self.found.append(error("SKL002", message, source.value_span("action"), *advice))
            return None
        return Derived(namespace, action, Kind(server.type))

    def instruction(self, skill: Skill, tool: StatedTool, folder: Folder | None) -> str | None:
        written = tool.instruction or ""
        span = tool.value_span("instruction")
        if skill.location is None:
            message = f"`{written}` is a file below the `location` of the skill `{skill.name}`, which has none"
            self.found.append(error("SKL003", message, span, "add `location: ./folder` to the skill"))
            return None
        name = written.removeprefix("./")
        if unsafe(name):
            message = f"`{written}` is no file below the skill's folder"
            self.found.append(error("SKL003", message, span, "name it relative to `location`, without `..`"))
            return None
        return name if folder is not None else None


def _actions(server: Exposes) -> Iterator[str]:
    """The names of a server's operations or tools, as the document states them."""
    if isinstance(server, ExposesMcp):
        yield from (tool.name for tool in server.tools if tool.name is not None)
    elif isinstance(server, ExposesRest):
        for resource in server.resources:
            yield from (operation.name for operation in resource.operations if operation.name is not None)
