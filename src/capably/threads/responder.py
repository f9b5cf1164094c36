"""The contract between a run and what answers it, and the answerer that needs no network.

A responder turns a prompt into pieces of text and one end. It knows nothing of runs, threads or storage.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from capably.threads.objects import ErrorCode, Usage

QUOTE_LENGTH = 200


@dataclass(frozen=True)
class Turn:
    """One message of a prompt.

    `content` is text, a list of text and image parts, or None beside `tool_calls`. A message of the role `tool` is
    what the call `tool_call_id` gave.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None
    tool_calls: tuple[dict[str, Any], ...] = ()
    tool_call_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The message as the chat-completions API writes it."""
        message: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_calls:
            message["tool_calls"] = list(self.tool_calls)
        if self.tool_call_id is not None:
            message["tool_call_id"] = self.tool_call_id
        return message

    @property
    def text(self) -> str:
        """The text of the message, without its images."""
        if not isinstance(self.content, list):
            return self.content or ""
        return "\n".join(part["text"] for part in self.content if part["type"] == "text")


@dataclass(frozen=True)
class Prompt:
    """What a responder is asked: a model's name, the turns oldest first, and sampling options to pass on."""

    model: str
    turns: tuple[Turn, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Piece:
    """Some more of the reply's text."""

    text: str


@dataclass(frozen=True)
class CallPiece:
    """Some more of a call of a tool: the first piece of an index names it, each may add to its arguments."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True)
class End:
    """The reply is over: by itself, at the token limit, or stopped by the endpoint's filter."""

    reason: Literal["stop", "length", "content_filter"] = "stop"
    usage: Usage | None = None


Part = Piece | CallPiece | End


class ModelError(Exception):
    """No reply: `code` is what the run's `last_error` says, the message is for a person and holds no secret."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message


class Responder(AbstractAsyncContextManager["Responder"], Protocol):
    """Answers prompts while its `async with` is open."""

    label: str

    def reply(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """The pieces of the reply, then its end.

        Raises:
            ModelError: instead of the end, at any point.
        """


class OfflineResponder(Responder):
    """Says what it is and repeats the last message: the same thread always gets the same reply."""

    label = "offline responder (no language model)"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def reply(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """Two sentences, a word at a time, counted as no tokens."""
        turns = [turn for turn in prompt.turns if turn.role in ("user", "assistant")]
        said = [turn.text for turn in turns if turn.role == "user"]
        for word in re.findall(r"\S+\s*", _sentences(len(turns), said[-1] if said else None)):
            yield Piece(word)
            await asyncio.sleep(0)
        yield End(usage=Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0))


def _sentences(count: int, last: str | None) -> str:
    opening = "This is capably's offline responder, not a language model."
    messages = f"Your thread has {count} message{'' if count == 1 else 's'}"
    if last is None:
        return f"{opening} {messages}, none of them from you."
    quote = last if len(last) <= QUOTE_LENGTH else last[: QUOTE_LENGTH - 1] + "…"
    return f"{opening} {messages}; the last one from you says: {quote}"
