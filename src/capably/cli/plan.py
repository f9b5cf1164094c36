"""``capably plan``: what each operation of a document will do."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from capably.cli.console import bold, wants_colour
from capably.cli.flow_drawing import flow_lines
from capably.cli.options import documents_below
from capably.render.count import amount

if TYPE_CHECKING:
    from capably.examine import Examined
    from capably.plan.description import (
        ForwardDescription,
        OperationDescription,
        PlanDescription,
        RequestDescription,
        ServerDescription,
        SkillDescription,
    )
    from capably.plan.flow_description import TargetDescription


@click.command(epilog="Exit codes: 0 every document has a plan, 1 a document has errors, 2 used wrongly.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text for people, json (one object per document and line) for programs.",
)
def plan(*, files: tuple[Path, ...], output: str) -> None:
    """Show what each exposed operation will do, without starting anything.

    For each operation: the upstream operation it calls and which rule decided that, its inputs and where each came
    from, and the request that sample inputs would make. Needs no variables and no secrets: they show as <NAME>.

    \b
    Examples:
      capably plan fleet.yaml
      capably plan --format json capabilities/ | jq '.operations[].example.url'
    """
    from capably.examine import examine
    from capably.render.ndjson import document_json
    from capably.render.text import render_text
    from capably.telemetry.redaction import Redactor

    colour = wants_colour(sys.stdout)
    failed = False
    for path in documents_below(files):
        examined = examine(path)
        failed = failed or examined.has_errors
        hide = Redactor(examined.compiled.written if examined.compiled is not None else ()).hide
        if output == "json":
            sys.stdout.write(hide(_json_line(examined, document_json(examined.file, list(examined.diagnostics)))))
            continue
        sys.stdout.writelines(f"{hide(line)}\n" for line in _lines(examined, colour=colour))
        errors = [item for item in examined.diagnostics if item.is_error]
        if errors:
            sys.stdout.flush()
            sys.stderr.write(render_text(errors, examined.texts, colour=wants_colour(sys.stderr)))
    sys.exit(1 if failed else 0)


def _described(examined: "Examined") -> "PlanDescription":
    from capably.plan.description import NO_PLAN, describe_plan

    return describe_plan(examined.compiled.plan) if examined.compiled is not None else NO_PLAN


def _json_line(examined: "Examined", findings: dict[str, Any]) -> str:
    import json

    return json.dumps({"file": examined.file, **_described(examined), **findings}) + "\n"


def _lines(examined: "Examined", *, colour: bool) -> Iterator[str]:
    described = _described(examined)
    yield bold(f"{described['title'] or examined.file}  ({examined.file})", colour=colour)
    if described["language"]:
        yield f"language {described['language']}"
    for namespace, base in described["upstreams"].items():
        yield f"upstream {namespace}: {base}"
    for server in described["servers"]:
        yield ""
        address = f"{server['address']}:{server['port']}"
        asks = f", callers need {server['asks_for']}" if server["asks_for"] != "none" else ""
        yield bold(f"{server['server']} {server['namespace']} on {address}, {_offers(server)}{asks}", colour=colour)
        for operation in described["operations"]:
            if (operation["server"], operation["namespace"]) == (server["server"], server["namespace"]):
                yield from _operation_lines(operation)
        for forward in described["forwards"]:
            if (server["server"], server["namespace"]) == ("rest", forward["namespace"]):
                yield from _forward_lines(forward)
        for skill in described["skills"]:
            if (server["server"], server["namespace"]) == ("skill", skill["namespace"]):
                yield from _skill_lines(skill)
        yield from _shown_lines(described, server["namespace"])


def _shown_lines(described: "PlanDescription", namespace: str) -> Iterator[str]:
    """What a server shows besides its tools, if it is one of MCP."""
    for resource in described["resources"]:
        if resource["namespace"] == namespace:
            yield f"  resource {resource['uri']}"
            yield f"    from   {resource['source']}"
            yield from _scope_lines(resource["scopes"])
    for prompt in described["prompts"]:
        if prompt["namespace"] == namespace:
            yield f"  prompt {prompt['name']}({', '.join(prompt['arguments'])})"
            yield from _scope_lines(prompt["scopes"])


def _offers(server: "ServerDescription") -> str:
    if server["server"] == "control":
        return "shows and steers the process"
    if server["server"] == "skill":
        return amount(server["skills"], "skill")
    return amount(server["operations"], "operation") + (
        f", {server['forwards']} forwarded" if server["forwards"] else ""
    )


def _operation_lines(operation: "OperationDescription") -> Iterator[str]:
    front = operation["name"] if operation["method"] is None else f"{operation['method']} {operation['path']}"
    yield f"  {front}"
    if operation["served_as"] != operation["name"]:
        yield f"    served as {operation['served_as']}"
    if operation["asks_for"] is not None:
        yield f"    asks   callers for {operation['asks_for']}"
    yield from _scope_lines(operation["scopes"])
    target, flow = operation["target"], operation["flow"]
    if flow is not None:
        yield from flow_lines(flow)
    elif target is None:
        yield f"    answers by itself ({operation['decided_by']})"
    else:
        how = f"{_target_name(target)}, decided by {operation['decided_by']}"
        yield f"    calls  {target['method']} {target['path']}  ({how})"
    for item in operation["inputs"]:
        need = "required" if item["required"] else "optional"
        yield f"    input  {item['name']}: {item['type']}, {need}, in {item['in']}, known from {item['from']}"
    yield from _example_lines(operation["example"])


def _scope_lines(scopes: list[str]) -> Iterator[str]:
    if scopes:
        yield f"    scopes {' '.join(scopes)}"


def _example_lines(example: "RequestDescription | None") -> Iterator[str]:
    if example is not None:
        yield f"    sends  {example['method']} {example['url']}"
        for name, value in example["headers"].items():
            yield f"           {name}: {value}"
        if example["body"] is not None:
            yield f"           {_compact(example['body'])}"


def _forward_lines(forward: "ForwardDescription") -> Iterator[str]:
    yield f"  ANY {forward['path']}"
    yield from _scope_lines(forward["scopes"])
    yield f"    passes requests on to {forward['target']}"
    yield f"    trusts {', '.join(forward['trusted_headers']) or 'no header of callers'}"
    yield from _example_lines(forward["example"])


def _skill_lines(skill: "SkillDescription") -> Iterator[str]:
    yield f"  {skill['name']}"
    if skill["location"] is not None:
        yield f"    files  {skill['location']}"
    for tool in skill["tools"]:
        yield f"    tool   {tool['name']}: {tool['from'] or tool['instruction']}"


def _target_name(target: "TargetDescription") -> str:
    return f"{target['namespace']}.{target['resource']}.{target['operation']}"


def _compact(body: Any) -> str:
    import json

    return json.dumps(body, ensure_ascii=False)
