"""The objects clients see, with every key the API requires present (Assistants API v2, object schemas).

Times are unix seconds. All objects are frozen; a change is a new object read from the store.
"""

import hashlib
import secrets
import uuid
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_serializer

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
StepStatus = Literal["in_progress", "cancelled", "failed", "completed", "expired"]
MessageStatus = Literal["in_progress", "incomplete", "completed"]
MessageFault = Literal["content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"]
Json = dict[str, Any]


def new_id(prefix: str) -> str:
    """A fresh identity such as `run_5f0c…`: the kind's prefix and 96 random bits."""
    return f"{prefix}_{secrets.token_hex(12)}"


def new_uuid(_prefix: str) -> str:
    """A fresh identity as AIMLAPI writes them: a bare UUID."""
    return str(uuid.uuid4())


def derived_id(prefix: str, run_id: str, turn: int) -> str:
    """The identity of what a run makes in a turn: the same however often it is tried, in the form of the run's."""
    digest = hashlib.sha256(f"{prefix} {run_id} {turn}".encode()).digest()
    if "_" in run_id:
        return f"{prefix}_{digest[:12].hex()}"
    return str(uuid.UUID(bytes=digest[:16], version=4))


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

    @field_serializer("tools")
    def _without_secrets(self, tools: list[Json]) -> list[Json]:
        return without_secrets(tools)


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
    turn: int | None = Field(default=None, exclude=True)


class Usage(Wire):
    """Tokens counted by the model endpoint."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
        )


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
    # How far it is; see the table.
    waiting: bool = Field(exclude=True)
    leg: int = Field(exclude=True)
    turn: int = Field(exclude=True)
    attempt: int = Field(exclude=True)
    logged: int = Field(exclude=True)
    spent: Usage | None = Field(exclude=True)
    held: list[Json] | None = Field(exclude=True)
    tenant: str = Field(exclude=True)

    @field_serializer("tools")
    def _without_secrets(self, tools: list[Json]) -> list[Json]:
        return without_secrets(tools)

    @property
    def active(self) -> bool:
        """Whether the run has not ended."""
        return self.status in ACTIVE


class RunStep(Wire):
    """A step of a run: it writes a message, or calls tools."""

    id: str
    object: Literal["thread.run.step"] = "thread.run.step"
    created_at: int
    assistant_id: str
    thread_id: str
    run_id: str
    type: Literal["message_creation", "tool_calls"]
    status: StepStatus
    step_details: Json
    last_error: LastError | None
    expired_at: int | None
    cancelled_at: int | None
    failed_at: int | None
    completed_at: int | None
    metadata: dict[str, str] | None
    usage: Usage | None
    turn: int = Field(exclude=True)
    approvals: dict[str, bool | None] | None = Field(exclude=True)

    @field_serializer("step_details")
    def _as_shown(self, details: Json) -> Json:
        """Without the names that MCP tools have for the model only."""
        if "tool_calls" not in details:
            return details
        calls = [{name: value for name, value in call.items() if name != "called"} for call in details["tool_calls"]]
        return details | {"tool_calls": calls}


class Deleted(Wire):
    """What is left of a deleted object."""

    id: str
    object: Literal["assistant.deleted", "thread.deleted", "thread.message.deleted"]
    deleted: Literal[True] = True


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


def without_secrets(tools: list[Json]) -> list[Json]:
    """Tools as they may be shown: without the headers and the key an MCP server is asked with."""
    hidden = ("headers", "authorization")
    return [{name: value for name, value in tool.items() if name not in hidden} for tool in tools]
