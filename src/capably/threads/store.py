"""What clients ask of the store: create and read objects, change a run's metadata, list.

Every method is one transaction; what it returned survives a crash. Unknown ids raise `ApiError` 404.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Table, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from capably.threads.bodies import (
    AssistantCreate,
    ListQuery,
    MessageCreate,
    MessageQuery,
    RunCreate,
    RunModify,
    ThreadCreate,
)
from capably.threads.database import Database
from capably.threads.errors import not_found, thread_is_busy, thread_is_locked
from capably.threads.objects import (
    ACTIVE,
    Assistant,
    Json,
    Message,
    Page,
    Run,
    Thread,
    Wire,
    new_id,
    text_part,
)
from capably.threads.paging import page
from capably.threads.tables import assistants, messages, runs, threads

Kind = TypeVar("Kind", bound=Wire)
Clock = Callable[[], float]


class Store:
    """The objects of a database.

    Args:
        database: open for as long as the store is used.
        run_lifetime: seconds a run may take, kept in its `expires_at`.
        clock: seconds since the epoch.
    """

    def __init__(self, database: Database, run_lifetime: int, clock: Clock = time.time) -> None:
        self._database = database
        self._run_lifetime = run_lifetime
        self._clock = clock

    async def create_assistant(self, body: AssistantCreate) -> Assistant:
        """Keep an assistant."""
        values = body.model_dump(mode="json")
        values |= {"id": new_id("asst"), "created_at": self._now(), "metadata": values["metadata"] or {}}
        async with self._database.write() as connection:
            return await _insert(connection, Assistant, assistants, values)

    async def assistant(self, identity: str) -> Assistant:
        """Read an assistant."""
        async with self._database.read() as connection:
            return await _assistant(connection, identity)

    async def list_assistants(self, query: ListQuery) -> Page[Assistant]:
        """A page of all assistants."""
        async with self._database.read() as connection:
            return await page(connection, Assistant, assistants, true(), query)

    async def create_thread(self, body: ThreadCreate) -> Thread:
        """Start a thread with its first messages."""
        now = self._now()
        values = {
            "id": new_id("thread"),
            "created_at": now,
            "tool_resources": body.tool_resources,
            "metadata": body.metadata or {},
        }
        async with self._database.write() as connection:
            thread = await _insert(connection, Thread, threads, values)
            await _add_messages(connection, thread.id, body.messages, now)
            return thread

    async def thread(self, identity: str) -> Thread:
        """Read a thread."""
        async with self._database.read() as connection:
            return await _thread(connection, identity)

    async def add_message(self, thread_id: str, body: MessageCreate) -> Message:
        """Add a message to a thread that no run holds, else 400."""
        async with self._database.write() as connection:
            await _thread(connection, thread_id)
            if holder := await _active_run(connection, thread_id):
                raise thread_is_locked(thread_id, holder)
            return (await _add_messages(connection, thread_id, [body], self._now()))[0]

    async def message(self, thread_id: str, identity: str) -> Message:
        """Read a message of a thread."""
        async with self._database.read() as connection:
            await _thread(connection, thread_id)
            within = messages.c.thread_id == thread_id
            return await _one(connection, Message, messages, identity, within)

    async def list_messages(self, thread_id: str, query: MessageQuery) -> Page[Message]:
        """A page of a thread's messages, or of those one run added."""
        within = messages.c.thread_id == thread_id
        if query.run_id is not None:
            within &= messages.c.run_id == query.run_id
        async with self._database.read() as connection:
            await _thread(connection, thread_id)
            return await page(connection, Message, messages, within, query)

    async def create_run(self, thread_id: str, body: RunCreate) -> Run:
        """Queue a run, with its additional messages, on a thread no run holds, else 400."""
        async with self._database.write() as connection:
            await _thread(connection, thread_id)
            assistant = await _assistant(connection, body.assistant_id)
            if holder := await _active_run(connection, thread_id):
                raise thread_is_busy(thread_id, holder)
            now = self._now()
            await _add_messages(connection, thread_id, body.additional_messages or [], now)
            values = _run_values(thread_id, body, assistant)
            values |= {"created_at": now, "expires_at": now + self._run_lifetime}
            return await _insert(connection, Run, runs, values)

    async def run(self, thread_id: str, identity: str) -> Run:
        """Read a run of a thread."""
        async with self._database.read() as connection:
            return await _run(connection, thread_id, identity)

    async def modify_run(self, thread_id: str, identity: str, body: RunModify) -> Run:
        """Replace a run's metadata, if any was sent."""
        async with self._database.write() as connection:
            await _run(connection, thread_id, identity)
            if "metadata" in body.model_fields_set:
                change = update(runs).where(runs.c.id == identity).values(metadata=body.metadata or {})
                await connection.execute(change)
            return await _run(connection, thread_id, identity)

    async def list_runs(self, thread_id: str, query: ListQuery) -> Page[Run]:
        """A page of a thread's runs."""
        async with self._database.read() as connection:
            await _thread(connection, thread_id)
            return await page(connection, Run, runs, runs.c.thread_id == thread_id, query)

    def _now(self) -> int:
        return int(self._clock())


