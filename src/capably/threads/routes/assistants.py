"""`/assistants`."""

from capably.threads.bodies import AssistantCreate, AssistantModify
from capably.threads.objects import Assistant, Deleted, Page
from capably.threads.routes.desk import Listing, TheDesk, new_router

router = new_router()


@router.post("/assistants")
async def create_assistant(body: AssistantCreate, desk: TheDesk) -> Assistant:
    """Create an assistant."""
    return await desk.assistants.create(body)


@router.get("/assistants")
async def list_assistants(query: Listing, desk: TheDesk) -> Page[Assistant]:
    """List assistants."""
    return await desk.assistants.list(query)


@router.get("/assistants/{assistant_id}")
async def read_assistant(assistant_id: str, desk: TheDesk) -> Assistant:
    """Read an assistant."""
    return await desk.assistants.read(assistant_id)


@router.post("/assistants/{assistant_id}")
async def modify_assistant(assistant_id: str, body: AssistantModify, desk: TheDesk) -> Assistant:
    """Change an assistant."""
    return await desk.assistants.modify(assistant_id, body)


@router.delete("/assistants/{assistant_id}")
async def delete_assistant(assistant_id: str, desk: TheDesk) -> Deleted:
    """Delete an assistant; its runs stay."""
    return await desk.assistants.delete(assistant_id)
