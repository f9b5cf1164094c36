"""Servers that a capability exposes."""

from dataclasses import dataclass

from capably.document import Node
from capably.model.auth import Authentication
from capably.model.contents import Content, Prompt
from capably.model.cors import StatedCors
from capably.model.fields import OURS, Record, key
from capably.model.flows import StepMapping, StepRecord
from capably.model.values import Output, Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolHints(Record):
    """What a tool says of its effects."""

    read_only: bool | None = key("readOnly", "It changes nothing.")
    destructive: bool | None = key("destructive", "It may destroy something.")
    idempotent: bool | None = key("idempotent", "Calling it twice is like calling it once.")
    open_world: bool | None = key("openWorld", "It reaches things outside this capability.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed(Record):
    """What REST operations and MCP tools have in common."""

    name: str | None = key("name", "Its name.")
    display: str | None = key("display", "A title for people.")
    description: str | None = key("description", "What it does.")
    tags: tuple[str, ...] = key("tags", "Words to group by.", default=(), since="1.0.0-alpha3")
    inputs: tuple[Parameter, ...] = key("inputParameters", "What callers give.", default=())
    call: str | None = key("call", "The consumed operation: `namespace.operation`.")
    with_: dict[str, Node] | None = key("with", "Values for the consumed operation's parameters.")
    ref: str | None = key("ref", "A flow of an aggregate.")
    steps: tuple[StepRecord, ...] = key("steps", "Several steps in a row.", default=())
    mappings: tuple[StepMapping, ...] = key("mappings", "How step results become the answer.", default=())
    outputs: tuple[Output, ...] = key("outputParameters", "What the answer is made of.", default=())
    deadline: str | None = key("deadline", "The longest an operation with steps may take, such as 30s.", since=OURS)
    confirm: bool | None = key("confirm", "MCP: the caller is asked before it runs.", since=OURS)
    scopes: tuple[str, ...] = key(
        "scopes", "What a caller's token must grant for this, besides the server's own scopes.", default=(), since=OURS
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedMedia(Record):
    """What an answer holds in one media type."""

    binary: bool | None = key("binary", "Bytes, told as they come.", since="1.0.0-beta1")
    schema: Node | None = key("schema", "The JSON Schema of the value.", since="1.0.0-beta1")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedResponse(Record):
    """What a REST operation answers with one status."""

    description: str | None = key("description", "When that is answered.", since="1.0.0-beta1")
    content: dict[str, StatedMedia] | None = key("content", "What it holds, by media type.", since="1.0.0-beta1")


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryResponse(Record):
    """The only answer of a REST operation, bytes."""

    status: str | None = key("status", "Its status (200 when absent).", since="1.0.0-beta1")
    media_type: str | None = key("mediaType", "Its media type.", since="1.0.0-beta1")
    description: str | None = key("description", "What it is.", since="1.0.0-beta1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposedOperation(Exposed):
    """A method of a REST resource."""

    method: str = key(
        "method", "The HTTP method.", default="GET", one_of=("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
    )
    authentication: Authentication | None = key(
        "authentication", "How its callers are authenticated, instead of the server's.", since=OURS
    )
    responses: dict[str, StatedResponse] | None = key(
        "responses", "What it answers, by status: `200`, or `2XX` for a class of them.", since="1.0.0-beta1"
    )
    response_binary: BinaryResponse | None = key(
        "responseBinary", "Instead of `responses`: the only answer, bytes.", since="1.0.0-beta1"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Exposed):
    """An MCP tool."""

    hints: ToolHints | None = key("hints", "What the tool says of its effects.")
    input_schema: Node | None = key(
        "inputSchema", "The JSON Schema (2020-12) of all arguments, instead of `inputParameters`.", since=OURS
    )
    content: tuple[Content, ...] = key(
        "content", "The pieces of content that a tool answers which calls nothing.", default=(), since=OURS
    )
    is_error: bool | None = key("isError", "The `content` tells that the tool failed.", since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Exposed):
    """An MCP resource: what is read at an address, or below it."""

    uri: str = key("uri", "Its address; `{x}` or `{{x}}` is a placeholder for one segment.", required=True)
    mime_type: str | None = key("mimeType", "Its media type.")
    location: str | None = key("location", "A folder or a file, relative to the document, that is shown as it is.")
    binary: bool | None = key("binary", "It is told as bytes, whatever its media type.", since="1.0.0-beta1")
    text: str | None = key("text", "Its content: a text; `{{x}}` is what stands for `{x}` in the address.", since=OURS)
    data: str | None = key("data", "Its content: bytes, as Base64.", since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardTo(Record):
    """Where a resource passes requests on to, as they are."""

    target: str = key("targetNamespace", "The namespace of a consumed API.", required=True)
    trusted: tuple[str, ...] = key("trustedHeaders", "Headers of callers that are passed on.", default=())
    scopes: tuple[str, ...] = key(
        "scopes", "What a caller's token must grant for this, besides the server's own scopes.", default=(), since=OURS
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposedResource(Record):
    """A path of a REST server with its operations."""

    path: str = key("path", "The path; `{x}` or `{{x}}` is a placeholder for one segment.", required=True)
    name: str | None = key("name", "The resource's name.")
    display: str | None = key("display", "A title for people.")
    description: str | None = key("description", "What it is.")
    tags: tuple[str, ...] = key("tags", "Words to group by.", default=(), since="1.0.0-alpha3")
    inputs: tuple[Parameter, ...] = key("inputParameters", "Inputs of every operation below.", default=())
    operations: tuple[ExposedOperation, ...] = key("operations", "Its methods.", default=())
    forward: ForwardTo | None = key("forward", "Passes requests on to a consumed API.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedTls(Record):
    """A server's certificate: it speaks https."""

    certificate: str = key(
        "certificate",
        "A PEM file with the chain, the server's first; relative to the document.",
        required=True,
        since=OURS,
    )
    key: str | None = key("key", "A PEM file with the private key (in `certificate` when absent).", since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposes(Record):
    """What every server has."""

    type: str = key("type", "The kind of server: rest, mcp, skill or control.", required=True)
    namespace: str | None = key("namespace", "The server's name.")
    address: str | None = key("address", "The address to listen on (127.0.0.1 when absent).")
    port: int | None = key("port", "The port to listen on.")
    display: str | None = key("display", "A title for people.", since=OURS)
    description: str | None = key("description", "What the server offers.", since=OURS)
    tags: tuple[str, ...] = key("tags", "Words to group by.", default=(), since=OURS)
    authentication: Authentication | None = key("authentication", "How callers are authenticated.")
    tls: StatedTls | None = key("tls", "The certificate it shows; without one it speaks plain http.", since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposesRest(Exposes):
    """A REST server."""

    inputs: tuple[Parameter, ...] = key("inputParameters", "Inputs of every operation.", default=(), since=OURS)
    resources: tuple[ExposedResource, ...] = key("resources", "The server's paths.", default=())
    max_binary_size: str | None = key("maxBinarySize", "The largest binary answer, such as 10MiB.", since="1.0.0-beta1")
    cors: StatedCors | None = key("cors", "Which web pages may call (none when absent).", since=OURS)
    documentation: bool | None = key(
        "documentation", "Whether it serves /openapi.json, /openapi.yaml and /docs (yes when absent).", since=OURS
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposesMcp(Exposes):
    """An MCP server."""

    transport: str = key("transport", "http or stdio.", default="http", one_of=("http", "stdio"))
    tools: tuple[Tool, ...] = key("tools", "The tools it offers.", default=())
    resources: tuple[Resource, ...] = key("resources", "The resources it offers.", default=())
    prompts: tuple[Prompt, ...] = key("prompts", "The prompts it offers.", default=())
    max_binary_size: str | None = key("maxBinarySize", "The largest binary answer, such as 10MiB.", since="1.0.0-beta1")
    ttl_ms: int | None = key("ttlMs", "How long lists may be kept, in milliseconds.", since="1.0.0-beta4")
    cache_scope: str | None = key(
        "cacheScope", "Who may keep lists: public or private.", one_of=("public", "private"), since="1.0.0-beta4"
    )
