"""Assistants, threads, messages, runs and keys, as the first version kept them.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

JSON = sa.JSON(none_as_null=True)


def _identity() -> tuple[sa.Column[int], sa.Column[str], sa.Column[int]]:
    return (
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", sa.Integer, nullable=False),
    )


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "assistants",
        *_identity(),
        *(sa.Column(name, sa.Text) for name in ("name", "description")),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("instructions", sa.Text),
        *(sa.Column(name, JSON, nullable=False) for name in ("tools", "metadata")),
        sa.Column("tool_resources", JSON),
        *(sa.Column(name, sa.Float) for name in ("temperature", "top_p")),
        sa.Column("response_format", JSON),
        sa.Column("reasoning_effort", sa.String(16)),
        sqlite_autoincrement=True,
    )
    op.create_index("assistants_order", "assistants", ["created_at", "seq"])
    op.create_table(
        "threads",
        *_identity(),
        sa.Column("tool_resources", JSON),
        sa.Column("metadata", JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "messages",
        *_identity(),
        sa.Column("thread_id", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("incomplete_details", JSON),
        *(sa.Column(name, sa.Integer) for name in ("completed_at", "incomplete_at")),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("content", JSON, nullable=False),
        *(sa.Column(name, sa.String(64)) for name in ("assistant_id", "run_id")),
        sa.Column("attachments", JSON),
        sa.Column("metadata", JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("messages_order", "messages", ["thread_id", "created_at", "seq"])
    op.create_table(
        "runs",
        *_identity(),
        *(sa.Column(name, sa.String(64), nullable=False) for name in ("thread_id", "assistant_id")),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("last_error", JSON),
        *(
            sa.Column(name, sa.Integer)
            for name in ("expires_at", "started_at", "cancelled_at", "failed_at", "completed_at")
        ),
        sa.Column("incomplete_details", JSON),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("model", "instructions")),
        *(sa.Column(name, JSON, nullable=False) for name in ("tools", "metadata")),
        sa.Column("usage", JSON),
        *(sa.Column(name, sa.Integer) for name in ("max_prompt_tokens", "max_completion_tokens")),
        *(sa.Column(name, JSON, nullable=False) for name in ("truncation_strategy", "tool_choice")),
        sa.Column("parallel_tool_calls", sa.Boolean, nullable=False),
        sa.Column("response_format", JSON, nullable=False),
        *(sa.Column(name, sa.Float) for name in ("temperature", "top_p")),
        sa.Column("reasoning_effort", sa.String(16)),
        *(sa.Column(name, sa.String(64), nullable=False) for name in ("step_id", "reply_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("revoked_at", sa.Integer),
    )
