# ruff: noqa: INP001 - Alembic loads this file by its path, so its folder is no package
"""Links to media that others host, beside a listing's photos."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """One row for each set that has any."""
    op.create_table(
        "links",
        sa.Column(
            "listing_id",
            RowId,
            sa.ForeignKey("listings.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("links", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Manifests that are written from now on have no links."""
    op.drop_table("links")
