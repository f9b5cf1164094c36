"""What clients may send: request bodies with the API's limits (Assistants API v2, request schemas).

An unknown field is refused, because a misspelt one would otherwise be ignored in silence.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

METADATA_PAIRS = 16
MAX_TOOLS = 128
MAX_TEXT = 256_000
LARGEST_INT = 2**31 - 1  # what every database and client can hold
NO_NUL = r"^[^\x00]*$"  # PostgreSQL keeps no text with U+0000 in a column; in JSON it does
FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

Key = Annotated[str, StringConstraints(max_length=64)]
Value = Annotated[str, StringConstraints(max_length=512)]
Metadata = Annotated[dict[Key, Value], Field(max_length=METADATA_PAIRS)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]
Instructions = Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=NO_NUL)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=NO_NUL)]
Name = Annotated[str, StringConstraints(max_length=256, pattern=NO_NUL)]
Description = Annotated[str, StringConstraints(max_length=512, pattern=NO_NUL)]
Identity = Annotated[str, StringConstraints(pattern=NO_NUL)]
Temperature = Annotated[float, Field(ge=0, le=2, strict=True)]
TopP = Annotated[float, Field(ge=0, le=1, strict=True)]


def _whole_number(value: Any) -> Any:
    """JSON has one kind of number: 256.0 is a whole one (JSON Schema, integer)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


