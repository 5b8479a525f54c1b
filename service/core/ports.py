"""The ports: what the pure core and the ingest shell expect of the outside world.

A feed is a `PhotoSource`, a bucket an `ObjectStore`, the record of what was synchronised a
`Catalog`. Each has one contract suite in tests/, run on every adapter.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol

from parsers.records import ListingState, Outcome, PhotoRef
from service.core.photos import StoredSet
from service.core.plan import Commit


@dataclass(frozen=True, slots=True)
class Page:
    """Listings that may have changed. `cursor` is the raw mark that is safe once this page is kept."""

    listings: tuple[ListingState, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class KeySnapshot:
    """Every listing key of a feed. `complete` only when the scan ended well and agrees with COUNT.

    `paged`: it came in several answers, between which a key may have slipped through (Q65).
    """

    keys: frozenset[str]
    complete: bool
    why: str = ""
    paged: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Photos to ask for, of one listing. `ids` is None for the whole set.

    `count` is how many photos the feed says that there are, where it does.
    """

    listing: str
    ids: tuple[str, ...] | None = None
    count: int | None = None


@dataclass(slots=True)
class IncomingPhoto:
    """One answer about one photo, as it comes off the wire.

    `outcome` is set when the answer is decided without bytes (absent, denied, ...); else `chunks`
    are the picture, to be read before the next photo is asked for. `ref.id` is WHOLE_SET when the
    answer speaks for all photos that were asked of `listing`.
    """

    listing: str
    ref: PhotoRef
    outcome: Outcome | None = None
    chunks: Iterator[bytes | memoryview] = field(default_factory=lambda: iter(()))


class Facts(Protocol):
    """What a source has learned of its server and wants to know again after a restart. A dict is one."""

    def get(self, name: str, /) -> str | None:
        """The fact, if it was ever kept."""

    def __setitem__(self, name: str, value: str, /) -> None:
        """Keep a fact."""


class PhotoSource(Protocol):
    """A feed. Open before use; everything may raise RetryLater, SkipItem or StopFeed."""

    @property
    def takes_several(self) -> bool:
        """Whether `open_photos` may be asked for several listings at once."""

    def open(self) -> None:
        """Log in."""

    def close(self) -> None:
        """Log out; never raises."""

    def abandon(self) -> None:
        """Cut whatever transfer is running, from another thread; it then raises TransferCut."""

    def changes(self, since: str | None) -> Iterator[Page]:
        """Listings changed since the mark, oldest knowledge first; None asks for everything."""

    def keys(self) -> KeySnapshot:
        """Every key of the feed, for removals."""

    def open_photos(self, wanted: Sequence[Wanted]) -> Iterator[IncomingPhoto]:
        """One streaming pass, in any order. Ends normally only when the whole answer was complete."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One stored object. `etag` is without quotes."""

    key: str
    length: int
    etag: str | None = None
    media_type: str | None = None
    cache_control: str | None = None


class ObjectStore(Protocol):
    """Bytes by key. Knows no listing and no feed; failures are RetryLater."""

    def put(
        self, key: str, body: BinaryIO, length: int, sha256: str, *, media_type: str, cache_control: str
    ) -> None:
        """Store `length` bytes read from `body`; returns when the store has acknowledged them.

        `sha256` is theirs, in hex: whoever calls has it, and no store should hash them again.
        """

    def get(self, key: str) -> bytes:
        """The whole object (manifests; audits). KeyError when there is none."""

    def stat(self, key: str) -> ObjectInfo | None:
        """None when there is no such object."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object under the prefix, each once; the objects of one listing come together."""

    def delete(self, keys: Iterable[str]) -> None:
        """Missing keys are fine."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A listing whose photos are not yet as the feed says: the durable queue."""

    said: ListingState
    attempts: int = 0
    due_at: datetime | None = None
    parked: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """One feed as `status` shows it. Times are UTC."""

    feed: str
    cursor: str | None
    listings: int
    photos: int
    owed: int
    parked: int
    last_started: datetime | None
    last_success: datetime | None
    last_error: str | None


class Catalog(Protocol):
    """What was last *synchronised*, never what was last seen. One transaction per call."""

    def mark(self, feed: str, clock: str) -> str | None:
        """The raw text kept under a clock: `changes` is the search cursor."""

    def set_mark(self, feed: str, clock: str, value: str) -> None:
        """Keep a raw mark."""

    def stored_sets(self, feed: str, keys: Iterable[str]) -> dict[str, StoredSet]:
        """The stored sets of these listings, those that exist; a constant number of queries per 500 keys."""

    def owe(self, feed: str, said: Sequence[ListingState], cursor: str | None, now: datetime) -> None:
        """Queue listings, and move the `changes` mark when a cursor is given, in one transaction.

        A listing already owed with an equal state keeps its attempts, due time and parking; a
        different state replaces it, due at once.
        """

    def owed(self, feed: str, now: datetime, limit: int) -> list[Owed]:
        """Listings due at `now`, parked ones included when their time has come; oldest due first."""

    def postpone(self, feed: str, key: str, *, why: str, due_at: datetime, parked: bool) -> None:
        """One more failed attempt for an owed listing."""

    def unowe(self, feed: str, keys: Iterable[str]) -> None:
        """Nothing is owed any more (the listing is gone)."""

    def parked(self, feed: str) -> list[Owed]:
        """Parked listings with their reasons."""

    def commit(self, feed: str, commit: Commit, now: datetime, sweep_after: datetime) -> None:
        """Step 2 of the commit order: photo rows, listing row, events, object keys to delete later.

        Names in `commit.after` leave the deletion queue, names in `commit.dropped` join it, due at
        `sweep_after`. A settled commit also clears what the listing owed. The manifest becomes due.
        """

    def manifests_due(self, feed: str, limit: int) -> list[StoredSet]:
        """Sets whose manifest is not yet written at their generation (step 3 was interrupted)."""

    def manifest_written(self, feed: str, key: str, generation: int) -> None:
        """Step 4. Ignored when the generation has moved on."""

    def known_keys(self, feed: str) -> frozenset[str]:
        """Listings that are stored and not gone, or owed."""

    def due_deletions(self, feed: str, now: datetime, limit: int) -> list[str]:
        """Object keys whose grace period has passed."""

    def deleted(self, feed: str, keys: Iterable[str]) -> None:
        """These objects are gone; forget them."""

    def run_started(self, feed: str, now: datetime) -> int:
        """A new run; returns its number."""

    def run_ended(self, run: int, now: datetime, counts: Mapping[str, int], error: str | None) -> None:
        """The run's counts, and its error when it failed."""

    def status(self, feed: str) -> FeedStatus:
        """For `status`; a feed never run has zeros."""
