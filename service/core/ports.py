"""The ports: what the pure core and the ingest shell expect of the outside world.

A feed is a `PhotoSource`, a bucket an `ObjectStore`, the record of what was synchronised a
`Catalog`. Each has one contract suite in tests/, run on every adapter.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

from parsers.records import ListingState, Outcome, PhotoRef
from service.core.guards import Held, Losses
from service.core.photos import Pin, StoredSet
from service.core.plan import Commit
from service.core.schedule import Breaker

CHANGES = "changes"
"""The mark that is the search cursor."""


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

    `count` is how many photos the feed says that there are, where it does; `refs` are those that are
    asked for, as the listing's record has them, where it lists them.
    """

    listing: str
    ids: tuple[str, ...] | None = None
    count: int | None = None
    refs: tuple[PhotoRef, ...] = ()


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

    def records(self, keys: Sequence[str]) -> Iterator[ListingState]:
        """What the feed says of these listings now, those that it still has, in any order."""

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


@dataclass(frozen=True, slots=True)
class OpenObject:
    """One object while it is read: what the store tells of it, and its bytes as they come."""

    info: ObjectInfo
    chunks: Iterator[bytes]


class ObjectStore(Protocol):
    """Bytes by key. Knows no listing and no feed; failures are RetryLater."""

    def put(
        self, key: str, body: BinaryIO, length: int, sha256: str, *, media_type: str, cache_control: str
    ) -> None:
        """Store `length` bytes read from `body`; returns when the store has acknowledged them.

        `sha256` is theirs, in hex: whoever calls has it, and no store should hash them again.
        """

    def get(self, key: str) -> bytes:
        """The whole object. KeyError when there is none."""

    def open(self, key: str) -> AbstractContextManager[OpenObject]:
        """The object's bytes, a chunk at a time. KeyError when there is none; RetryLater when it is cut."""

    def stat(self, key: str) -> ObjectInfo | None:
        """None when there is no such object."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object under the prefix, each once; the objects of one listing come together."""

    def delete(self, keys: Iterable[str]) -> None:
        """Missing keys are fine."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A listing whose photos are not yet as the feed says: the durable queue.

    `evidence` is the scrubbed head of what came instead, at most 1 KB; `guard` names the guard that
    keeps what the listing would lose, if that is why it waits.
    """

    said: ListingState
    attempts: int = 0
    due_at: datetime | None = None
    parked: bool = False
    why: str = ""
    evidence: str = ""
    guard: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A guard (service/core/guards.py) that keeps a feed from losing something, since when (UTC) and why."""

    feed: str
    guard: str
    why: str
    since: datetime


@dataclass(frozen=True, slots=True)
class KeptSet:
    """An earlier set of a listing that can be brought back until its photos' bytes go (UTC)."""

    listing: str
    generation: int
    photos: int
    until: datetime


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
    first_started: datetime | None = None
    breaker: Breaker = field(default_factory=Breaker)

    def lag(self, now: datetime) -> timedelta | None:
        """Since the last success; before there was one, since the first cycle began."""
        since = self.last_success or self.first_started
        return now - since if since else None

    def is_late(self, interval: timedelta, now: datetime) -> bool:
        """No success for three intervals. A first load takes what it takes, unless it has failed."""
        if self.last_success is None:
            return self.last_error is not None
        return now - self.last_success > 3 * interval


@dataclass(frozen=True, slots=True)
class Run:
    """One cycle of a feed. `ended` is None while it runs, and for one that was killed."""

    started: datetime
    ended: datetime | None
    counts: Mapping[str, int]
    error: str | None


@dataclass(frozen=True, slots=True)
class ListingEntry:
    """A stored listing as a list shows it: how many photos, and when its set was last changed (UTC)."""

    key: str
    photos: int
    updated: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a feed alone. `token` tells this taking from every other one.

    It lasts `seconds` from its last renewal. `from_dead` names the holder that it was taken over
    from, where it was not given back.
    """

    feed: str
    token: str
    seconds: float
    from_dead: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who works on a feed, since when, and when that was last heard of (UTC).

    `lapsed`: not heard of for so long that anyone may take the feed over.
    """

    who: str
    since: datetime
    heard: datetime
    lapsed: bool


