"""An audit of one feed: every object of the bucket and every listing of the catalog, looked at once.

The first look goes through the bucket in its own order and only picks out what may be wrong: a cycle
may be at work. What it has picked is looked at again, alone, until two looks in a row agree: a cycle
changes the catalog's word on whatever it works on, so what is then wrong is wrong. Only then is it
told, and mended. A mended listing is mended under the feed's lease.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TypeAlias

import structlog

from service.core.audit import (
    MANIFEST,
    Difference,
    Kind,
    Mend,
    Reading,
    Side,
    compare,
    listing_of,
    read_copy,
)
from service.core.photos import StoredSet, segment
from service.core.ports import Holding
from service.errors import ConfigError, ServiceError
from service.ingest.feed import Feed
from service.ingest.shelves import (
    READERS,
    TOLD,
    Shelf,
    empty_shelves,
    in_batches,
    read_document,
    read_object,
    shelf,
    shelves,
)
from service.ingest.tenure import working_on

log = structlog.get_logger()

LOOKS = 6
"""At one listing. When no two in a row agree, a cycle is at work on it, and the next audit may see it."""

COUNTS = ("listings", "objects", *(kind.value for kind in Kind), "mended", "busy")
"""What was looked at, what was found, what was mended, and listings that a cycle was working on."""

_Picked: TypeAlias = tuple[str, str | None]
"""A path segment below the feed's, and its listing's key where that is known."""

Repair: TypeAlias = Callable[[Feed, Side, Sequence[Difference]], int]
"""Mends one listing's differences; returns how many it has mended."""


@dataclass
class AuditReport:
    """What an audit found, counted while it looks."""

    feed: str
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    differences: list[Difference] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0

    def snapshot(self) -> Mapping[str, int]:
        """The counts as they are now."""
        return dict(self.counts)

    @property
    def found(self) -> int:
        """Every difference."""
        return sum(self.counts[kind] for kind in Kind)

    @property
    def ok(self) -> bool:
        """Whether the feed was looked at, and everything is right by now."""
        return self.error is None and self.found == self.counts["mended"]

    def tell(self, differences: Sequence[Difference]) -> None:
        """Count, and keep as many as a report holds."""
        for found in differences:
            self.counts[found.kind] += 1
        self.differences += differences[: TOLD - len(self.differences)]


def audit_feed(
    feed: Feed,
    report: AuditReport,
    stop: threading.Event,
    *,
    deep: bool = False,
    repair: Repair | None = None,
    patience: timedelta = timedelta(),
) -> None:
    """Look at a feed. `deep` reads every object; `repair` mends what is wrong, under the feed's lease.

    An expected failure ends in the report, not in an exception.
    """
    started = time.monotonic()
    try:
        with ThreadPoolExecutor(READERS, thread_name_prefix="reader") as readers:
            audit = _Audit(feed, report, stop, readers if deep else None)
            picked = audit.pick()
            if repair is None:
                audit.settle(picked)
            elif picked:
                with working_on(feed, stop, patience=patience) as mine:
                    if mine is not None:
                        replace(audit, feed=mine).settle(picked, repair)
        if stop.is_set():
            report.error = "it was stopped before its end"
    except ServiceError as error:
        report.error = str(error)
    report.seconds = time.monotonic() - started
    log.info("audit.ended", feed=feed.name, **report.counts, error=report.error, seconds=report.seconds)


