"""Assistants: kept, changed, listed, deleted. Runs of a deleted assistant stay, and finish."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete

from capably.threads.bodies import AssistantCreate, AssistantModify, ListQuery
from capably.threads.objects import Assistant, Deleted, Page
from capably.threads.paging import page
from capably.threads.rows import change_row, insert_row
from capably.threads.store.office import Office
from capably.threads.tables import assistants

# What null means for a field that always has a value.
EMPTY: dict[str, Any] = {"metadata": {}, "tools": []}


@dataclass(frozen=True, slots=True)
class Assistants:
    """The assistants of a tenant."""

    office: Office

    async def create(self, body: AssistantCreate) -> Assistant:
        """Keep an assistant."""
        values = body.model_dump(mode="json")
        values |= {"id": self.office.identify("asst"), "tenant": self.office.tenant, "created_at": self.office.now}
        values["metadata"] = values["metadata"] or {}
        async with self.office.database.write() as connection:
            return await insert_row(connection, Assistant, assistants, values)

    async def read(self, identity: str) -> Assistant:
        """Read an assistant."""
        async with self.office.database.read() as connection:
            return await self.office.find(connection, Assistant, assistants, identity, word="assistant")

    async def list(self, query: ListQuery) -> Page[Assistant]:
        """A page of all assistants."""
        async with self.office.database.read() as connection:
            return await page(connection, Assistant, assistants, self.office.owned(assistants), query)

    async def modify(self, identity: str, body: AssistantModify) -> Assistant:
        """Change what is sent and leave the rest."""
        sent = body.model_dump(mode="json", include=body.model_fields_set)
        values = {name: EMPTY.get(name) if value is None else value for name, value in sent.items()}
        if values.get("model", "") is None:
            del values["model"]
        async with self.office.database.write() as connection:
            found = await self.office.find(connection, Assistant, assistants, identity, word="assistant", hold=True)
            return await change_row(connection, Assistant, assistants, identity, values) if values else found

    async def delete(self, identity: str) -> Deleted:
        """Delete an assistant."""
        async with self.office.database.write() as connection:
            await self.office.find(connection, Assistant, assistants, identity, word="assistant", hold=True)
            await connection.execute(delete(assistants).where(assistants.c.id == identity))
        return Deleted(id=identity, object="assistant.deleted")