WAKE, PURGE_ALLOWED, PURGED = "wake", "purge.allowed", "purge.done"
"""Marks by which an operator's word reaches a running daemon: look at the feed now; its guards may let go
(since when); before when its losses are no longer counted."""


class Attention(Protocol):
    """The part of the catalog by which an operator sees what is stopped, and sets it going again."""

    def parked(self, feed: str) -> list[Owed]:
        """Parked listings with their reasons and evidence, by key."""

    def retry(self, feed: str, key: str | None, now: datetime) -> int:
        """What the listing owes is due at once, as if it had never failed; without a key, all of the feed.

        Without a key the feed's breaker closes too. A running daemon sees it within seconds. Returns
        how many listings became due.
        """

    def hold(self, feed: str, guard: str, why: str, now: datetime) -> None:
        """A guard stops the feed's deletions. One that does so already keeps its `since`."""

    def lift(self, feed: str, guard: str) -> bool:
        """The guard stops nothing any more; False when it did not."""

    def holds(self, feed: str) -> list[Hold]:
        """The guards that stop something, the oldest first."""

    def allow_purge(self, feed: str, now: datetime) -> None:
        """The feed's next good cycle may lose what its guards hold; a daemon begins it within seconds."""

    def breaker(self, feed: str) -> Breaker:
        """Whether the feed is asked at all; closed for one that never failed."""

    def set_breaker(self, feed: str, breaker: Breaker) -> None:
        """Keep it over restarts."""

    def kept_sets(self, feed: str) -> list[KeptSet]:
        """What can be undeleted, by key, the newest generation of each first."""

    def undelete(
        self, feed: str, key: str, generation: int | None, now: datetime, sweep_after: datetime
    ) -> StoredSet:
        """Bring back the set that was replaced or removed last, or that of a generation, and pin it.

        It becomes a generation of its own, whose manifest is due; its objects leave the deletion
        queue in the same transaction. A pinned listing is not removed, and its set gets no smaller,
        until the feed has it again or `release`. SkipItem when nothing (more) is kept.
        """

    def release(self, feed: str, key: str, now: datetime) -> bool:
        """The feed's word counts again for a listing that was undeleted; False when it had no pin."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What the catalog says that the bucket holds of one listing.

    `stored` is None for a listing that was never stored. `photo_count` is how many photo rows there
    should be. `owed`: its photos may be on their way. `queued` names those of its objects that wait
    for their deletion.
    """

    stored: StoredSet | None = None
    photo_count: int = 0
    manifest_due: bool = False
    owed: bool = False
    queued: frozenset[str] = frozenset()

    @property
    def lost_rows(self) -> int:
        """Photos whose rows are not there."""
        return self.photo_count - len(self.stored.photos) if self.stored else 0


class Books(Protocol):
    """The part of the catalog by which the bucket is audited, and the catalog restored."""

    def holdings(self, feed: str, found: Mapping[str, AbstractSet[str]]) -> dict[str, Holding]:
        """What should be there of these listings, given the names of the objects that are.

        Every listing that is asked for is in the answer. When it is owed in neither of two equal
        answers, then no cycle has worked on it in between.
        """

    def restore(self, feed: str, sets: Iterable[StoredSet], due: AbstractSet[str]) -> frozenset[str]:
        """Write sets that were read from manifests, rows and times; returns the listings written.

        A row of the same or a later generation stays as it is, unless photo rows of it are lost.
        The sets of listings in `due` are not (any more) what their manifests say: they become the
        next generation, whose manifest is due. What the sets need leaves the deletion queue.
        """

    def distrust(
        self, feed: str, commit: Commit, said: ListingState | None, now: datetime, sweep_after: datetime
    ) -> None:
        """A set goes on without its damaged photos, and the listing is owed, in one transaction.

        `said` is owed, due at once; a listing that is owed already keeps its state. None owes
        nothing. No earlier set is kept for it, and the guards do not count what it loses.
        """

    def queue_deletions(self, feed: str, keys: Collection[str], due_at: datetime) -> None:
        """These objects, which no set needs, are deleted once they are due."""


