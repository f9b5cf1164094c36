"""What an MCP server shows as it is written: pieces of content, and prompts made of them."""

from dataclasses import dataclass

from capably.document import Node
from capably.model.fields import OURS, Record, key


@dataclass(frozen=True, slots=True, kw_only=True)
class Content(Record):
    """A piece of content: a text, an image, a sound, or an embedded resource when it has a `uri`."""

    text: str | None = key("text", "A text; `{{name}}` in it is what a caller gave.", since=OURS)
    data: str | None = key("data", "Bytes, as Base64.", since=OURS)
    location: str | None = key("location", "A file, relative to the document, that holds text or bytes.", since=OURS)
    mime_type: str | None = key("mimeType", "Its media type; `text/plain` for a text that says none.", since=OURS)
    uri: str | None = key("uri", "The address of an embedded resource; it may hold `{{name}}` too.", since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument(Record):
    """What a prompt is filled with."""

    name: str = key("name", "Its name; `{{name}}` in the template stands for it.", required=True)
    display: str | None = key("display", "A title for people.")
    description: str | None = key("description", "What it means.")
    required: bool | None = key("required", "Whether the prompt needs it (it does unless this is false).")
    enum: Node | None = key("enum", "Values that clients are offered.", since=OURS)
    elicit: str | None = key("elicit", "What a person is asked when it is required and not given.", since=OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMessage(Record):
    """One message of a prompt."""

    role: str = key("role", "Who says it: user or assistant.", default="user", one_of=("user", "assistant"))
    content: Node = key("content", "A text, or (ours) a piece of content.", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt(Record):
    """A prompt that people choose in an MCP client."""

    name: str = key("name", "Its name.", required=True)
    display: str | None = key("display", "A title for people.")
    description: str | None = key("description", "What it is for.")
    arguments: tuple[Argument, ...] = key("arguments", "What it is filled with.", default=())
    template: tuple[PromptMessage, ...] = key("template", "Its messages.", default=())
    location: str | None = key("location", "A file, relative to the document, that is its only message.")
    scopes: tuple[str, ...] = key("scopes", "What a caller's token must grant to get it.", default=(), since=OURS)
