# ruff: noqa: INP001 - Alembic loads this file by its path, so its folder is no package
"""Who works on which feed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """One row per feed that some process works on."""
    op.create_table(
        "leases",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("taken", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renewed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Feeds are nobody's again."""
    op.drop_table("leases")