class Catalog(Attention, Books, Protocol):
    """What was last *synchronised*, never what was last seen. One transaction per call."""

    def mark(self, feed: str, clock: str) -> str | None:
        """The raw text kept under a clock."""

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

    def postpone(
        self,
        feed: str,
        key: str,
        *,
        why: str,
        due_at: datetime,
        parked: bool,
        evidence: str = "",
        guard: str = "",
        loses: int = 0,
    ) -> None:
        """One more failed attempt for an owed listing. `loses`: photos that the guard keeps in its set."""

    def held(self, feed: str) -> Mapping[str, Held]:
        """Which guards keep owed listings as they are, and how much of them."""

    def retry_held(self, feed: str, guard: str, now: datetime) -> None:
        """What this guard kept is due at once."""

    def set_back(self, feed: str, latest: datetime, sweep_after: datetime) -> None:
        """The clock was set back: nothing owed is due later than `latest`, nothing swept later than that."""

    def last_seen(self, feed: str) -> datetime | None:
        """When the newest run ended, or began if it never ended, by the clock of then."""

    def losses(self, feed: str, since: datetime) -> Losses:
        """What the feed has, and what its sets lost since then, against what they were before."""

    def pinned(self, feed: str) -> Mapping[str, Pin]:
        """Listings that were undeleted, and whether as a whole or in their photos."""

    def unpin(self, feed: str, keys: Iterable[str]) -> None:
        """The feed has these again."""

    def unowe(self, feed: str, keys: Iterable[str]) -> None:
        """Nothing is owed any more (the listing is gone)."""

    def commit(
        self,
        feed: str,
        commit: Commit,
        now: datetime,
        sweep_after: datetime,
        said: ListingState | None = None,
    ) -> None:
        """Step 2 of the commit order: photo rows, listing row, events, object keys to delete later.

        Names in `commit.after` leave the deletion queue, names in `commit.dropped` join it, due at
        `sweep_after`; until then the set before is kept for `undelete`. A settled commit also clears
        what the listing owed (with `said`, only that state: a newer one may be owed by now) and its
        pin. The manifest becomes due.
        """

    def manifests_due(self, feed: str, limit: int) -> list[StoredSet]:
        """Sets whose manifest is not yet written at their generation (step 3 was interrupted)."""

    def manifest_written(self, feed: str, key: str, generation: int) -> None:
        """Step 4: the bucket shows this generation. When the listing's has moved on, it stays due."""

    def known_keys(self, feed: str) -> frozenset[str]:
        """Listings that are stored and not gone, or owed."""

    def due_deletions(self, feed: str, now: datetime, limit: int) -> list[str]:
        """Object keys whose grace period has passed. From now on no set that needs them can be undeleted."""

    def deleted(self, feed: str, keys: Iterable[str]) -> None:
        """These objects are gone; forget them."""

    def run_started(self, feed: str, now: datetime) -> int:
        """A new run; returns its number."""

    def run_ended(self, run: int, now: datetime, counts: Mapping[str, int], error: str | None) -> None:
        """The run's counts, and its error when it failed."""

    def status(self, feed: str) -> FeedStatus:
        """For `status`; a feed never run has zeros."""

    def recent_runs(self, feed: str, limit: int) -> list[Run]:
        """The newest runs, the newest first."""

    def listings(self, feed: str, *, part: str = "", after: str = "", limit: int) -> list[ListingEntry]:
        """Stored listings whose key holds `part`, whatever its case, and comes behind `after`; by key."""

    def check(self) -> None:
        """Raises RetryLater when it cannot be reached, ConfigError when a migration is pending."""

    def take_lease(self, feed: str, who: str, seconds: float) -> Lease | None:
        """The right to work on a feed, free or lapsed; None when another process has it."""

    def renew_lease(self, lease: Lease) -> bool:
        """It lasts its `seconds` from now, also when it had lapsed; False when it is another's by now."""

    def end_lease(self, lease: Lease) -> None:
        """The feed is free. Nothing happens when the lease is another's by now."""

    def holder(self, feed: str) -> Holder | None:
        """Who has the feed, lapsed or not; None when it is free."""

    def fenced(self, lease: Lease) -> "Catalog":
        """This catalog for the lease's holder.

        Whatever changes what is stored, owed or deleted raises LeaseLost once the lease is another's,
        in the same transaction, and so changes nothing.
        """
