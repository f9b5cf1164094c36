"""The tables, as the newest migration leaves them; the migrations in `migrations/` make them.

`seq` is the order of insertion: `created_at` has whole seconds, so lists are ordered by both. Column names are
the object's keys, so that a row is the object. Every row belongs to one tenant; no query crosses that line.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

DEFAULT_TENANT = "default"

metadata = MetaData()
json_or_null = JSON(none_as_null=True)
big = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what is declared INTEGER


def _identity() -> tuple[Column[int], Column[str], Column[str], Column[int]]:
    return (
        Column("seq", big, primary_key=True, autoincrement=True),
        Column("id", String(64), nullable=False, unique=True),
        Column("tenant", String(64), nullable=False),
        Column("created_at", big, nullable=False),
    )


assistants = Table(
    "assistants",
    metadata,
    *_identity(),
    Column("name", Text),
    Column("description", Text),
    Column("model", Text, nullable=False),
    Column("instructions", Text),
    Column("tools", json_or_null, nullable=False),
    Column("metadata", json_or_null, nullable=False),
    Column("tool_resources", json_or_null),
    Column("temperature", Float),
    Column("top_p", Float),
    Column("response_format", json_or_null),
    Column("reasoning_effort", String(16)),
    Index("assistants_order", "tenant", "created_at", "seq"),
    sqlite_autoincrement=True,
)

threads = Table(
    "threads",
    metadata,
    *_identity(),
    Column("tool_resources", json_or_null),
    Column("metadata", json_or_null, nullable=False),
    Index("threads_order", "tenant", "created_at", "seq"),
    sqlite_autoincrement=True,
)

messages = Table(
    "messages",
    metadata,
    *_identity(),
    Column("thread_id", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("incomplete_details", json_or_null),
    Column("completed_at", big),
    Column("incomplete_at", big),
    Column("role", String(16), nullable=False),
    Column("content", json_or_null, nullable=False),
    Column("assistant_id", String(64)),
    Column("run_id", String(64)),
    Column("turn", Integer),
    Column("attachments", json_or_null),
    Column("metadata", json_or_null, nullable=False),
    Index("messages_order", "thread_id", "created_at", "seq"),
    sqlite_autoincrement=True,
)

_HOLDS = text("status IN ('queued', 'in_progress', 'requires_action', 'cancelling') AND waiting = 0")
_HOLDS_PG = text("status IN ('queued', 'in_progress', 'requires_action', 'cancelling') AND NOT waiting")

runs = Table(
    "runs",
    metadata,
    *_identity(),
    Column("thread_id", String(64), nullable=False),
    Column("assistant_id", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("required_action", json_or_null),
    Column("last_error", json_or_null),
    Column("expires_at", big),
    Column("started_at", big),
    Column("cancelled_at", big),
    Column("failed_at", big),
    Column("completed_at", big),
    Column("incomplete_details", json_or_null),
    Column("model", Text, nullable=False),
    Column("instructions", Text, nullable=False),
    Column("tools", json_or_null, nullable=False),
    Column("metadata", json_or_null, nullable=False),
    Column("usage", json_or_null),
    Column("max_prompt_tokens", big),
    Column("max_completion_tokens", big),
    Column("truncation_strategy", json_or_null, nullable=False),
    Column("tool_choice", json_or_null, nullable=False),
    Column("parallel_tool_calls", Boolean, nullable=False),
    Column("response_format", json_or_null, nullable=False),
    Column("temperature", Float),
    Column("top_p", Float),
    Column("reasoning_effort", String(16)),
    # How far it is. None of these is ever sent.
    Column("waiting", Boolean, nullable=False),  # behind another run of its thread
    Column("leg", Integer, nullable=False),  # which workflow executes it; a new one after each requires_action
    Column("turn", Integer, nullable=False),  # how many answers of the model are complete
    Column("attempt", Integer, nullable=False),  # who writes: an execution that was given up finds another number
    Column("logged", Integer, nullable=False),  # the number of its newest event
    Column("spent", json_or_null),  # tokens so far
    Column("held", json_or_null),  # messages a waiting run brings, added when its turn comes
    Index("runs_order", "thread_id", "created_at", "seq"),
    Index("runs_by_status", "status"),
    # A thread is held by one run at most: said by the database, whatever the code above it believes.
    Index("runs_active", "thread_id", unique=True, sqlite_where=_HOLDS, postgresql_where=_HOLDS_PG),
    sqlite_autoincrement=True,
)

steps = Table(
    "steps",
    metadata,
    *_identity(),
    Column("thread_id", String(64), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("assistant_id", String(64), nullable=False),
    Column("turn", Integer, nullable=False),
    Column("type", String(24), nullable=False),
    Column("status", String(16), nullable=False),
    Column("step_details", json_or_null, nullable=False),
    Column("approvals", json_or_null),  # call id -> true, false, or null while nobody has decided
    Column("last_error", json_or_null),
    Column("expired_at", big),
    Column("cancelled_at", big),
    Column("failed_at", big),
    Column("completed_at", big),
    Column("metadata", json_or_null),
    Column("usage", json_or_null),
    Index("steps_order", "run_id", "created_at", "seq"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("tenant", String(64), nullable=False),
    Column("turn", Integer),  # the answer of the model it belongs to; null for events of the run itself
    Column("name", String(48), nullable=False),
    Column("data", Text, nullable=False),
    Column("pause", Boolean, nullable=False),  # a stream ends here: the run is over or waits for its caller
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", big, nullable=False),
    Column("revoked_at", big),
)

# Processes that execute runs on a shared database, and when each was last heard of.
workers = Table("workers", metadata, Column("id", String(64), primary_key=True), Column("seen_at", big, nullable=False))
