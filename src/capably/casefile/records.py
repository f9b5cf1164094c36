"""What a case file can say."""

from dataclasses import dataclass

from capably.document import Node
from capably.model.fields import Record, key


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Record):
    """What the upstream replies: a status alone, or a mapping."""

    status: int = key("status", "The HTTP status (200 when absent).", default=200)
    type: str | None = key("type", "Its media type; application/json when `body` is no text.")
    headers: dict[str, str] | None = key("headers", "More headers.")
    body: Node | None = key("body", "A text, sent as it is, or any other value, sent as JSON.")
    base64: str | None = key("base64", "Instead of `body`: bytes in Base64.")
    drop: bool = key("drop", "Close the connection instead of replying.", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange(Record):
    """A request that the upstream must get, as far as it is written, and the reply to it."""

    request: str | None = key(
        "request", "`METHOD /path`, or `METHOD /path?query` for exactly this query; any request when absent."
    )
    namespace: str | None = key("namespace", "The consumed API that is asked, where there are several.")
    query: dict[str, Node] | None = key("query", "Parameters it must have; a list is a repeated one, null none.")
    headers: dict[str, Node] | None = key("headers", "Headers it must have; null is an absent one.")
    body: Node | None = key("body", "Its body: a JSON value, or a text.")
    includes: Node | None = key("includes", "What its JSON body holds, perhaps beside more.")
    reply: Node | None = key("reply", "The reply: a status, or `status`, `type`, `headers`, `body`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Record):
    """What the caller must get, as far as it is written; a success when nothing says otherwise."""

    status: int | None = key("status", "The HTTP status; over MCP, whether it is an error (400 and above) or not.")
    type: str | None = key("type", "The media type; over MCP only that of images, sounds and files.")
    headers: dict[str, Node] | None = key("headers", "Headers it must have over REST; null is an absent one.")
    body: Node | None = key("body", "All that is told: a JSON value, a text, or bytes in Base64.")
    includes: Node | None = key("includes", "What the JSON value holds, perhaps beside more.")
    error: str | None = key("error", "It is an error that says this, perhaps among more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story(Record):
    """One call, and what comes of it."""

    name: str = key("name", "A sentence that says what is true.", required=True)
    call: str | None = key("call", "The operation or tool: its name, or `METHOD /path` as the document writes it.")
    tool: str | None = key("tool", "The tool's name where it is not that of the operation.")
    inputs: dict[str, Node] | None = key("with", "Its inputs.")
    through: str | None = key(
        "through", "The only kind of server to go through; both when absent.", one_of=("rest", "mcp")
    )
    request: str | None = key("request", "Instead of `call`: `METHOD /path?query`, sent as it is written.")
    body: Node | None = key("body", "The body of `request`: a text, sent as it is, or any other value, sent as JSON.")
    headers: dict[str, str] | None = key("headers", "Headers that the caller sends.")
    server: str | None = key("server", "The namespace of the server, where there are several of a kind.")
    upstream: tuple[Exchange, ...] = key("upstream", "What the upstream is asked, and replies.", default=())
    answer: Answer | None = key("answer", "What the caller gets.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile(Record):
    """A document, and stories about it."""

    document: Node | None = key("document", "The document: a path relative to this file, or the document itself.")
    given: dict[str, str] | None = key("given", "Values of variables and secrets, as `--set` gives them.")
    stories: tuple[Story, ...] = key("stories", "What is true of it.", default=())
