"""The objects clients see, with every key the API requires present (Assistants API v2, object schemas).

Times are unix seconds. All objects are frozen; a change is a new object read from the store.
"""

import secrets
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

RunStatus = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "incomplete",
    "expired",
]
ACTIVE: tuple[RunStatus, ...] = ("queued", "in_progress", "requires_action", "cancelling")
ErrorCode = Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
MessageStatus = Literal["in_progress", "incomplete", "completed"]
MessageFault = Literal["content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"]
Json = dict[str, Any]


def new_id(prefix: str) -> str:
    """A fresh identity such as `run_5f0c…`: the kind's prefix and 96 random bits."""
    return f"{prefix}_{secrets.token_hex(12)}"


class Wire(BaseModel):
    """An object as it is stored and sent."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def as_json(self) -> Json:
        """The object as plain JSON values."""
        return self.model_dump(mode="json")


class Assistant(Wire):
    """Who answers: a model with its instructions."""

    id: str
    object: Literal["assistant"] = "assistant"
    created_at: int
    name: str | None
    description: str | None
    model: str
    instructions: str | None
    tools: list[Json]
    metadata: dict[str, str]
    tool_resources: Json | None
    temperature: float | None
    top_p: float | None
    response_format: str | Json | None
    reasoning_effort: str | None = Field(exclude=True)


class Thread(Wire):
    """A conversation; its messages are listed apart."""

    id: str
    object: Literal["thread"] = "thread"
    created_at: int
    tool_resources: Json | None
    metadata: dict[str, str]


class IncompleteMessage(Wire):
    """Why a message stops early."""

    reason: MessageFault


class Message(Wire):
    """One message of a thread; `content` is a list of typed parts."""

    id: str
    object: Literal["thread.message"] = "thread.message"
    created_at: int
    thread_id: str
    status: MessageStatus
    incomplete_details: IncompleteMessage | None
    completed_at: int | None
    incomplete_at: int | None
    role: Literal["user", "assistant"]
    content: list[Json]
    assistant_id: str | None
    run_id: str | None
    attachments: list[Json] | None
    metadata: dict[str, str]


class Usage(Wire):
    """Tokens counted by the model endpoint."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class LastError(Wire):
    """Why a run failed."""

    code: ErrorCode
    message: str


class IncompleteRun(Wire):
    """Which limit ended a run."""

    reason: Literal["max_completion_tokens", "max_prompt_tokens"]


class Run(Wire):
    """One execution of an assistant on a thread: the 25 required keys, then the optional ones."""

    id: str
    object: Literal["thread.run"] = "thread.run"
    created_at: int
    thread_id: str
    assistant_id: str
    status: RunStatus
    required_action: Json | None = None
    last_error: LastError | None
    expires_at: int | None
    started_at: int | None
    cancelled_at: int | None
    failed_at: int | None
    completed_at: int | None
    incomplete_details: IncompleteRun | None
    model: str
    instructions: str
    tools: list[Json]
    metadata: dict[str, str]
    usage: Usage | None
    max_prompt_tokens: int | None
    max_completion_tokens: int | None
    truncation_strategy: Json
    tool_choice: str | Json
    parallel_tool_calls: bool
    response_format: str | Json
    temperature: float | None
    top_p: float | None
    reasoning_effort: str | None = Field(exclude=True)
    # Decided when the run is created, so that a run executed again after a crash keeps the names it announced.
    step_id: str = Field(exclude=True)
    reply_id: str = Field(exclude=True)

    @property
    def active(self) -> bool:
        """Whether the run still holds its thread."""
        return self.status in ACTIVE


class RunStep(Wire):
    """The one step of a run that writes a message."""

    id: str
    object: Literal["thread.run.step"] = "thread.run.step"
    created_at: int
    assistant_id: str
    thread_id: str
    run_id: str
    type: Literal["message_creation"] = "message_creation"
    status: Literal["in_progress", "cancelled", "failed", "completed", "expired"]
    step_details: Json
    last_error: LastError | None
    expired_at: int | None
    cancelled_at: int | None
    failed_at: int | None
    completed_at: int | None
    metadata: dict[str, str] | None
    usage: Usage | None


Item = TypeVar("Item", bound=Wire)


class Page(Wire, Generic[Item]):
    """One page of a list (Assistants API v2, list envelope)."""

    object: Literal["list"] = "list"
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool


def text_part(text: str) -> Json:
    """A text part as stored in a message's `content`."""
    return {"type": "text", "text": {"value": text, "annotations": []}}