@dataclass(frozen=True)
class _Audit:
    feed: Feed
    report: AuditReport
    stop: threading.Event
    readers: ThreadPoolExecutor | None

    def pick(self) -> list[_Picked]:
        """Listings that may have something wrong."""
        unseen = set(self.feed.catalog.known_keys(self.feed.name))
        # Only a hash cannot be read back.
        hashed = {name: key for key in unseen if listing_of(name := segment(key)) is None}
        picked: list[_Picked] = []
        for side in self._sides(shelves(self.feed.store, self.feed.name), hashed):
            unseen -= {side.listing}
            picked += self._pick(side)
        for side in self._sides(empty_shelves(self.feed.name, sorted(unseen)), hashed):
            picked += self._pick(side)
        return picked

    def settle(self, picked: Sequence[_Picked], repair: Repair | None = None) -> None:
        """Tell, and mend, what is wrong for certain."""
        if repair and not self.report.counts["objects"]:
            hint = "is store.url the right bucket? To load everything again, begin with an empty catalog"
            raise ConfigError("the bucket holds nothing of it", feed=self.feed.name, hint=hint)
        for name, key in picked:
            if self.stop.is_set():
                return
            side = self._steady(name, key)
            if side is None:
                self.report.counts["busy"] += 1
                continue
            differences = compare(side, self.feed.public_url)
            self.report.tell(differences)
            if repair and differences:
                self.report.counts["mended"] += repair(self.feed, side, differences)

    def _pick(self, side: Side) -> list[_Picked]:
        self.report.counts["listings"] += bool(side.objects or side.holding.stored)
        self.report.counts["objects"] += len(side.objects)
        wrong = compare(side, self.feed.public_url)
        return [(side.prefix.split("/")[1], side.listing)] if wrong else []

    def _sides(self, every: Iterable[Shelf], hashed: Mapping[str, str]) -> Iterator[Side]:
        """A first look. Manifests are not read: one that its ETag does not prove is looked at again."""
        for batch in in_batches(every):
            if self.stop.is_set():
                return
            self._tell_strays(batch)
            spelled = [one for one in batch if not one.stray]
            keys = [hashed.get(one.name, listing_of(one.name)) for one in spelled]
            found = {
                key: one.objects.keys() for key, one in zip(keys, spelled, strict=True) if key is not None
            }
            holdings = self.feed.catalog.holdings(self.feed.name, found)
            for key, one in zip(keys, spelled, strict=True):
                yield self._side(one, key, holdings[key] if key is not None else Holding())

    def _tell_strays(self, batch: Sequence[Shelf]) -> None:
        strays = [one.prefix for one in batch if one.stray]
        self.report.counts["objects"] += len(strays)
        why = "it lies beside the listings"
        self.report.tell([Difference(Kind.FOREIGN, stray, why, Mend.LEAVE) for stray in strays])

    def _steady(self, name: str, key: str | None) -> Side | None:
        """The listing as two looks in a row have seen it."""
        before = self._look(name, key)
        for _ in range(LOOKS - 1):
            side = self._look(name, key)
            if side == before:
                return side
            before = side
        return None

    def _look(self, name: str, key: str | None) -> Side:
        """One listing, its manifest read too. First the bucket, then the catalog: see `Books.holdings`."""
        one = shelf(self.feed.store, self.feed.name, name)
        document = read_document(self.feed.store, one)
        if key is None:  # a hash, where the manifest knows more
            read, _ = read_copy(self.feed.name, one.prefix, document)
            key = read.key if read else None
        if key is None:
            return self._side(one, None, Holding(), document)
        holdings = self.feed.catalog.holdings(self.feed.name, {key: one.objects.keys()})
        return self._side(one, key, holdings[key], document)

    def _side(self, one: Shelf, key: str | None, holding: Holding, document: bytes | None = None) -> Side:
        readings = self._read(one, holding.stored) if self.readers and holding.stored else {}
        return Side(self.feed.name, one.prefix, key, one.objects, one.more, holding, document, readings)

    def _read(self, one: Shelf, stored: StoredSet) -> dict[str, Reading]:
        """All of the objects that the set needs."""
        names = [name for name in one.objects if name in stored.names or name == MANIFEST]
        read = partial(read_object, self.feed.store)
        came = self.readers.map(read, [one.prefix + name for name in names]) if self.readers else ()
        return {name: reading for name, reading in zip(names, came, strict=True) if reading is not None}
