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
from parsers.records import WHOLE_SET, Image, PhotoRef, Retryable
from service.core.manifest import render_manifest
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

log = structlog.get_logger()


class ListingWork:
    """One listing between its question and its commit. The last to let go settles it."""

    def __init__(self, feed: Feed, report: Report, owed: Owed, stored: StoredSet) -> None:
        self.owed = owed
        self.plan: Plan = plan_listing(owed.said, stored, feed.rules)
        self.done = threading.Event()
        self.crash: BaseException | None = None
        self.failure: RetryLater | None = None
        self._feed, self._report, self._stored = feed, report, stored
        self._answers: dict[str, Answer] = {}
        self._sent: set[str] = set()
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
        desired = self.plan.desired
        count = self.owed.said.expected_count if desired is None else len(desired)
        return Wanted(self.key, self.plan.ask, count)

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
            self.failure = error
            self._answers[received.ref.id] = Answer(received.ref, Retryable(error.what))
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
        result = settle(self.plan, self._answers, self._stored)
        if isinstance(result, Refusal):
            self._report.add(unchanged=len(self._stored.photos))
            self._postpone(result.why, retry=result.retry, failed=result.failed)
            return
        try:
            apply_commit(self._feed, self._report, result)
        except (RetryLater, SkipItem) as error:
            self.failure = error if isinstance(error, RetryLater) else None
            self._postpone(error.what, retry=self.failure is not None, failed=1)
            return
        if result.owed:
            self._postpone(result.owed, retry=result.retry, failed=result.tally.failed or 1)
        self._say(result)

    def _postpone(self, why: str, *, retry: bool, failed: int) -> None:
        attempts = self.owed.attempts + 1
        after = self.failure.after if self.failure else None
        due_at = next_attempt(attempts, self._feed.clock(), self._feed.jitter(), after, retry=retry)
        parked = is_parked(attempts, retry=retry)
        self._feed.catalog.postpone(self._feed.name, self.key, why=why, due_at=due_at, parked=parked)
        self._report.fail(self.key, why, failed)
        log.warning(
            "listing.parked" if parked else "listing.postponed",
            feed=self._feed.name,
            listing=self.key,
            why=why,
            attempts=attempts,
            due_at=due_at.isoformat(),
        )

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


def apply_commit(feed: Feed, report: Report, commit: Commit) -> None:
    """Steps 2 to 4 of the commit order. The photos' puts (step 1) are behind us."""
    now = feed.clock()
    feed.catalog.commit(feed.name, commit, now, now + feed.delete_after)
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
