"""The unit of work: one listing's photos, from the question to the written manifest.

The reader thread takes photos off the wire and hands each new one to an uploader; whoever lets go
of a listing last settles it. So uploads overlap downloads, across listings too, and the commit
order holds: (1) puts, (2) one catalog transaction, (3) the manifest, (4) the manifest's mark.
Running it again at any point gives the same state: everything it needs is in catalog and bucket.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from io import BytesIO

import structlog

from parsers.errors import ParseError
from parsers.records import WHOLE_SET, Image, ListingState, PhotoRef, Retryable
from service.core.guards import Guard
from service.core.manifest import render_manifest
from service.core.outcomes import MAX_EVIDENCE, evidence_of
from service.core.photos import (
    FRESH,
    IMMUTABLE,
    StoredSet,
    listing_prefix,
    manifest_key,
    object_name,
)
from service.core.plan import Answer, Commit, Plan, Refusal, plan_listing, settle
from service.core.ports import Owed, Wanted
from service.core.schedule import is_parked, next_attempt
from service.errors import RetryLater, ServiceError, SkipItem
from service.ingest.feed import Feed
from service.ingest.report import Report
from service.ingest.transfer import Received, receive
from service.ingest.watch import Watch

log = structlog.get_logger()


class ListingWork:
    """One listing between its question and its commit. The last to let go settles it.

    `said` is what its record says now, where that was asked for; else what is owed counts.
    """

    def __init__(
        self,
        feed: Feed,
        report: Report,
        owed: Owed,
        stored: StoredSet,
        watch: Watch | None = None,
        *,
        said: ListingState | None = None,
    ) -> None:
        self.owed = owed
        self.plan: Plan = plan_listing(_believed(said or owed.said, owed, watch), stored, feed.rules)
        self.done = threading.Event()
        self.crash: BaseException | None = None
        self.failure: RetryLater | None = None
        self._feed, self._report, self._stored, self._watch = feed, report, stored, watch
        self._answers: dict[str, Answer] = {}
        self._sent: set[str] = set()
        self._refused: dict[str, RetryLater] = {}  # by object name: what the store did not take
        self._counts = {"downloaded": 0, "uploaded": 0, "bytes": 0}
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._holds = 1  # the reader's own, until `seal`

    @property
    def key(self) -> str:
        """The listing's key."""
        return self.owed.said.key

    @property
    def wanted(self) -> Wanted | None:
        """What to ask the feed for; None when nothing is to be asked."""
        if self.plan.ask == ():
            return None
        ask, desired = self.plan.ask, self.plan.desired
        if desired is None:
            return Wanted(self.key, ask, self.plan.said.expected_count)
        refs = desired if ask is None else tuple(ref for ref in desired if ref.id in set(ask))
        return Wanted(self.key, ask, len(desired), refs)

    def take(self, received: Received) -> None:
        """One photo came. Its upload starts at once, unless the bucket has these bytes."""
        self._answers[received.ref.id] = Answer(received.ref, received.outcome)
        if not isinstance(received.outcome, Image) or received.body is None:
            return
        self._count(downloaded=1, bytes=received.outcome.length)
        name = object_name(received.outcome)
        if name in self._stored.names or name in self._sent:
            received.body.close()
            return
        self._sent.add(name)
        with self._lock:
            self._holds += 1
        self._feed.uploaders.submit(partial(self._upload, name, received))

    def seal(self, failure: RetryLater | None = None) -> None:
        """No more photos come. A failure speaks for every photo that did not."""
        self._report.add(avoided=self.plan.spared)
        if failure is not None:
            self.failure = failure
            self._answers[WHOLE_SET] = Answer(PhotoRef(WHOLE_SET, 0), Retryable(failure.what))
        if self._let_go():
            # Not on this thread: the reader goes on reading while the manifest is put.
            self._feed.uploaders.submit(self._finish)

    def leave(self) -> None:
        """The feed stopped: nothing is settled, the listing stays owed as it was."""
        self.done.set()

    def _upload(self, name: str, received: Received) -> None:
        body, image = received.body, received.outcome
        try:
            if body is not None and isinstance(image, Image):
                key = listing_prefix(self._feed.name, self.key) + name
                self._feed.store.put(
                    key,
                    body,
                    image.length,
                    image.sha256,
                    media_type=image.media_type,
                    cache_control=IMMUTABLE,
                )
                self._count(uploaded=1)
        except RetryLater as error:
            self.failure = self._refused[name] = error
        except BaseException as error:  # noqa: BLE001 - kept for the reader, who raises it
            self.crash = error
        finally:
            if body is not None:
                body.close()
            if self._let_go():
                self._finish()

    def _let_go(self) -> bool:
        with self._lock:
            self._holds -= 1
            return self._holds == 0

    def _count(self, **amounts: int) -> None:
        with self._lock:
            for name, amount in amounts.items():
                self._counts[name] += amount
        self._report.add(**amounts)

    def _finish(self) -> None:
        try:
            if self.crash is None:
                self._settle()
        except BaseException as error:  # noqa: BLE001 - kept for the reader, who raises it
            self.crash = error
        finally:
            self.done.set()

    def _settle(self) -> None:
        answers = {id_: self._unless_refused(answer) for id_, answer in self._answers.items()}
        result = self._guarded(settle(self.plan, answers, self._stored))
        if isinstance(result, Refusal):
            self._report.add(unchanged=len(self._stored.photos))
            self._postpone(result)
            return
        try:
            apply_commit(self._feed, self._report, result, self.owed.said)
        except (RetryLater, SkipItem) as error:
            self.failure = error if isinstance(error, RetryLater) else None
            self._postpone(Refusal(error.what, retry=self.failure is not None))
            return
        if result.owed:
            self._postpone(Refusal(result.owed, result.retry, result.tally.failed or 1, result.guard))
        self._say(result)

    def _unless_refused(self, answer: Answer) -> Answer:
        """A picture that was not stored is not had, under none of the ids that it came with (Q40)."""
        image = answer.outcome
        refused = self._refused.get(object_name(image)) if isinstance(image, Image) else None
        return Answer(answer.ref, Retryable(refused.what)) if refused else answer

    def _guarded(self, result: Commit | Refusal) -> Commit | Refusal:
        """A set that may not get smaller now stays as it is, until it may."""
        why = self._watch.refuses(result) if self._watch and isinstance(result, Commit) else ""
        if not why or isinstance(result, Refusal):
            return result
        return Refusal(why, guard=Guard.PHOTOS, loses=result.loses)

    def _postpone(self, refusal: Refusal) -> None:
        attempts = self.owed.attempts + 1
        after = self.failure.after if self.failure else None
        due_at = next_attempt(attempts, self._feed.clock(), self._feed.jitter(), after, retry=refusal.retry)
        parked = is_parked(attempts, retry=refusal.retry)
        self._feed.catalog.postpone(
            self._feed.name,
            self.key,
            why=refusal.why,
            due_at=due_at,
            parked=parked,
            evidence=self._evidence(),
            guard=refusal.guard or "",
            loses=refusal.loses,
        )
        self._report.fail(self.key, refusal.why, refusal.failed)
        log.warning(
            "listing.parked" if parked else "listing.postponed",
            feed=self._feed.name,
            listing=self.key,
            why=refusal.why,
            attempts=attempts,
            due_at=due_at.isoformat(),
        )

    def _evidence(self) -> str:
        """The heads of what came instead of photos."""
        text = evidence_of(answer.outcome for answer in self._answers.values())
        return text.encode(errors="replace")[:MAX_EVIDENCE].decode(errors="ignore")

    def _say(self, commit: Commit) -> None:
        log.info(
            "listing.synced",
            feed=self._feed.name,
            listing=self.key,
            generation=commit.after.generation,
            **self._counts,
            unchanged=commit.tally.unchanged,
            moved=commit.tally.moved,
            removed=commit.tally.removed,
            failed=commit.tally.failed,
            seconds=round(time.monotonic() - self._started, 3),
        )


