# ruff: noqa: INP001 - Alembic loads this file by its path, so its folder is no package
"""The first catalog."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Every table of the catalog."""
    op.create_table(
        "marks",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("clock", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    _create_sets()
    _create_queues()
    _create_journals()


def _create_sets() -> None:
    op.create_table(
        "listings",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("feed", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("manifest_generation", sa.Integer, nullable=False),
        sa.Column("stamp", sa.Text),
        sa.Column("gone", sa.Boolean, nullable=False),
        sa.Column("updated", Time, nullable=False),
        sa.Column("photo_count", sa.Integer, nullable=False),
        sa.UniqueConstraint("feed", "key", name="uq_listings_feed_key"),
    )
    is_due = sa.text("manifest_generation != generation")
    op.create_index(
        "ix_listings_manifest_due", "listings", ["feed"], sqlite_where=is_due, postgresql_where=is_due
    )
    op.create_table(
        "photos",
        sa.Column("listing_id", RowId, sa.ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("photo_id", sa.Text, nullable=False),
        sa.Column("ord", sa.BigInteger, nullable=False),
        sa.Column("stamp", sa.Text),
        sa.Column("url", sa.Text),
        sa.Column("preferred", sa.Boolean, nullable=False),
        sa.Column("caption", sa.Text),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sqlite_with_rowid=False,
    )


def _create_queues() -> None:
    op.create_table(
        "owed",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("listing", sa.Text, primary_key=True),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", Time, nullable=False),
        sa.Column("parked", sa.Boolean, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
    op.create_index("ix_owed_due", "owed", ["feed", "due_at"])
    op.create_table(
        "deletions",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("object_key", sa.Text, primary_key=True),
        sa.Column("due_at", Time, nullable=False),
    )
    op.create_index("ix_deletions_due", "deletions", ["feed", "due_at"])


def _create_journals() -> None:
    op.create_table(
        "runs",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("feed", sa.Text, nullable=False),
        sa.Column("started", Time, nullable=False),
        sa.Column("ended", Time),
        sa.Column("counts", sa.Text),
        sa.Column("error", sa.Text),
    )
    op.create_index("ix_runs_feed", "runs", ["feed", "id"])
    op.create_table(
        "events",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("feed", sa.Text, nullable=False),
        sa.Column("listing", sa.Text, nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_events_feed", "events", ["feed", "id"])


def downgrade() -> None:
    """No table is left."""
    for table in ("events", "runs", "deletions", "owed", "photos", "listings", "marks"):
        op.drop_table(table)
