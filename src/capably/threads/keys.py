"""Bearer keys: made once, shown once, kept as a digest.

A key is `ck_<id>_<secret>`: the id names it in lists and finds its row, the secret has 256 random bits, so a
plain SHA-256 is enough (there is nothing to guess, unlike a password).
"""

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import URL, bindparam, insert, select, update

from capably.threads.database import Database
from capably.threads.tables import DEFAULT_TENANT, keys

_LIVE = select(keys.c.digest, keys.c.tenant).where(keys.c.id == bindparam("key"), keys.c.revoked_at.is_(None))
_KEY = re.compile(r"ck_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class KeyRecord:
    """What is known of a key: never the key.

    Attributes:
        id: its name in `revoke`.
        prefix: how the key begins, to recognise it by.
        tenant: whose objects it opens.
        name: what it is for, in its owner's words.
        created_at: unix seconds.
        revoked_at: unix seconds, or None while it opens the service.
    """

    id: str
    prefix: str
    tenant: str
    name: str
    created_at: int
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a key is."""

    key_id: str
    tenant: str


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def create_key(url: URL, name: str = "default", tenant: str = DEFAULT_TENANT) -> str:
    """Make a key for the service on a database and return it; it cannot be shown again.

    Args:
        url: as `database.locate` gives it.
        name: what the key is for.
        tenant: whose objects it opens; keys of one tenant see the same, of two tenants nothing in common.

    Raises:
        DataDirectoryError: if the database cannot be used.
    """
    identity = secrets.token_hex(6)
    key = f"ck_{identity}_{secrets.token_urlsafe(32)}"
    values = {"id": identity, "name": name, "tenant": tenant, "digest": _digest(key), "created_at": int(time.time())}
    async with Database(url) as database, database.write() as connection:
        await connection.execute(insert(keys).values(**values))
    return key


async def list_keys(url: URL) -> list[KeyRecord]:
    """All keys ever made for a database, oldest first.

    Raises:
        DataDirectoryError: if the database cannot be used.
    """
    async with Database(url) as database, database.read() as connection:
        rows = await connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id))
        return [
            KeyRecord(row.id, f"ck_{row.id}_…", row.tenant, row.name, row.created_at, row.revoked_at) for row in rows
        ]


async def revoke_key(url: URL, identity: str) -> bool:
    """Stop a key from opening the service, at once; False if no live key has that id.

    Raises:
        DataDirectoryError: if the database cannot be used.
    """
    async with Database(url) as database, database.write() as connection:
        live = (keys.c.id == identity) & keys.c.revoked_at.is_(None)
        done = await connection.execute(update(keys).where(live).values(revoked_at=int(time.time())))
        return done.rowcount == 1


async def holder(database: Database, key: str) -> Holder | None:
    """Whose a key is, or None: asked of the database each time, so that revoking works at once."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    async with database.glance() as connection:
        known = (await connection.execute(_LIVE, {"key": match.group(1)})).first()
    if known is None or not hmac.compare_digest(known.digest, _digest(key)):
        return None
    return Holder(match.group(1), known.tenant)
