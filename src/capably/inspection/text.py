"""A report as text for people."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from capably.inspection.report import BYTES_PER_TOKEN, Report, size_of, tokens_of

_HINTS: Final = {
    "readOnlyHint": ("read-only", "changes things"),
    "destructiveHint": ("destructive", ""),
    "idempotentHint": ("idempotent", ""),
    "openWorldHint": ("open world", ""),
}


def lines_of(report: Report) -> Iterator[str]:
    """The lines of a report. What a server says is shown without control characters: it could move the cursor."""
    yield from (_clean(line) for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    server = report.server
    title = f" ({server['title']})" if server.get("title") else ""
    yield f"{server.get('name', 'a server without a name')}{title}, version {server.get('version', 'unknown')}"
    yield f"  at {report.at}, MCP {report.version}"
    if report.capabilities:
        yield f"  can: {', '.join(report.capabilities)}"
    if report.instructions:
        yield f"  says: {report.instructions}"
    size = report.tools_bytes
    yield ""
    yield f"{_count(report.tools, 'tool')}: tools/list costs about {tokens_of(size):,} tokens ({size:,} bytes)"
    for tool in report.tools:
        yield from _tool(tool)
    yield from _section("resource", report.resources, "uri")
    yield from _section("resource template", report.templates, "uriTemplate")
    if report.prompts:
        yield ""
        yield f"{_count(report.prompts, 'prompt')}:"
        for prompt in report.prompts:
            arguments = [item for item in prompt.get("arguments") or () if isinstance(item, dict)]
            takes = ", ".join(f"{item.get('name')}{'' if item.get('required') else '?'}" for item in arguments)
            yield f"  {prompt.get('name')}({takes}){_described(prompt)}"
    yield ""
    yield f"tokens are estimated: {BYTES_PER_TOKEN} bytes of compact JSON count as one"


def _tool(tool: Mapping[str, Any]) -> Iterator[str]:
    size = size_of(tool)
    title = f' "{tool["title"]}"' if tool.get("title") else ""
    yield f"  {tool.get('name')}{title}  ~{tokens_of(size):,} tokens, {size:,} bytes"
    if tool.get("description"):
        yield f"    {tool['description']}"
    annotations = tool.get("annotations")
    if isinstance(annotations, dict):
        told = [words[0] if annotations[key] else words[1] for key, words in _HINTS.items() if key in annotations]
        if any(told):
            yield f"    {', '.join(word for word in told if word)}"
    yield from _schema("takes", tool.get("inputSchema"))
    yield from _schema("gives", tool.get("outputSchema"))


def _schema(verb: str, schema: Any) -> Iterator[str]:
    """One line for each field of an object; `?` marks those that need not be there."""
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        if verb == "gives":
            yield f"    {verb} {_type(schema)}"
        return
    required = schema.get("required") or ()
    fields = (f"{name}{'' if name in required else '?'}: {_type(field)}" for name, field in properties.items())
    yield f"    {verb} {'; '.join(fields)}"


def _type(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "anything"
    if isinstance(schema.get("enum"), list):
        return " | ".join(str(choice) for choice in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    kind = schema.get("type")
    kinds = [str(item) for item in kind] if isinstance(kind, list) else [str(kind)] if kind else ["anything"]
    if "array" in kinds and isinstance(schema.get("items"), dict) and schema["items"]:
        inner = _type(schema["items"])
        kinds[kinds.index("array")] = f"array of ({inner})" if " | " in inner else f"array of {inner}"
    return " | ".join(kinds)


def _section(what: str, entries: list[dict[str, Any]], key: str) -> Iterator[str]:
    if not entries:
        return
    yield ""
    yield f"{_count(entries, what)}:"
    for entry in entries:
        details = [str(entry["mimeType"])] if entry.get("mimeType") else []
        details += [f"{entry['size']:,} bytes"] if isinstance(entry.get("size"), int) else []
        yield f"  {entry.get(key)}  {entry.get('name')}{_described(entry)}" + (
            f"  [{', '.join(details)}]" * bool(details)
        )


def _described(entry: Mapping[str, Any]) -> str:
    return f"  {entry['description']}" if entry.get("description") else ""


def _count(entries: list[dict[str, Any]], what: str) -> str:
    return f"{len(entries)} {what}{'' if len(entries) == 1 else 's'}"


def _clean(line: str) -> str:
    return "".join(character if character.isprintable() else " " for character in line)
