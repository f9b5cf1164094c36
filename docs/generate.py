"""Writes the pages of docs/reference from the program itself; ``--check`` only tells whether they are fresh."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from capably.casefile.records import Answer, CaseFile, Exchange, Reply, Story
from capably.cli.main import capably
from capably.codes import CODES
from capably.model.auth import Authentication
from capably.model.capability import Bind, Info
from capably.model.consumes import ConsumedOperation, ConsumedResource, Consumes
from capably.model.control import (
    Exporters,
    ExposesControl,
    LocalMetrics,
    LocalTraces,
    LogAccess,
    Management,
    Metrics,
    Observability,
    OtlpExporter,
    Traces,
)
from capably.model.exposes import ExposedOperation, ExposedResource, ExposesMcp, ExposesRest, Tool, ToolHints
from capably.model.fields import PUBLISHED, Record
from capably.model.schema import DocumentedKey, documented_keys
from capably.model.scripting import Scripting
from capably.model.skills import ExposesSkill, Skill, SkillSource, SkillTool
from capably.model.values import Output, Parameter
from capably.plan.description import PlanDescription
from capably.telemetry import names
from capably.telemetry.metrics import SECONDS
from capably.telemetry.process import PROCESS

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Made by docs/generate.py; change the program, then run it. -->\n"


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below a group, with its full name."""
    context = click.Context(group, info_name=name)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if command is None:
            continue
        yield f"{name} {word}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")


def help_text(command: click.Command, name: str) -> str:
    """What ``--help`` prints on a terminal of 100 columns."""
    context = click.Context(command, info_name=name, terminal_width=100, help_option_names=["-h", "--help"])
    return command.get_help(context)


def command_page() -> str:
    """The command line reference."""
    every = [("capably", capably), *commands(capably, "capably")]
    parts = [f"## {name}\n\n```text\n{help_text(command, name)}\n```\n" for name, command in every]
    return f"{NOTE}# Commands\n\n" + "\n".join(parts)


def diagnostics_page() -> str:
    """The diagnostic codes."""
    parts = [f"## {code}: {page.title}\n\n{page.text}\n" for code, page in CODES.items()]
    return f"{NOTE}# Diagnostics\n\n`capably explain CODE` shows the same texts.\n\n" + "\n".join(parts)


def plan_schema() -> str:
    """The JSON Schema of ``capably plan --format json``."""
    schema = msgspec.json.schema(PlanDescription)
    title = (
        "One line of `capably plan --format json`; `file` and the findings of `capably check` stand beside these keys."
    )
    return (
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}, indent=2)
        + "\n"
    )


RECORDS: dict[str, type[Record]] = {
    "info": Info,
    "binds": Bind,
    "consumes": Consumes,
    "consumes.authentication": Authentication,
    "consumes.resources": ConsumedResource,
    "consumes.resources.operations": ConsumedOperation,
    "inputParameters": Parameter,
    "outputParameters": Output,
    "exposes, type: rest": ExposesRest,
    "exposes.resources": ExposedResource,
    "exposes.resources.operations": ExposedOperation,
    "exposes, type: mcp": ExposesMcp,
    "exposes.tools": Tool,
    "exposes.tools.hints": ToolHints,
    "exposes, type: skill": ExposesSkill,
    "exposes.skills": Skill,
    "exposes.skills.tools": SkillTool,
    "exposes.skills.tools.from": SkillSource,
    "exposes, type: control": ExposesControl,
    "exposes.management": Management,
    "exposes.management.logs": LogAccess,
    "exposes.management.scripting": Scripting,
    "exposes.observability": Observability,
    "exposes.observability.metrics": Metrics,
    "exposes.observability.metrics.local": LocalMetrics,
    "exposes.observability.traces": Traces,
    "exposes.observability.traces.local": LocalTraces,
    "exposes.observability.exporters": Exporters,
    "exposes.observability.exporters.otlp": OtlpExporter,
}
LANGUAGE = """# The document language, key by key

A document states its version (`naftiko: 0.4` to `1.0.0-alpha3`, `ikanos: 1.0.0-alpha3` to `1.0.0-beta5`) and holds
`info`, `binds` and `capability` with `consumes` and `exposes`. Files that hold only one of `binds`, `consumes`,
`exposes` or `aggregates` at their root are there to be imported. Collections of named things are lists whose items
have `name`, or, since 1.0.0-alpha3, maps keyed by name; both are read under every version. *Since* says which published
version brought a key; `capably` marks those that are in none. `capably schema` prints the same as a JSON Schema.
"""


