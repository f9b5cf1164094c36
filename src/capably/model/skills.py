"""Skills that a capability describes to agents."""

from dataclasses import dataclass

from capably.model.exposes import Exposes
from capably.model.fields import OURS, Record, key


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillSource(Record):
    """The operation or tool that a tool of a skill stands for."""

    namespace: str = key(
        "sourceNamespace", "The namespace of a `rest` or `mcp` server of this document.", required=True
    )
    action: str = key("action", "The name of an operation or tool of that server.", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillTool(Record):
    """A tool of a skill: an operation of another server, or a file with instructions. It is one of the two."""

    name: str = key("name", "Its name.", required=True)
    description: str | None = key("description", "What it does.")
    source: SkillSource | None = key("from", "The operation it stands for.")
    instruction: str | None = key("instruction", "A file below the skill's `location` that says how it is done.")
    tags: tuple[str, ...] = key("tags", "Words to group by.", default=(), since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill(Record):
    """A skill, described as the Agent Skills format describes it."""

    name: str = key("name", "Its name: lower-case letters, digits and hyphens.", required=True)
    description: str | None = key("description", "What it does and when to use it; at most 1,024 characters.")
    license: str | None = key("license", "The licence it is under.")
    compatibility: str | None = key("compatibility", "What it needs of its surroundings; at most 500 characters.")
    argument_hint: str | None = key("argument-hint", "What to write after its name.")
    allowed_tools: str | None = key("allowed-tools", "Tools it may use without asking, with spaces between them.")
    user_invocable: bool | None = key("user-invocable", "Whether people may call it by its name.")
    disable_model_invocation: bool | None = key(
        "disable-model-invocation", "Whether models may not load it themselves."
    )
    metadata: dict[str, str] | None = key("metadata", "More to say of it: texts by name.")
    location: str | None = key("location", "The folder with its files: `file:///...`, or relative to the document.")
    tools: tuple[SkillTool, ...] = key("tools", "The tools it brings.", default=())
    tags: tuple[str, ...] = key("tags", "Words to group by.", default=(), since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposesSkill(Exposes):
    """A catalogue of skills for agents."""

    skills: tuple[Skill, ...] = key("skills", "The skills it offers.", default=())
