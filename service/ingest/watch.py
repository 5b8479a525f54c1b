"""The guards of one cycle: what they keep from being lost, and where the operator sees that they do.

A guard that stops something has a row in the catalog, which `status`, the page and the metrics read; the
log has a line when it begins and when it ends. service/core/guards.py says what each of them means.
"""

import threading
from datetime import datetime, timedelta

import structlog

from service.core.guards import (
    WINDOW,
    Guard,
    Held,
    Losses,
    clock_is_steady,
    why_clock,
    why_purge,
)
from service.core.plan import Commit
from service.core.ports import PURGE_ALLOWED, PURGED, Hold
from service.core.schedule import LONGEST_WAIT
from service.ingest.feed import Feed
from service.ingest.report import Report

log = structlog.get_logger()

WORD_LASTS = timedelta(hours=24)
"""An operator allows what can be seen today, not what a feed will do next week."""


class Watch:
    """Stands beside one cycle. `refuses` may be asked by any thread."""

    def __init__(self, feed: Feed, report: Report, now: datetime, *, allow_purge: bool) -> None:
        self.now = now
        self.breaker = feed.catalog.breaker(feed.name)
        self._feed, self._report = feed, report
        self.allowed = allow_purge or self._has_word()
        self._holds = {hold.guard: hold for hold in feed.catalog.holds(feed.name)}
        self._losses = feed.catalog.losses(feed.name, self._since())
        self._lock = threading.Lock()
        self._shrunk = self._lost = 0
        self._purge = ""

    def begin(self) -> None:
        """Before the feed is asked: whether the clock is to be believed, and whether what was held may go."""
        self._look_at_clock()
        if self.allowed:
            self._let_go(Guard.COUNT)
            self._let_go(Guard.PHOTOS)
        elif Guard.PHOTOS in self._holds:
            held = self._held(Guard.PHOTOS)
            self._purge = why_purge(self._losses, held.listings, held.photos, self._feed.purge_share)
            if not self._purge:
                self._let_go(Guard.PHOTOS)

    def refuses(self, commit: Commit) -> str:
        """Why a set may not get smaller now; "" when it may. Once it refused one, it refuses all."""
        if self.allowed or not commit.loses:
            return ""
        with self._lock:
            shrunk, lost = self._shrunk + 1, self._lost + commit.loses
            self._purge = self._purge or why_purge(self._losses, shrunk, lost, self._feed.purge_share)
            if not self._purge:
                self._shrunk, self._lost = shrunk, lost
                return ""
            if Guard.PHOTOS not in self._holds:  # at once: this cycle may never come to its end
                self.hold(Guard.PHOTOS, self._purge)
        return f"it would lose {commit.loses} photos, and {self._purge}"

    def hold(self, guard: Guard, why: str) -> None:
        """This guard stops something."""
        before = self._holds.get(guard)
        if before is None:
            log.warning("guard.holds", feed=self._feed.name, guard=guard.value, why=why)
        since = before.since if before else self.now
        self._holds[guard] = Hold(self._feed.name, guard, why, since)
        self._feed.catalog.hold(self._feed.name, guard, why, since)

    def lift(self, guard: Guard) -> None:
        """This guard stops nothing, or no more."""
        if self._holds.pop(guard, None) and self._feed.catalog.lift(self._feed.name, guard):
            log.info("guard.lifted", feed=self._feed.name, guard=guard.value)

    def end(self) -> None:
        """After the last listing: what guards hold now. The operator's word is then used up."""
        self._note(Guard.COUNT, "sets that are smaller than they are counted keep their photos: {0}")
        purge = self._purge or "its sets would lose too much"
        self._note(Guard.PHOTOS, f"no set was made smaller: {purge} ({{0}} sets wait; {self.way_out})")
        if self._held(Guard.PHOTOS).listings:
            self._report.hold(self._holds[Guard.PHOTOS].why)
        if pinned := len(self._feed.catalog.pinned(self._feed.name)):
            self.hold(Guard.UNDELETED, f"{pinned} undeleted listings stay until the feed has them again")
        else:
            self.lift(Guard.UNDELETED)
        if self.allowed and Guard.KEYS not in self._holds:
            self._feed.catalog.set_mark(self._feed.name, PURGE_ALLOWED, "")
            self._feed.catalog.set_mark(self._feed.name, PURGED, self._feed.clock().isoformat())

    @property
    def lost(self) -> Losses:
        """What the feed lost within the window, before this cycle."""
        return self._losses

    @property
    def way_out(self) -> str:
        """The command that lets go what a guard holds."""
        name = self._feed.name
        return f"once {name} --allow-purge {name} lifts this, beside a daemon allow-purge {name}"

    def _note(self, guard: Guard, why: str) -> None:
        held = self._held(guard)
        if held.listings:
            self.hold(guard, why.format(held.listings))
        else:
            self.lift(guard)

    def _held(self, guard: Guard) -> Held:
        return self._feed.catalog.held(self._feed.name).get(guard, Held())

    def _let_go(self, guard: Guard) -> None:
        self._feed.catalog.retry_held(self._feed.name, guard, self.now)

    def _has_word(self) -> bool:
        said = self._feed.catalog.mark(self._feed.name, PURGE_ALLOWED)
        return bool(said) and abs(self.now - datetime.fromisoformat(said or "")) < WORD_LASTS

    def _since(self) -> datetime:
        """Losses count from here on: a day, as long as a guard holds, and none that were allowed."""
        hold = self._holds.get(Guard.PHOTOS) or self._holds.get(Guard.LISTINGS)
        since = (hold.since if hold else self.now) - WINDOW
        allowed = self._feed.catalog.mark(self._feed.name, PURGED)
        return max(since, datetime.fromisoformat(allowed)) if allowed else since

    def _look_at_clock(self) -> None:
        feed, hold = self._feed, self._holds.get(Guard.CLOCK)
        seen = feed.catalog.last_seen(feed.name)
        why = why_clock(seen, self.now, feed.delete_after)
        if why and seen and seen > self.now:
            self.lift(Guard.CLOCK)  # its `since` lies in a time that will come again
            feed.catalog.set_back(feed.name, self.now + LONGEST_WAIT, self.now + feed.delete_after)
        elif hold and clock_is_steady(hold.since, self.now, feed.delete_after):
            why = ""
        elif hold:
            why = hold.why
        if why and not self.allowed:
            self.hold(Guard.CLOCK, why)
        else:
            self.lift(Guard.CLOCK)
