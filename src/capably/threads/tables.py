"""The tables of the one database file.

`seq` is the order of insertion: `created_at` has whole seconds, so lists are ordered by both. Column names are
the object's keys, so that a row is the object. `reasoning_effort`, `step_id` and `reply_id` are never sent.
"""

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text, text

SCHEMA_VERSION = 1

metadata = MetaData()
_Json = JSON(none_as_null=True)


def _identity() -> tuple[Column[int], Column[str], Column[int]]:
    return (
        Column("seq", Integer, primary_key=True, autoincrement=True),
        Column("id", String(64), nullable=False, unique=True),
        Column("created_at", Integer, nullable=False),
    )


assistants = Table(
    "assistants",
    metadata,
    *_identity(),
    Column("name", Text),
    Column("description", Text),
    Column("model", Text, nullable=False),
    Column("instructions", Text),
    Column("tools", _Json, nullable=False),
    Column("metadata", _Json, nullable=False),
    Column("tool_resources", _Json),
    Column("temperature", Float),
    Column("top_p", Float),
    Column("response_format", _Json),
    Column("reasoning_effort", String(16)),
    Index("assistants_order", "created_at", "seq"),
    sqlite_autoincrement=True,
)

threads = Table(
    "threads",
    metadata,
    *_identity(),
    Column("tool_resources", _Json),
    Column("metadata", _Json, nullable=False),
    sqlite_autoincrement=True,
)

messages = Table(
    "messages",
    metadata,
    *_identity(),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("incomplete_details", _Json),
    Column("completed_at", Integer),
    Column("incomplete_at", Integer),
    Column("role", String(16), nullable=False),
    Column("content", _Json, nullable=False),
    Column("assistant_id", String(64)),
    Column("run_id", String(64)),
    Column("attachments", _Json),
    Column("metadata", _Json, nullable=False),
    Index("messages_order", "thread_id", "created_at", "seq"),
    sqlite_autoincrement=True,
)

_ACTIVE = text("status IN ('queued', 'in_progress', 'requires_action', 'cancelling')")

runs = Table(
    "runs",
    metadata,
    *_identity(),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    Column("assistant_id", ForeignKey("assistants.id"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("last_error", _Json),
    Column("expires_at", Integer),
    Column("started_at", Integer),
    Column("cancelled_at", Integer),
    Column("failed_at", Integer),
    Column("completed_at", Integer),
    Column("incomplete_details", _Json),
    Column("model", Text, nullable=False),
    Column("instructions", Text, nullable=False),
    Column("tools", _Json, nullable=False),
    Column("metadata", _Json, nullable=False),
    Column("usage", _Json),
    Column("max_prompt_tokens", Integer),
    Column("max_completion_tokens", Integer),
    Column("truncation_strategy", _Json, nullable=False),
    Column("tool_choice", _Json, nullable=False),
    Column("parallel_tool_calls", Boolean, nullable=False),
    Column("response_format", _Json, nullable=False),
    Column("temperature", Float),
    Column("top_p", Float),
    Column("reasoning_effort", String(16)),
    Column("step_id", String(64), nullable=False),
    Column("reply_id", String(64), nullable=False),
    Index("runs_order", "thread_id", "created_at", "seq"),
    # A thread has one active run at most: said by the database, whatever the code above it believes.
    Index("runs_active", "thread_id", unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
    sqlite_autoincrement=True,
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("revoked_at", Integer),
)
