"""What clients may send: request bodies with the API's limits (Assistants API v2, request schemas).

An unknown field is refused, because a misspelt one would otherwise be ignored in silence.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

METADATA_PAIRS = 16
MAX_TOOLS = 128
MAX_TEXT = 256_000
FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

Key = Annotated[str, StringConstraints(max_length=64)]
Value = Annotated[str, StringConstraints(max_length=512)]
Metadata = Annotated[dict[Key, Value], Field(max_length=METADATA_PAIRS)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]
Instructions = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Temperature = Annotated[float, Field(ge=0, le=2, strict=True)]
TopP = Annotated[float, Field(ge=0, le=1, strict=True)]
TokenLimit = Annotated[int, Field(ge=256, strict=True)]
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


class Tool(Loose):
    """A tool of an assistant."""

    type: Literal["function", "code_interpreter", "file_search"]
    function: FunctionDefinition | None = None


def _whole(tool: Tool) -> Tool:
    if tool.type == "function" and (tool.function is None or not tool.function.well_named):
        raise PydanticCustomError(
            "function_name", "a function tool needs 'function.name' of 1 to 64 characters A-Z a-z 0-9 _ -"
        )
    return tool


Tools = Annotated[list[Annotated[Tool, AfterValidator(_whole)]], Field(max_length=MAX_TOOLS)]


class ResponseFormat(Loose):
    """The form a reply must have."""

    type: Literal["text", "json_object", "json_schema"]


Format = Literal["auto"] | ResponseFormat


class NamedTool(Loose):
    """A tool the caller insists on."""

    type: Literal["function", "code_interpreter", "file_search"]


def _free(choice: Any) -> Any:
    if choice in ("none", "auto"):
        return choice
    # Accepting it would end every such run with a plain message, which is what the caller asked to avoid.
    raise PydanticCustomError("tool_choice", "this service makes no tool calls; use 'auto' or 'none'")


ToolChoice = Annotated[Literal["none", "auto", "required"] | NamedTool, AfterValidator(_free)]


class TextPart(Body):
    """Text in a message."""

    type: Literal["text"]
    text: Text


class ImageUrl(Body):
    """Where an image is."""

    url: Annotated[str, StringConstraints(min_length=1)]
    detail: Literal["auto", "low", "high"] = "auto"


class ImagePart(Body):
    """An image in a message, by address; the model endpoint fetches it, this service does not."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


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


class ThreadCreate(Body):
    """A thread to start, with its first messages."""

    messages: list[MessageCreate] = []
    metadata: Metadata | None = None
    tool_resources: dict[str, Any] | None = None


class AssistantCreate(Body):
    """An assistant to keep."""

    model: ModelName
    name: Annotated[str, StringConstraints(max_length=256)] | None = None
    description: Annotated[str, StringConstraints(max_length=512)] | None = None
    instructions: Instructions | None = None
    tools: Tools = []
    tool_resources: dict[str, Any] | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: Format | None = None
    reasoning_effort: Effort | None = None


class Truncation(Body):
    """How much of a thread the model is shown."""

    type: Literal["auto", "last_messages"]
    last_messages: Annotated[int, Field(ge=1, strict=True)] | None = None

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if self.type == "last_messages" and self.last_messages is None:
            raise PydanticCustomError("last_messages", "'last_messages' must say how many messages to keep")
        return self


class RunCreate(Body):
    """A run to execute; what is left out comes from the assistant."""

    assistant_id: str
    model: ModelName | None = None
    instructions: Instructions | None = None
    additional_instructions: Instructions | None = None
    additional_messages: list[MessageCreate] | None = None
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


class RunModify(Body):
    """A change to a run: its metadata, and nothing else."""

    metadata: Metadata | None = None


class ListQuery(BaseModel):
    """Which page of a list; queries of other names are ignored, since clients add their own."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    before: str | None = None


class MessageQuery(ListQuery):
    """Which page of a thread's messages, or of one run's."""

    run_id: str | None = None
