"""Tenants, run steps, stored events, and how far a run is.

Tables of the first version are copied into the new ones: what SQLite cannot alter, such as a foreign key, is then
simply not there any more. Runs that were unfinished go on; the one reply a finished run left gets its step.

Revision ID: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

JSON = sa.JSON(none_as_null=True)
BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ACTIVE = "status IN ('queued', 'in_progress', 'requires_action', 'cancelling')"
OLD_INDEXES = {
    "assistants": ["assistants_order"],
    "messages": ["messages_order"],
    "runs": ["runs_order", "runs_active"],
}


def _identity() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("seq", BIG, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
    )


def _some(kind: Any, *names: str, needed: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=not needed) for name in names]


def _new_tables() -> None:
    name64 = sa.String(64)
    op.create_table(
        "assistants",
        *_identity(),
        *_some(sa.Text, "name", "description"),
        *_some(sa.Text, "model", needed=True),
        *_some(sa.Text, "instructions"),
        *_some(JSON, "tools", "metadata", needed=True),
        *_some(JSON, "tool_resources"),
        *_some(sa.Float, "temperature", "top_p"),
        *_some(JSON, "response_format"),
        *_some(sa.String(16), "reasoning_effort"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "threads",
        *_identity(),
        *_some(JSON, "tool_resources"),
        *_some(JSON, "metadata", needed=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "messages",
        *_identity(),
        *_some(name64, "thread_id", needed=True),
        *_some(sa.String(16), "status", needed=True),
        *_some(JSON, "incomplete_details"),
        *_some(BIG, "completed_at", "incomplete_at"),
        *_some(sa.String(16), "role", needed=True),
        *_some(JSON, "content", needed=True),
        *_some(name64, "assistant_id", "run_id"),
        *_some(sa.Integer, "turn"),
        *_some(JSON, "attachments"),
        *_some(JSON, "metadata", needed=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "runs",
        *_identity(),
        *_some(name64, "thread_id", "assistant_id", needed=True),
        *_some(sa.String(16), "status", needed=True),
        *_some(JSON, "required_action", "last_error"),
        *_some(BIG, "expires_at", "started_at", "cancelled_at", "failed_at", "completed_at"),
        *_some(JSON, "incomplete_details"),
        *_some(sa.Text, "model", "instructions", needed=True),
        *_some(JSON, "tools", "metadata", needed=True),
        *_some(JSON, "usage"),
        *_some(BIG, "max_prompt_tokens", "max_completion_tokens"),
        *_some(JSON, "truncation_strategy", "tool_choice", needed=True),
        *_some(sa.Boolean, "parallel_tool_calls", needed=True),
        *_some(JSON, "response_format", needed=True),
        *_some(sa.Float, "temperature", "top_p"),
        *_some(sa.String(16), "reasoning_effort"),
        *_some(sa.Boolean, "waiting", needed=True),
        *_some(sa.Integer, "leg", "turn", "attempt", "logged", needed=True),
        *_some(JSON, "spent", "held"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "steps",
        *_identity(),
        *_some(name64, "thread_id", "run_id", "assistant_id", needed=True),
        *_some(sa.Integer, "turn", needed=True),
        *_some(sa.String(24), "type", needed=True),
        *_some(sa.String(16), "status", needed=True),
        *_some(JSON, "step_details", needed=True),
        *_some(JSON, "approvals", "last_error"),
        *_some(BIG, "expired_at", "cancelled_at", "failed_at", "completed_at"),
        *_some(JSON, "metadata", "usage"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "events",
        sa.Column("run_id", name64, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        *_some(name64, "tenant", needed=True),
        *_some(sa.Integer, "turn"),
        *_some(sa.String(48), "name", needed=True),
        *_some(sa.Text, "data", needed=True),
        *_some(sa.Boolean, "pause", needed=True),
    )
    op.create_table("workers", sa.Column("id", name64, primary_key=True), *_some(BIG, "seen_at", needed=True))


def _indexes() -> None:
    for table in ("assistants", "threads"):
        op.create_index(f"{table}_order", table, ["tenant", "created_at", "seq"])
    for table, owner in (("messages", "thread_id"), ("runs", "thread_id"), ("steps", "run_id")):
        op.create_index(f"{table}_order", table, [owner, "created_at", "seq"])
    op.create_index("runs_by_status", "runs", ["status"])
    op.create_index(
        "runs_active",
        "runs",
        ["thread_id"],
        unique=True,
        sqlite_where=sa.text(f"{ACTIVE} AND waiting = 0"),
        postgresql_where=sa.text(f"{ACTIVE} AND NOT waiting"),
    )


def upgrade() -> None:
    """Put the old tables aside, make the new ones, and copy."""
    connection = op.get_bind()
    inspector = sa.inspect(connection)
    for table, names in OLD_INDEXES.items():
        there = {index["name"] for index in inspector.get_indexes(table)}
        for name in names:
            if name in there:
                op.drop_index(name, table)
    kept = ("assistants", "threads", "messages", "runs")
    for table in kept:
        op.rename_table(table, f"{table}_1")
    _new_tables()
    _copy(connection)
    for table in reversed(kept):
        op.drop_table(f"{table}_1")
    op.add_column("keys", sa.Column("tenant", sa.String(64), nullable=False, server_default="default"))
    _indexes()


def _copy(connection: sa.Connection) -> None:
    common = {"tenant": "'default'"}
    added: dict[str, dict[str, str]] = {
        "assistants": common,
        "threads": common,
        "messages": common | {"turn": "CASE WHEN run_id IS NULL THEN NULL ELSE 0 END"},
        "runs": common
        | {"waiting": "false", "leg": "1", "turn": "CASE WHEN usage IS NULL THEN 0 ELSE 1 END", "attempt": "0"}
        | {"logged": "0", "spent": "usage"},
    }
    for table, values in added.items():
        old = [column["name"] for column in sa.inspect(connection).get_columns(f"{table}_1")]
        kept = [f'"{name}"' for name in old if name not in ("step_id", "reply_id")]
        if connection.dialect.name == "postgresql":
            kept.remove('"seq"')
        names, sources = ", ".join([*kept, *values]), ", ".join([*kept, *values.values()])
        op.execute(f"INSERT INTO {table} ({names}) SELECT {sources} FROM {table}_1 ORDER BY seq")  # noqa: S608 - our own names
    details = '\'{"type": "message_creation", "message_creation": {"message_id": "\' || m.id || \'"}}\''
    if connection.dialect.name == "postgresql":
        details = f"({details})::json"
    op.execute(
        "INSERT INTO steps (id, tenant, created_at, thread_id, run_id, assistant_id, turn, type, status, step_details,"  # noqa: S608
        " expired_at, failed_at, completed_at, usage)"
        f" SELECT r.step_id, 'default', m.created_at, r.thread_id, r.id, r.assistant_id, 0, 'message_creation',"
        f" CASE WHEN r.status IN ('failed', 'expired') THEN r.status ELSE 'completed' END, {details},"
        " CASE WHEN r.status = 'expired' THEN r.expires_at END, r.failed_at, r.completed_at, r.usage"
        " FROM runs_1 r JOIN messages_1 m ON m.id = r.reply_id"
    )