def sync_listings(works: Sequence[ListingWork], feed: Feed) -> RetryLater | None:
    """Ask for the photos of these listings in one request, and settle each of them.

    Returns the failure of the request, if it failed for now. Raises StopFeed; the listings then
    stay owed.
    """
    asking = {work.key: work for work in works if work.wanted is not None}
    try:
        failure = _fetch(asking, feed) if asking else None
        for work in works:
            work.seal(failure if work.key in asking else None)
    except BaseException:
        for work in works:  # whoever waits for them must not wait for ever
            work.leave()
        raise
    return failure


def _fetch(asking: dict[str, ListingWork], feed: Feed) -> RetryLater | None:
    wanted = [work.wanted for work in asking.values() if work.wanted is not None]
    try:
        for photo in feed.source.open_photos(wanted):
            asking[photo.listing].take(receive(photo, feed.max_photo_bytes))
    except RetryLater as error:
        return error
    except ParseError as error:
        return RetryLater(str(error), feed=feed.name)
    return None


def wait_for(works: Sequence[ListingWork]) -> None:
    """Wait until these listings are settled or left; raises what broke one of them."""
    for work in works:
        work.done.wait()
    for work in works:
        if isinstance(work.crash, ServiceError):
            raise work.crash
        if work.crash is not None:
            raise RuntimeError(f"listing {work.key} could not be settled") from work.crash


def _believed(said: ListingState, owed: Owed, watch: Watch | None) -> ListingState:
    """What the listing says; without its count, where an operator does not believe that any more."""
    if watch and watch.allowed and owed.guard == Guard.COUNT:
        return said._replace(expected_count=None, complete=True)
    return said


def apply_commit(feed: Feed, report: Report, commit: Commit, said: ListingState | None = None) -> None:
    """Steps 2 to 4 of the commit order. The photos' puts (step 1) are behind us.

    `said` is the state that the commit settles.
    """
    now = feed.clock()
    feed.catalog.commit(feed.name, commit, now, now + feed.delete_after, said)
    tally = commit.tally
    report.add(unchanged=tally.unchanged, moved=tally.moved, removed=tally.removed)
    if commit.changed:
        write_manifest(feed, report, replace(commit.after, updated=now))


def write_manifest(feed: Feed, report: Report, stored: StoredSet) -> None:
    """Steps 3 and 4: readers see this generation. The manifest of a listing that is gone is removed."""
    key = manifest_key(feed.name, stored.key)
    if stored.gone:
        feed.store.delete([key])
    else:
        document = render_manifest(feed.name, stored, feed.public_url)
        digest = sha256(document).hexdigest()
        feed.store.put(
            key, BytesIO(document), len(document), digest, media_type="application/json", cache_control=FRESH
        )
    feed.catalog.manifest_written(feed.name, stored.key, stored.generation)
    report.add(manifests=1)
