"""How far a pass over the changes may move the cursor of each clock (X2, X3, X5).

A cursor is the raw text of a time that the server has sent. It moves only behind a whole chain of
pages, never past the moment at which the pass began, and is kept as it is: the overlap is applied
when it is asked with (P3). A pass that counted more rows than came (Q65) moves it only to where the
pass before had come, so that a row would have to be missed twice to be lost.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import structlog

from parsers.odata.query import TICKS, instant
from parsers.timestamps import read_stamp
from service.core.ports import Facts
from service.feeds.reso.dialect import Clock

log = structlog.get_logger()

SKEW = 60 * TICKS
"""How far the clock of a server's database may be behind that of its Date."""

DAY = 86_400 * TICKS
"""No two working clocks are further apart."""

UNSURE = "unsure"
"""The fact that a pass leaves which may have missed a row."""


def read_marks(text: str | None, clocks: Sequence[Clock]) -> dict[str, str] | None:
    """The marks of a cursor by clock; None where everything has to be asked for."""
    if not text:
        return None
    if len(clocks) == 1:
        marks = {clocks[0].name: text}
    else:
        try:
            marks = json.loads(text)
        except ValueError:
            return None
        if not isinstance(marks, dict):
            return None
    known = all(read_stamp(str(marks.get(clock.name))).ticks is not None for clock in clocks)
    return {clock.name: marks[clock.name] for clock in clocks} if known else None


def write_marks(marks: dict[str, str], clocks: Sequence[Clock]) -> str:
    """The cursor: the mark itself, or JSON where there are several."""
    if len(clocks) == 1:
        return marks[clocks[0].name]
    return json.dumps({clock.name: marks[clock.name] for clock in clocks})


class Pass:
    """One chain of pages: sees its rows, and tells how far its clocks have come."""

    def __init__(self, feed: str, began: datetime, facts: Facts) -> None:
        self._feed, self._facts = feed, facts
        self._began = round(began.timestamp()) * TICKS
        self._newest: dict[str, tuple[int, str]] = {}
        self._keys: set[str] = set()
        self._total = 0
        self._broken = 0
        self._dated = False

    def date(self, said: str | None) -> None:
        """The server's own time of its first answer, which its stamps are made with."""
        if not self._dated and said:
            self._dated = True
            try:
                theirs = parsedate_to_datetime(said)
            except ValueError:
                return
            ticks = round((theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)).timestamp()) * TICKS
            if abs(ticks - self._began) <= DAY:
                self._began = ticks

    def count(self, total: int | None) -> None:
        """How many rows the answer says that it has, on any of its pages: the first one that says so."""
        self._total = self._total or total or 0

    def see(self, key: str | None, times: dict[str, str | None]) -> None:
        """One row: what names it, and its times by clock."""
        if not key:
            self._broken += 1
            return
        self._keys.add(key)
        for clock, raw in times.items():
            ticks = read_stamp(raw).ticks if raw else None
            if raw and ticks is not None and ticks <= self._began - SKEW:
                self._newest[clock] = max(self._newest.get(clock, (ticks, raw)), (ticks, raw))

    @property
    def trouble(self) -> str:
        """Why a row may have been missed; "" when none was."""
        if self._broken:
            return f"{self._broken} rows have no key"
        if len(self._keys) < self._total:
            return f"{self._total} rows were counted, {len(self._keys)} came"
        return ""

    @property
    def began(self) -> str:
        """The moment before which every change was seen, as a mark."""
        moment = datetime.fromtimestamp((self._began - SKEW) // TICKS, UTC).isoformat()
        return instant(moment) or moment

    def reached(self, clock: str, mark: str | None) -> str:
        """How far a clock has come from a mark: without a single row, nowhere."""
        newest = self._newest.get(clock)
        if mark is None:
            return newest[1] if newest else self.began
        ticks = read_stamp(mark).ticks or 0
        return newest[1] if newest and newest[0] > ticks else mark

    def settle(self, clock: str, mark: str | None) -> str | None:
        """The mark that is safe behind this pass, None where there was none and a row may be missed."""
        reached, fact = self.reached(clock, mark), f"{UNSURE}.{clock}"
        if not self.trouble:
            return reached
        before = json.loads(self._facts.get(fact) or "[]")
        safe: str | None = before[1] if before[:1] == [mark] else mark
        self._facts[fact] = json.dumps([safe, reached])
        log.warning("changes.unsure", feed=self._feed, clock=clock, why=self.trouble, cursor=safe)
        return safe
