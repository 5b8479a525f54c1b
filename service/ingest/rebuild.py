"""A lost catalog, read back from the manifests that stand in the bucket.

Each manifest holds its whole set, raw time stamps included, so what is still right is not downloaded
again. What is not in the bucket cannot be read back: the search cursor, what was owed, listings that
are gone. So the next cycle searches from the start.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from service.core.audit import MANIFEST, read_copy, salvage
from service.core.photos import StoredSet
from service.core.ports import CHANGES
from service.errors import ServiceError
from service.ingest.feed import Feed
from service.ingest.shelves import READERS, TOLD, Shelf, in_batches, read_document, shelves
from service.ingest.tenure import working_on

log = structlog.get_logger()

COUNTS = ("listings", "photos", "restored", "kept", "incomplete", "skipped")
"""Listings, but for `photos` (restored): those with a manifest, of these the ones restored, the ones of which
the catalog knows as much or more, and the ones whose manifest cannot be used. `incomplete` were restored
without some of their photos, whose objects are missing."""


@dataclass
class RebuildReport:
    """What was read back. `skipped` holds keys of manifests that were not, and why."""

    feed: str
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    skipped: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0

    def snapshot(self) -> Mapping[str, int]:
        """The counts as they are now."""
        return dict(self.counts)

    @property
    def ok(self) -> bool:
        """Whether every manifest could be used."""
        return self.error is None and not self.counts["skipped"]


def rebuild_feed(
    feed: Feed, report: RebuildReport, stop: threading.Event, *, patience: timedelta = timedelta()
) -> None:
    """Restore every listing whose manifest is newer than what the catalog has. Safe to be run again.

    It holds the feed's lease. An expected failure ends in the report, not in an exception.
    """
    started = time.monotonic()
    try:
        with working_on(feed, stop, patience=patience) as mine:
            if mine is not None:
                _rebuild(mine, report, stop)
        if stop.is_set():
            report.error = "it was stopped before its end: run it again"
    except ServiceError as error:
        report.error = str(error)
    report.seconds = time.monotonic() - started
    log.info("rebuild.ended", feed=feed.name, **report.counts, error=report.error, seconds=report.seconds)


def _rebuild(feed: Feed, report: RebuildReport, stop: threading.Event) -> None:
    # First, so that a rebuild that is killed leaves no row that a search would not look at again.
    feed.catalog.set_mark(feed.name, CHANGES, "")
    with ThreadPoolExecutor(READERS, thread_name_prefix="reader") as readers:
        for batch in in_batches(shelves(feed.store, feed.name)):
            if stop.is_set():
                return
            listed = [one for one in batch if MANIFEST in one.objects or one.more]
            report.counts["listings"] += len(listed)
            documents = readers.map(lambda one: read_document(feed.store, one), listed)
            sets = [_read(feed, report, *both) for both in zip(listed, documents, strict=True)]
            _restore(feed, report, [one for one in sets if one is not None])


def _read(
    feed: Feed, report: RebuildReport, one: Shelf, document: bytes | None
) -> tuple[StoredSet, bool] | None:
    """The set of a manifest as far as its objects are there, and whether that is all of it."""
    read, failure = read_copy(feed.name, one.prefix, document)
    if one.more:
        read, failure = None, "more objects than any listing has"
    if read is None:
        report.counts["skipped"] += 1
        if len(report.skipped) < TOLD:
            report.skipped[one.prefix + MANIFEST] = failure
        return None
    found = salvage(read, one.objects)
    return found, found == read


def _restore(feed: Feed, report: RebuildReport, sets: Sequence[tuple[StoredSet, bool]]) -> None:
    cut = {found.key for found, is_whole in sets if not is_whole}
    restored = feed.catalog.restore(feed.name, [found for found, _ in sets], due=cut)
    report.counts["restored"] += len(restored)
    report.counts["kept"] += len(sets) - len(restored)
    report.counts["incomplete"] += len(cut & restored)
    report.counts["photos"] += sum(len(found.photos) for found, _ in sets if found.key in restored)
