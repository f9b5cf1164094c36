"""`/threads` and the messages in them."""

from typing import Annotated

from fastapi import Query

from capably.threads.bodies import MessageCreate, MessageModify, MessageQuery, ThreadCreate, ThreadModify
from capably.threads.objects import Deleted, Message, Page, Thread
from capably.threads.routes.desk import Listing, TheDesk, new_router

router = new_router()


@router.post("/threads")
async def create_thread(desk: TheDesk, body: ThreadCreate | None = None) -> Thread:
    """Create a thread, with its first messages if given."""
    return await desk.threads.create(body or ThreadCreate())


@router.get("/threads")
async def list_threads(query: Listing, desk: TheDesk) -> Page[Thread]:
    """List threads (an addition of this service)."""
    return await desk.threads.list(query)


@router.get("/threads/{thread_id}")
async def read_thread(thread_id: str, desk: TheDesk) -> Thread:
    """Read a thread."""
    return await desk.threads.read(thread_id)


@router.post("/threads/{thread_id}")
async def modify_thread(thread_id: str, body: ThreadModify, desk: TheDesk) -> Thread:
    """Change a thread."""
    return await desk.threads.modify(thread_id, body)


@router.delete("/threads/{thread_id}")
async def delete_thread(thread_id: str, desk: TheDesk) -> Deleted:
    """Delete a thread with its messages and runs."""
    deleted, run_ids = await desk.threads.delete(thread_id)
    for run_id in run_ids:
        desk.stop(run_id)
    return deleted


@router.post("/threads/{thread_id}/messages")
async def create_message(thread_id: str, body: MessageCreate, desk: TheDesk) -> Message:
    """Add a message to a thread that has no active run."""
    return await desk.messages.create(thread_id, body)


@router.get("/threads/{thread_id}/messages")
async def list_messages(thread_id: str, query: Annotated[MessageQuery, Query()], desk: TheDesk) -> Page[Message]:
    """List the messages of a thread, or of one of its runs."""
    return await desk.messages.list(thread_id, query)


@router.get("/threads/{thread_id}/messages/{message_id}")
async def read_message(thread_id: str, message_id: str, desk: TheDesk) -> Message:
    """Read a message."""
    return await desk.messages.read(thread_id, message_id)


@router.post("/threads/{thread_id}/messages/{message_id}")
async def modify_message(thread_id: str, message_id: str, body: MessageModify, desk: TheDesk) -> Message:
    """Change a message's metadata."""
    return await desk.messages.modify(thread_id, message_id, body)


@router.delete("/threads/{thread_id}/messages/{message_id}")
async def delete_message(thread_id: str, message_id: str, desk: TheDesk) -> Deleted:
    """Delete a message of a thread that has no active run."""
    return await desk.messages.delete(thread_id, message_id)
