"""What a cycle would do, listing by listing, without doing it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from parsers.records import ListingState
from service.core.photos import StoredSet
from service.core.plan import FeedRules, plan_listing
from service.core.ports import CHANGES, Catalog, PhotoSource
from service.ingest.cycle import nothing_to_do

LIMIT = 10_000
"""Owed listings shown at most; the backlog's size is in `status`."""


@dataclass(frozen=True, slots=True)
class Preview:
    """One listing that a cycle would work on. `ask` is the photos that it would ask for."""

    feed: str
    listing: str
    reason: str
    ask: str
    stored: int
    removed: tuple[str, ...]


def preview(
    feed: str, source: PhotoSource, catalog: Catalog, rules: FeedRules, now: datetime
) -> Iterator[Preview]:
    """Listings that are owed and due, then those that the feed says have changed."""
    owed = {item.said.key: item for item in catalog.owed(feed, now, LIMIT)}
    stored = catalog.stored_sets(feed, owed)
    for key, item in owed.items():
        yield _entry(feed, item.said, stored.get(key, StoredSet(key)), rules, item.why or "owed")
    try:
        source.open()
        for page in source.changes(catalog.mark(feed, CHANGES) or None):
            fresh = [said for said in page.listings if said.key not in owed]
            stored = catalog.stored_sets(feed, [said.key for said in fresh])
            for said in fresh:
                have = stored.get(said.key, StoredSet(said.key))
                if nothing_to_do(said, have, rules) is None:
                    yield _entry(feed, said, have, rules, "changed")
    finally:
        source.close()


def _entry(feed: str, said: ListingState, stored: StoredSet, rules: FeedRules, reason: str) -> Preview:
    plan = plan_listing(said, stored, rules)
    ask = "the whole set" if plan.ask is None else ", ".join(plan.ask) or "nothing"
    if plan.desired is None and plan.ask != () and rules.described:
        ask = "what its record lists"
    listed = {ref.id for ref in plan.desired or ()}
    certain = plan.desired is not None and said.complete
    removed = tuple(p.ref.id for p in stored.photos if p.ref.id not in listed) if certain else ()
    return Preview(
        feed, said.key, "new" if not stored.generation else reason, ask, len(stored.photos), removed
    )