TokenLimit = Annotated[int, Field(ge=256, le=LARGEST_INT, strict=True), BeforeValidator(_whole_number)]
Count = Annotated[int, Field(ge=1, le=LARGEST_INT, strict=True), BeforeValidator(_whole_number)]
Flag = Annotated[bool, Field(strict=True)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Body(BaseModel):
    """A part of a request: no unknown fields, and a number or a boolean is never read out of a string."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Loose(BaseModel):
    """A part that is kept as given; only what this service relies on is checked."""

    model_config = ConfigDict(extra="allow", frozen=True)


class FunctionDefinition(Loose):
    """A function a model may call."""

    name: str

    @property
    def well_named(self) -> bool:
        """Whether the name is one the API allows."""
        return FUNCTION_NAME.match(self.name) is not None


class ToolNames(Loose):
    """Some tools of a server, by name."""

    tool_names: list[str] = []


class Approval(Body):
    """Which tools of a server wait for an approval and which do not; what is in neither waits."""

    always: ToolNames | None = None
    never: ToolNames | None = None


class Tool(Loose):
    """A tool of an assistant, or a server of tools (`mcp`).

    An MCP server has a label, an address, the names of the tools that may be called (all when left out), headers
    or a bearer key to ask with, and which calls wait for an approval (`always` when left out).
    """

    type: Literal["function", "code_interpreter", "file_search", "mcp"]
    function: FunctionDefinition | None = None
    server_label: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    server_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2048)] | None = None
    allowed_tools: list[str] | ToolNames | None = None
    require_approval: Literal["always", "never"] | Approval | None = None
    headers: dict[str, str] | None = None
    authorization: str | None = None


def _whole(tool: Tool) -> Tool:
    if tool.type == "function" and (tool.function is None or not tool.function.well_named):
        raise PydanticCustomError(
            "function_name", "a function tool needs 'function.name' of 1 to 64 characters A-Z a-z 0-9 _ -"
        )
    if tool.type == "mcp" and (tool.server_label is None or tool.server_url is None):
        raise PydanticCustomError("mcp_server", "an mcp tool needs 'server_label' and 'server_url'")
    return tool


def _as_sent(tools: list[Tool]) -> list[dict[str, Any]]:
    return [tool.model_dump(mode="json", exclude_unset=True) for tool in tools]


Tools = Annotated[list[Annotated[Tool, AfterValidator(_whole)]], Field(max_length=MAX_TOOLS), PlainSerializer(_as_sent)]


class ResponseFormat(Loose):
    """The form a reply must have."""

    type: Literal["text", "json_object", "json_schema"]


Format = Literal["auto"] | ResponseFormat


class NamedFunction(Loose):
    """The name of a function."""

    name: str


class NamedTool(Loose):
    """A tool the caller insists on."""

    type: Literal["function", "code_interpreter", "file_search", "mcp"]
    function: NamedFunction | None = None


def _choice_form(choice: Any) -> str | None:
    return "tool" if isinstance(choice, dict | NamedTool) else "word"


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("word")] | Annotated[NamedTool, Tag("tool")],
    Discriminator(_choice_form),
]


class TextPart(Body):
    """Text in a message."""

    type: Literal["text"]
    text: Text


class ImageUrl(Body):
    """Where an image is."""

    url: Annotated[str, StringConstraints(min_length=1)]
    detail: Literal["auto", "low", "high"] = "auto"


class ImageFile(Body):
    """An image among the files of another service."""

    file_id: Annotated[str, StringConstraints(min_length=1)]
    detail: Literal["auto", "low", "high"] = "auto"


class ImageFilePart(Body):
    """An image in a message, by file. This service keeps no files: it is stored, and the model is not shown it."""

    type: Literal["image_file"]
    image_file: ImageFile


class ImagePart(Body):
    """An image in a message, by address; the model endpoint fetches it, this service does not."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart | ImageFilePart, Field(discriminator="type")]


def _form(content: Any) -> str | None:
    return "text" if isinstance(content, str) else "parts" if isinstance(content, list) else None


Content = Annotated[
    Annotated[Text, Tag("text")] | Annotated[list[Part], Field(min_length=1), Tag("parts")],
    Discriminator(_form, custom_error_type="content", custom_error_message="Input should be a text or a list of parts"),
]


class MessageCreate(Body):
    """A message to add to a thread."""

    role: Literal["user", "assistant"]
    content: Content
    attachments: list[dict[str, Any]] | None = None
    metadata: Metadata | None = None


class MessageModify(Body):
    """A change to a message: its metadata, and nothing else."""

    metadata: Metadata | None = None


class ThreadModify(Body):
    """A change to a thread; what is left out stays."""

    metadata: Metadata | None = None
    tool_resources: dict[str, Any] | None = None


class ThreadCreate(Body):
    """A thread to start, with its first messages."""

    messages: list[MessageCreate] = []
    metadata: Metadata | None = None
    tool_resources: dict[str, Any] | None = None


class AssistantCreate(Body):
    """An assistant to keep."""

    model: ModelName
    name: Name | None = None
    description: Description | None = None
    instructions: Instructions | None = None
    tools: Tools = []
    tool_resources: dict[str, Any] | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: Format | None = None
    reasoning_effort: Effort | None = None


class AssistantModify(Body):
    """A change to an assistant; what is left out stays."""

    model: ModelName | None = None
    name: Name | None = None
    description: Description | None = None
    instructions: Instructions | None = None
    tools: Tools | None = None
    tool_resources: dict[str, Any] | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: Format | None = None
    reasoning_effort: Effort | None = None


class Truncation(Body):
    """How much of a thread the model is shown."""

    type: Literal["auto", "last_messages"]
    last_messages: Count | None = None

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if self.type == "last_messages" and self.last_messages is None:
            raise PydanticCustomError("last_messages", "'last_messages' must say how many messages to keep")
        return self


class RunChoices(Body):
    """What a new run is told; what is left out comes from the assistant.

    `queue` is an addition of this service: wait for the run that holds the thread instead of being refused.
    """

    assistant_id: Identity
    model: ModelName | None = None
    instructions: Instructions | None = None
    tools: Tools | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stream: Flag | None = None
    max_prompt_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    truncation_strategy: Truncation | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: Flag | None = None
    response_format: Format | None = None
    reasoning_effort: Effort | None = None
    queue: Flag = False


class RunCreate(RunChoices):
    """A run to execute on a thread."""

    additional_instructions: Instructions | None = None
    additional_messages: list[MessageCreate] | None = None


class ThreadRunCreate(RunChoices):
    """A thread to start and a run to execute on it."""

    thread: ThreadCreate | None = None
    tool_resources: dict[str, Any] | None = None


class ToolOutput(Body):
    """What a function the caller ran gave."""

    tool_call_id: str | None = None
    output: Annotated[str, StringConstraints(max_length=512_000)] | None = None


class ToolApproval(Loose):
    """Whether a call of an MCP tool may be made."""

    tool_call_id: str
    approve: Flag


class ToolOutputs(Body):
    """The outputs, or the approvals, a run waits for: all of them in one request."""

    tool_outputs: list[ToolOutput] | None = None
    tool_approvals: list[ToolApproval] | None = None
    stream: Flag | None = None


class RunModify(Body):
    """A change to a run: its metadata, and nothing else."""

    metadata: Metadata | None = None


class ListQuery(BaseModel):
    """Which page of a list; queries of other names are ignored, since clients add their own.

    A `limit` of 0 is an empty page, which says in `has_more` whether there is anything. An empty cursor is none.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    limit: Annotated[int, Field(ge=0, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"
    after: Identity | None = None
    before: Identity | None = None


class MessageQuery(ListQuery):
    """Which page of a thread's messages, or of one run's."""

    run_id: Identity | None = None
