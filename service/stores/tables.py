"""The catalog's tables. They hold what was last synchronised, never what was last seen.

Time stamps of feeds are raw text, as sent. Times of ours are UTC and compare alike on SQLite and
PostgreSQL. The migrations build exactly these tables; a test compares the two.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC. SQLite keeps it as text of fixed width, which sorts as time does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """A time without a zone is a mistake of the caller, never a guess of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time of the catalog needs a zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


RowId = BigInteger().with_variant(Integer, "sqlite")
"""Only INTEGER is SQLite's own row number."""

metadata = MetaData()

marks = Table(
    "marks",
    metadata,
    Column("feed", Text, primary_key=True),
    Column("clock", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""One raw text per feed and clock; `changes` is the search cursor."""

listings = Table(
    "listings",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("feed", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("manifest_generation", Integer, nullable=False),
    Column("stamp", Text),
    Column("gone", Boolean, nullable=False),
    Column("updated", UtcTime, nullable=False),
    Column("photo_count", Integer, nullable=False),
    UniqueConstraint("feed", "key", name="uq_listings_feed_key"),
)
"""`photo_count` repeats what photos holds, so that `status` need not count millions of rows."""

manifest_is_due = listings.c.manifest_generation != listings.c.generation

# Partial: it holds only the few listings whose commit was interrupted before its manifest.
Index(
    "ix_listings_manifest_due",
    listings.c.feed,
    sqlite_where=manifest_is_due,
    postgresql_where=manifest_is_due,
)

photos = Table(
    "photos",
    metadata,
    Column("listing_id", ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True),
    # A set's own order, and not the photo's id: records do repeat a SequenceID.
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("photo_id", Text, nullable=False),
    Column("ord", BigInteger, nullable=False),
    Column("stamp", Text),
    Column("url", Text),
    Column("preferred", Boolean, nullable=False),
    Column("caption", Text),
    Column("category", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    # Rows lie in primary key order, so a set is one read, and there is no second index to keep.
    sqlite_with_rowid=False,
)

links = Table(
    "links",
    metadata,
    Column(
        "listing_id", ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("links", Text, nullable=False),
)
"""One row for each set that has links to media of others; `links` is JSON text."""

owed = Table(
    "owed",
    metadata,
    Column("feed", Text, primary_key=True),
    Column("listing", Text, primary_key=True),
    Column("said", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("parked", Boolean, nullable=False),
    Column("why", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("guard", Text, nullable=False),
    Column("loses", Integer, nullable=False),
    Index("ix_owed_due", "feed", "due_at"),
)
"""The durable queue. `said` is JSON text with one spelling per state, so equal text is equal state."""

runs = Table(
    "runs",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("feed", Text, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("ended", UtcTime),
    Column("counts", Text),
    Column("error", Text),
    Index("ix_runs_feed", "feed", "id"),
)

deletions = Table(
    "deletions",
    metadata,
    Column("feed", Text, primary_key=True),
    Column("object_key", Text, primary_key=True),
    Column("due_at", UtcTime, nullable=False),
    Index("ix_deletions_due", "feed", "due_at"),
)
"""Full object keys that no current set needs, until their grace period has passed."""

events = Table(
    "events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("feed", Text, nullable=False),
    Column("listing", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_events_feed", "feed", "id"),
)
"""What changed, newest last: one row per commit. `detail` is JSON with counts."""

leases = Table(
    "leases",
    metadata,
    Column("feed", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("taken", UtcTime, nullable=False),
    Column("renewed", UtcTime, nullable=False),
    Column("seconds", Float, nullable=False),
)
"""Who works on a feed. `token` is new each time it is taken; `taken` and `renewed` are told by the
database's clock; without being renewed it lasts `seconds`."""

kept_sets = Table(
    "kept_sets",
    metadata,
    Column("feed", Text, primary_key=True),
    Column("listing", Text, primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("photo_count", Integer, nullable=False),
    Column("kept", Text, nullable=False),
    Column("replaced", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Index("ix_kept_sets_until", "feed", "until"),
)
"""Sets of which a photo was dropped since, for as long as all of their objects exist. `kept` is JSON text."""

pins = Table(
    "pins",
    metadata,
    Column("feed", Text, primary_key=True),
    Column("listing", Text, primary_key=True),
    Column("kind", Text, nullable=False),
)
"""Listings that were undeleted and that the feed has not again: `listing`, or `photos` of them."""

holds = Table(
    "holds",
    metadata,
    Column("feed", Text, primary_key=True),
    Column("guard", Text, primary_key=True),
    Column("why", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
)
"""Guards that stop a feed's deletions."""

breakers = Table(
    "breakers",
    metadata,
    Column("feed", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("until", UtcTime),
    Column("stopped", Boolean, nullable=False),
    Column("why", Text, nullable=False),
)
"""Whether a feed is asked at all. No row is a closed breaker."""
