"""What every Search answer has, in either format: its fields, its rows' fate, its end.

Rows come out as they arrive; whether they may be trusted for a removal is decided by the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from parsers.errors import Malformed
from parsers.records import ListingState
from parsers.rets.opening import Opening
from parsers.rets.reply import Reply, reply_in

MAX_REASONS = 100
"""Reasons kept of one answer: enough to see a pattern, and a broken feed costs no memory."""

MAX_REASON = 200
"""Characters kept of a reason, which may hold the answer's own text."""


@dataclass(frozen=True, slots=True)
class FieldNames:
    """The server's own names of four fields, compared case-insensitively; "" where it has none.

    The photo time need not be the listing's (Q103: LIST_134 beside LIST_87).
    """

    listing: str
    photos_changed: str
    photos_count: str
    modified: str


@dataclass(frozen=True, slots=True)
class SearchEnd:
    """The answer as a whole.

    `reply`: RETS-STATUS where there is one, else the root's (Q55). `count`: the server's own total,
    None where it gave none (Q59). `rows`: records given out, quarantined ones not counted.
    `max_rows`: the server says that there are more (Q60). `ended`: the closing tag was reached
    (Q77). `quarantined`: a line of reason for each record that was not given out, at most 100;
    `rows_quarantined`: how many there were of them, which paging by rows received has to know.
    """

    reply: Reply
    count: int | None
    rows: int
    max_rows: bool
    ended: bool
    quarantined: tuple[str, ...]
    rows_quarantined: int = 0


class ListingParser(Protocol):
    """Search answer in, listings out. Raises nothing but ParseError.

    A RETS answer that is cut does not raise: its end says `ended` False.
    """

    def receive_data(self, chunk: bytes) -> list[ListingState]:
        """The listings that this chunk completes. Any size will do; 64-256 KB are fastest."""

    def close(self) -> SearchEnd:
        """No more will come. Raises Malformed or Truncated when there was no RETS answer at all."""


class SearchNotes:
    """What a parser learns on its way to SearchEnd."""

    def __init__(self, opening: Opening) -> None:
        self.rows = 0
        self.ended = opening.empty
        self._reply = reply_in(opening.attributes)
        self._count: int | None = None
        self._max_rows = False
        self._reasons: list[str] = []
        self._rows_quarantined = 0

    def note(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element that speaks for the whole answer; any other is passed over."""
        if name == "count":
            self.note_count(attributes.get("records"))
        elif name == "maxrows":
            self._max_rows = True
        elif name == "rets-status":
            self._reply = reply_in(attributes) or self._reply

    def note_count(self, text: str | None) -> None:
        """A total. CREA says it twice; the greater one is the one to live up to."""
        count = read_count(text)
        if count is not None:
            self._count = max(count, self._count or 0)

    def quarantine(self, reason: str, *, rows: int = 1) -> None:
        """Keep why a record is not given out; 0 `rows` is trouble that is no record's own."""
        self._rows_quarantined += rows
        if len(self._reasons) < MAX_REASONS:
            self._reasons.append(reason[:MAX_REASON])

    def end(self) -> SearchEnd:
        """The end. Raises Malformed for a RETS element without a reply code."""
        if self._reply is None:
            raise Malformed("the RETS element has no reply code")
        return SearchEnd(
            self._reply,
            self._count,
            self.rows,
            self._max_rows,
            self.ended,
            tuple(self._reasons),
            self._rows_quarantined,
        )


def read_count(text: str | None) -> int | None:
    """A number of rows or photos; None where there is none to be read."""
    # What is not remembered here cannot be kept for ever: a hostile cell has a megabyte.
    return _read_number(text) if text is not None and len(text) < 40 else None


@lru_cache(maxsize=1024)  # the same few small numbers come a million times
def _read_number(text: str) -> int | None:
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
