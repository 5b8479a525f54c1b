"""The cursor: how far one pass over the changes may move it, and how it is said to the server.

A result changes while it is read. So the cursor never passes the moment at which a pass began, and
a pass that may have missed a row (Q65) moves it only as far as the pass before had come: to be lost
for good, a row would have to be missed by two passes in a row.
"""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

import structlog

from parsers.records import ListingState
from parsers.timestamps import TICKS_PER_SECOND, Stamp, read_stamp, render_stamp
from service.core.ports import Facts
from service.rets_config import RetsFeed

log = structlog.get_logger()

DAY = 86_400 * TICKS_PER_SECOND
"""Ticks. No two working clocks, and no two zones of one server, are further apart."""

SKEW = 60 * TICKS_PER_SECOND
"""How far the clock of a server's database may be behind that of its Date. It costs nothing but that
the changes of the last minute come once more."""

UNSURE = "unsure"
"""The fact that a pass leaves which may have missed a row: the mark that was safe, and the one reached."""


class Cursor:
    """One feed's cursor. Marks are raw stamps of listings, as sent; None is the beginning of time."""

    def __init__(self, feed: str, config: RetsFeed, facts: Facts, now: Callable[[], datetime]) -> None:
        self._feed, self._facts, self._now = feed, facts, now
        self._zone = ZoneInfo(config.timezone)
        self._form, self._start = config.since_format, config.since_start
        self._warned = False

    def since(self, mark: str | None) -> str:
        """What stands for {since}: the mark in the server's own form (Q104), in its zone (Q102)."""
        return self._start if mark is None else render_stamp(self._read(mark), self._form, self._zone)

    def begin(self, mark: str | None) -> "Pass":
        """A pass over the changes since the mark begins now."""
        newest = None if mark is None else self._read(mark)
        return Pass(self, mark, newest, _ticks(self._now()))

    def read(self, listing: ListingState) -> Stamp | None:
        """When the listing changed; None where it does not say so in a way that can be read."""
        stamp = self._read(listing.modified) if listing.modified else None
        return None if stamp is None or stamp.ticks is None else stamp

    def settle(self, mark: str | None, reached: str | None, *, whole: bool) -> str | None:
        """The mark that is safe behind a pass from `mark` that came to `reached`."""
        if whole:
            return reached
        before = json.loads(self._facts.get(UNSURE) or "[]")
        safe = before[1] if before[:1] == [mark] else mark
        self._facts[UNSURE] = json.dumps([safe, reached])
        log.info("search.unsure", feed=self._feed, cursor=safe, reached=reached)
        return safe

    def warn_of_future(self, listing: ListingState) -> None:
        """Say once that a listing's time is no time of this world: every search will bring it again."""
        if not self._warned:
            log.warning(
                "search.future_stamp",
                feed=self._feed,
                listing=listing.key,
                stamp=listing.modified,
                hint=f"it does not move the cursor; if all are like this, check feeds.{self._feed}.timezone",
            )
        self._warned = True

    def _read(self, raw: str) -> Stamp:
        return read_stamp(raw, self._zone)


class Pass:
    """One pass: sees every listing as it comes, and tells the mark that it has reached.

    `early` is how many different listings came as they were when the pass began.
    """

    def __init__(self, cursor: Cursor, mark: str | None, newest: Stamp | None, asked: int) -> None:
        self._cursor, self._mark, self._newest = cursor, mark, newest
        self._began, self._dated = asked, False
        self._seen: set[str] = set()
        self.early = 0

    def see(self, listings: Iterable[ListingState], date: str | None) -> None:
        """Listings, and the Date of the first answer of their search."""
        if not self._dated:
            self._began, self._dated = _server_time(date, self._began), True
        for listing in listings:
            stamp = self._cursor.read(listing)
            late = stamp is not None and (stamp.ticks or 0) > self._began
            if listing.key not in self._seen:
                self._seen.add(listing.key)
                self.early += not late
            if stamp is not None:
                self._take(listing, stamp)

    def _take(self, listing: ListingState, stamp: Stamp) -> None:
        ticks, newest = stamp.ticks or 0, self._newest
        if ticks > self._began + DAY:
            self._cursor.warn_of_future(listing)
        elif ticks <= self._began - SKEW and (newest is None or ticks > (newest.ticks or 0)):
            self._newest = stamp

    def mark(self, *, whole: bool) -> str | None:
        """The mark that is safe now. `whole`: nothing can have been missed."""
        return self._cursor.settle(self._mark, self._newest.raw if self._newest else None, whole=whole)


def _server_time(date: str | None, ours: int) -> int:
    """When the server answered, by its own clock, which its stamps are made with; else by ours."""
    try:
        theirs = _ticks(parsedate_to_datetime(date)) if date else ours
    except (ValueError, OverflowError):  # no date at all, or none of this world
        return ours
    return theirs if abs(theirs - ours) <= DAY else ours


def _ticks(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp()) * TICKS_PER_SECOND
