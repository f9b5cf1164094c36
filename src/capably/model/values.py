"""Parameters, outputs and bodies: what flows through operations."""

from dataclasses import dataclass
from typing import TypeAlias

from capably.document import Node
from capably.model.fields import OURS, Record, key

LOCATIONS = ("query", "header", "path", "cookie", "body", "environment")
TYPES = ("string", "number", "integer", "boolean", "object", "array")
STYLES = ("form", "spaceDelimited", "pipeDelimited", "deepObject", "simple", "label", "matrix")
COLLECTION_FORMATS = ("csv", "ssv", "tsv", "pipes", "multi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(Record):
    """A value that goes into a request, on either side."""

    name: str = key("name", "The parameter's name.", required=True)
    in_: str | None = key("in", "Where it stands in the request.", one_of=LOCATIONS)
    type: str | None = key("type", "Its JSON type.", one_of=TYPES)
    required: bool | None = key("required", "Whether a call without it is refused.")
    display: str | None = key("display", "A title for people.", since=OURS)
    description: str | None = key("description", "What it means.")
    value: Node | None = key("value", "A fixed value, or a template.")
    template: str | None = key("template", "An older spelling of `value`.", since=OURS)
    default: Node | None = key("default", "The value when the caller gives none.", since=OURS)
    const: Node | None = key("const", "The only value allowed.", since=OURS)
    enum: Node | None = key("enum", "The values allowed.", since=OURS)
    pattern: str | None = key("pattern", "A regular expression the text must match.")
    example: Node | None = key("example", "A sample value.", since=OURS)
    minimum: Node | None = key("minimum", "The smallest number allowed.", since=OURS)
    maximum: Node | None = key("maximum", "The largest number allowed.", since=OURS)
    min_length: int | None = key("minLength", "The fewest characters a text may have.", since=OURS)
    max_length: int | None = key("maxLength", "The most characters a text may have.", since=OURS)
    min_items: int | None = key("minItems", "The fewest elements an array may have.", since=OURS)
    max_items: int | None = key("maxItems", "The most elements an array may have.", since=OURS)
    mcp_header: str | None = key(
        "x-mcp-header", "MCP clients mirror this argument of a tool in the header `Mcp-Param-<this>`.", since=OURS
    )
    items: Node | None = key("items", "The parameter each element of an array is.", since=OURS)
    properties: Node | None = key("properties", "The parameters an object holds.", since=OURS)
    format: str | None = key("format", "The format of a text; those of JSON Schema (2020-12) are checked.", since=OURS)
    style: str | None = key("style", "How a list or an object is written (OpenAPI 3.1).", one_of=STYLES, since=OURS)
    explode: bool | None = key("explode", "Whether each item is written on its own.", since=OURS)
    collection_format: str | None = key(
        "collectionFormat", "What `style` was in Swagger 2.", one_of=COLLECTION_FORMATS, since=OURS
    )
    tags: tuple[str, ...] = key("tags", "Words to group by.", default=(), since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Record):
    """A value that is taken out of an answer."""

    name: str | None = key("name", "The output's name.")
    type: str | None = key("type", "Its JSON type.", one_of=TYPES)
    display: str | None = key("display", "A title for people.", since=OURS)
    description: str | None = key("description", "What it means.", since=OURS)
    required: bool | None = key("required", "Whether it is always there.", since=OURS)
    in_: str | None = key("in", "Where it stands in the answer: body (default), or header over REST.", since=OURS)
    mapping: Node | None = key("mapping", "A JSONPath into the upstream's answer.")
    value: Node | None = key("value", "A fixed value; on a consumed operation a JSONPath.")
    const: Node | None = key("const", "A fixed value.")
    properties: "Node | None" = key("properties", "The outputs an object is made of.")
    items: "Node | None" = key("items", "The output each element of an array becomes.")
    values: "Node | None" = key("values", "The output each value of an object becomes.", since=OURS)
    max_length: int | None = key("maxLength", "Texts are cut to this many characters.", since=OURS)
    format: str | None = key("format", "The format of a text; a remark that nothing checks.", since=OURS)
    example: Node | None = key("example", "A sample value.", since=OURS)


Body: TypeAlias = Node
"""A request body: text, or a mapping with ``type`` and ``data``."""