def language_page() -> str:
    """What documents can say."""
    parts = [NOTE + LANGUAGE]
    for title, kind in RECORDS.items():
        parts.append(f"## {title}\n\n{(kind.__doc__ or '').partition(chr(10))[0]}\n")
        parts.append("| key | since | meaning |\n|---|---|---|")
        parts.append("\n".join(key_row(item) for item in documented_keys(kind)) + "\n")
    return "\n".join(parts)


CASE_RECORDS: dict[str, type[Record]] = {
    "the file": CaseFile,
    "stories": Story,
    "stories.upstream": Exchange,
    "stories.upstream.reply": Reply,
    "stories.answer": Answer,
}
CASES = """# Case files, key by key

What `capably test` runs. How they are written is told in [testing documents](../testing-documents.md).
"""


def cases_page() -> str:
    """What case files can say."""
    parts = [NOTE + CASES]
    for title, kind in CASE_RECORDS.items():
        parts.append(f"## {title}\n\n{(kind.__doc__ or '').partition(chr(10))[0]}\n")
        parts.append("| key | meaning |\n|---|---|")
        parts.append("\n".join(case_row(item) for item in documented_keys(kind)) + "\n")
    return "\n".join(parts)


def case_row(item: DocumentedKey) -> str:
    """A line of a table of keys that have no versions."""
    choices = f" One of {', '.join(item.value.one_of)}." if item.value.one_of else ""
    return f"| `{item.name}` | {item.doc}{choices}{' Required.' if item.required else ''} |"


def key_row(item: DocumentedKey) -> str:
    """A line of a table of keys."""
    since = "0.4 to 1.0.0-alpha2" if item.since == PUBLISHED else item.since
    older = f" Earlier: `{'`, `'.join(item.older)}`." if item.older else ""
    choices = f" One of {', '.join(item.value.one_of)}." if item.value.one_of else ""
    need = " Required." if item.required else ""
    return f"| `{item.name}` | {since} | {item.doc}{choices}{need}{older} |"


TELEMETRY = """# What is recorded

How to see it is in [telemetry.md](../telemetry.md). Names beginning with `ikanos` follow the published versions; the
others are those of OpenTelemetry's semantic conventions.
"""


def telemetry_page() -> str:
    """Every span and every metric."""
    parts = [NOTE + TELEMETRY, "## Spans\n", "| span | kind | attributes it can have |\n|---|---|---|"]
    for name, kind, attributes in names.SPANS:
        parts.append(f"| `{'`, `'.join(name.split(', '))}` | {kind} | `{'`, `'.join(attributes)}` |")
    parts.append("\n## Metrics\n\n| metric | in Prometheus | type | labels | meaning |\n|---|---|---|---|---|")
    for metric in (*names.PUBLISHED, *PROCESS):
        labels = f"`{'`, `'.join(metric.labels)}`" if metric.labels else ""
        parts.append(f"| `{metric.name}` | `{metric.prometheus}` | {metric.type} | {labels} | {metric.help} |")
    bounds = ", ".join(f"{bound:g}" for bound in SECONDS)
    parts.append(f"\nBuckets of durations end at {bounds} seconds.\n")
    return "\n".join(parts)


PAGES = {
    "language.md": language_page,
    "cases.md": cases_page,
    "commands.md": command_page,
    "diagnostics.md": diagnostics_page,
    "plan.schema.json": plan_schema,
    "telemetry.md": telemetry_page,
}


def main(arguments: list[str]) -> int:
    """Write or check every page."""
    stale = []
    REFERENCE.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        page, path = make(), REFERENCE / name
        if path.exists() and path.read_text(encoding="utf-8") == page:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.write_text(page, encoding="utf-8")
    if stale and "--check" in arguments:
        sys.stderr.write(f"stale: {', '.join(stale)}; run .venv/bin/python docs/generate.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
