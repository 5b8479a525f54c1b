# ruff: noqa: INP001 - Alembic loads this file by its path, so its folder is no package
"""What guards hold, what can be undeleted, and what came instead of the photos of an owed listing."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

Time = sa.DateTime(timezone=True)

OWED = "feed, listing, said, attempts, due_at, parked, why"


def upgrade() -> None:
    """Four tables more, and three columns more of what is owed."""
    _renew_owed(
        ", '', '', 0",
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("guard", sa.Text, nullable=False),
        sa.Column("loses", sa.Integer, nullable=False),
    )
    op.create_table(
        "kept_sets",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("listing", sa.Text, primary_key=True),
        sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("photo_count", sa.Integer, nullable=False),
        sa.Column("kept", sa.Text, nullable=False),
        sa.Column("replaced", Time, nullable=False),
        sa.Column("until", Time, nullable=False),
    )
    op.create_index("ix_kept_sets_until", "kept_sets", ["feed", "until"])
    op.create_table(
        "pins",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("listing", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
    )
    op.create_table(
        "holds",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("guard", sa.Text, primary_key=True),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("since", Time, nullable=False),
    )
    op.create_table(
        "breakers",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("until", Time),
        sa.Column("stopped", sa.Boolean, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """What was owed stays owed."""
    for table in ("breakers", "holds", "pins", "kept_sets"):
        op.drop_table(table)
    _renew_owed("")


def _renew_owed(more: str, *columns: sa.Column[Any]) -> None:
    """The queue as a new table with the old one's rows: SQLite would add a column behind the constraints."""
    op.execute(f"CREATE TEMPORARY TABLE owed_before AS SELECT {OWED} FROM owed")  # noqa: S608 - a constant
    op.drop_table("owed")
    op.create_table(
        "owed",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("listing", sa.Text, primary_key=True),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", Time, nullable=False),
        sa.Column("parked", sa.Boolean, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        *columns,
    )
    op.create_index("ix_owed_due", "owed", ["feed", "due_at"])
    op.execute(f"INSERT INTO owed SELECT {OWED}{more} FROM owed_before")  # noqa: S608 - a constant
    op.drop_table("owed_before")
