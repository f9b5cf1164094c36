"""Threads and their messages: kept, changed, listed, deleted."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select

from capably.threads.bodies import (
    ListQuery,
    MessageCreate,
    MessageModify,
    MessageQuery,
    ThreadCreate,
    ThreadModify,
)
from capably.threads.database import Connection
from capably.threads.errors import thread_is_locked
from capably.threads.objects import Deleted, Json, Message, Page, Thread, text_part
from capably.threads.paging import page
from capably.threads.rows import change_row, insert_row
from capably.threads.store.office import Office, active_run
from capably.threads.tables import events, messages, runs, steps, threads


@dataclass(frozen=True, slots=True)
class Threads:
    """The threads of a tenant."""

    office: Office

    async def create(self, body: ThreadCreate) -> Thread:
        """Start a thread with its first messages."""
        async with self.office.database.write() as connection:
            return await new_thread(connection, self.office, body)

    async def read(self, identity: str) -> Thread:
        """Read a thread."""
        async with self.office.database.read() as connection:
            return await self.office.thread(connection, identity)

    async def list(self, query: ListQuery) -> Page[Thread]:
        """A page of all threads."""
        async with self.office.database.read() as connection:
            return await page(connection, Thread, threads, self.office.owned(threads), query)

    async def modify(self, identity: str, body: ThreadModify) -> Thread:
        """Change what is sent and leave the rest."""
        sent = body.model_dump(mode="json", include=body.model_fields_set)
        if "metadata" in sent:
            sent["metadata"] = sent["metadata"] or {}
        async with self.office.database.write() as connection:
            found = await self.office.thread(connection, identity, hold=True)
            return await change_row(connection, Thread, threads, identity, sent) if sent else found

    async def delete(self, identity: str) -> tuple[Deleted, tuple[str, ...]]:
        """Delete a thread with all that belongs to it; what is left, and the ids of its runs, which have to stop."""
        async with self.office.database.write() as connection:
            await self.office.thread(connection, identity, hold=True)
            run_ids = await drop_thread(connection, identity)
        return Deleted(id=identity, object="thread.deleted"), run_ids


@dataclass(frozen=True, slots=True)
class Messages:
    """The messages of a tenant's threads."""

    office: Office

    async def create(self, thread_id: str, body: MessageCreate) -> Message:
        """Add a message to a thread that no run holds, else 400."""
        office = self.office
        async with office.database.write() as connection:
            await office.thread(connection, thread_id, hold=True)
            if holder := await active_run(connection, thread_id):
                raise thread_is_locked(thread_id, holder)
            return await insert_row(connection, Message, messages, message_values(office, thread_id, body))

    async def read(self, thread_id: str, identity: str) -> Message:
        """Read a message of a thread."""
        async with self.office.database.read() as connection:
            await self.office.thread(connection, thread_id)
            return await self._find(connection, thread_id, identity)

    async def list(self, thread_id: str, query: MessageQuery) -> Page[Message]:
        """A page of a thread's messages, or of those one run added."""
        within = messages.c.thread_id == thread_id
        if query.run_id is not None:
            within &= messages.c.run_id == query.run_id
        async with self.office.database.read() as connection:
            await self.office.thread(connection, thread_id)
            return await page(connection, Message, messages, within, query)

    async def modify(self, thread_id: str, identity: str, body: MessageModify) -> Message:
        """Replace a message's metadata, if any was sent."""
        async with self.office.database.write() as connection:
            await self.office.thread(connection, thread_id)
            found = await self._find(connection, thread_id, identity, hold=True)
            if "metadata" not in body.model_fields_set:
                return found
            return await change_row(connection, Message, messages, identity, {"metadata": body.metadata or {}})

    async def delete(self, thread_id: str, identity: str) -> Deleted:
        """Delete a message of a thread that no run holds, else 400."""
        async with self.office.database.write() as connection:
            await self.office.thread(connection, thread_id, hold=True)
            await self._find(connection, thread_id, identity, hold=True)
            if holder := await active_run(connection, thread_id):
                raise thread_is_locked(thread_id, holder, "delete messages of")
            await connection.execute(delete(messages).where(messages.c.id == identity))
        return Deleted(id=identity, object="thread.message.deleted")

    async def _find(self, connection: Connection, thread_id: str, identity: str, *, hold: bool = False) -> Message:
        within = messages.c.thread_id == thread_id
        return await self.office.find(connection, Message, messages, identity, within, word="message", hold=hold)


async def drop_thread(connection: Connection, identity: str) -> tuple[str, ...]:
    """Delete a thread with all that belongs to it, in the open transaction; the ids of its runs are given."""
    of_thread = select(runs.c.id).where(runs.c.thread_id == identity)
    run_ids = tuple((await connection.execute(of_thread)).scalars())
    await connection.execute(delete(events).where(events.c.run_id.in_(of_thread)))
    for table in (steps, messages, runs):
        await connection.execute(delete(table).where(table.c.thread_id == identity))
    await connection.execute(delete(threads).where(threads.c.id == identity))
    return run_ids


async def new_thread(connection: Connection, office: Office, body: ThreadCreate) -> Thread:
    """Start a thread with its first messages, in the open transaction."""
    values = {
        "id": office.identify("thread"),
        "tenant": office.tenant,
        "created_at": office.now,
        "tool_resources": body.tool_resources,
        "metadata": body.metadata or {},
    }
    thread = await insert_row(connection, Thread, threads, values)
    await add_messages(connection, office, thread.id, body.messages)
    return thread


async def add_messages(connection: Connection, office: Office, thread_id: str, bodies: Iterable[MessageCreate]) -> None:
    """Add messages to a thread, in the open transaction."""
    if rows := [message_values(office, thread_id, body) for body in bodies]:
        await connection.execute(insert(messages), rows)


def message_values(office: Office, thread_id: str, body: MessageCreate) -> Json:
    """The row of a message a client sends."""
    if isinstance(body.content, str):
        content: list[Any] = [text_part(body.content)]
    else:
        content = [text_part(part.text) if part.type == "text" else part.model_dump() for part in body.content]
    return {
        "id": office.identify("msg"),
        "tenant": office.tenant,
        "created_at": office.now,
        "thread_id": thread_id,
        "status": "completed",
        "completed_at": office.now,
        "role": body.role,
        "content": content,
        "attachments": body.attachments or [],
        "metadata": body.metadata or {},
    }