async def _insert(connection: AsyncConnection, kind: type[Kind], table: Table, values: Json) -> Kind:
    row = (await connection.execute(insert(table).values(**values).returning(table))).mappings().one()
    return kind.model_validate(dict(row))


async def _one(
    connection: AsyncConnection, kind: type[Kind], table: Table, identity: str, within: ColumnElement[bool]
) -> Kind:
    found = select(table).where(table.c.id == identity, within)
    row = (await connection.execute(found)).mappings().first()
    if row is None:
        raise not_found(table.name.removesuffix("s"), identity)
    return kind.model_validate(dict(row))


async def _assistant(connection: AsyncConnection, identity: str) -> Assistant:
    return await _one(connection, Assistant, assistants, identity, true())


async def _thread(connection: AsyncConnection, identity: str) -> Thread:
    return await _one(connection, Thread, threads, identity, true())


async def _run(connection: AsyncConnection, thread_id: str, identity: str) -> Run:
    await _thread(connection, thread_id)
    return await _one(connection, Run, runs, identity, runs.c.thread_id == thread_id)


async def _active_run(connection: AsyncConnection, thread_id: str) -> str | None:
    active = select(runs.c.id).where(runs.c.thread_id == thread_id, runs.c.status.in_(ACTIVE))
    return (await connection.execute(active)).scalar()


async def _add_messages(
    connection: AsyncConnection, thread_id: str, bodies: Iterable[MessageCreate], now: int
) -> list[Message]:
    return [await _insert(connection, Message, messages, _message_values(thread_id, body, now)) for body in bodies]


def _message_values(thread_id: str, body: MessageCreate, now: int) -> Json:
    if isinstance(body.content, str):
        content = [text_part(body.content)]
    else:
        content = [text_part(part.text) if part.type == "text" else part.model_dump() for part in body.content]
    return {
        "id": new_id("msg"),
        "created_at": now,
        "thread_id": thread_id,
        "status": "completed",
        "completed_at": now,
        "role": body.role,
        "content": content,
        "attachments": body.attachments or [],
        "metadata": body.metadata or {},
    }


def _run_values(thread_id: str, body: RunCreate, assistant: Assistant) -> Json:
    """A queued run: what the request says, and for the rest what the assistant says."""
    asked = body.model_dump(mode="json")

    def either(name: str, default: Any = None) -> Any:
        own = getattr(assistant, name)
        return asked[name] if asked[name] is not None else own if own is not None else default

    instructions = [either("instructions", ""), body.additional_instructions or ""]
    return {
        "id": new_id("run"),
        "thread_id": thread_id,
        "assistant_id": assistant.id,
        "status": "queued",
        "model": either("model"),
        "instructions": "\n".join(text for text in instructions if text),
        "tools": either("tools", []),
        "metadata": body.metadata or {},
        "max_prompt_tokens": body.max_prompt_tokens,
        "max_completion_tokens": body.max_completion_tokens,
        "truncation_strategy": asked["truncation_strategy"] or {"type": "auto", "last_messages": None},
        "tool_choice": asked["tool_choice"] or "auto",
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "response_format": either("response_format", "auto"),
        "temperature": either("temperature"),
        "top_p": either("top_p"),
        "reasoning_effort": either("reasoning_effort"),
        "step_id": new_id("step"),
        "reply_id": new_id("msg"),
    }
