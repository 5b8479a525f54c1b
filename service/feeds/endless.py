"""Answers that have no end: rows that come again and again, or bytes that never become a row.

Without a bound nobody would ever come to the rest of the cycle, however small the memory is.
"""

from service.errors import RetryLater

MAX_ROWLESS = 64 * 2**20
"""Bytes of one answer that may come without a row: much more than any record has."""


class Flow:
    """What one answer has brought so far. `what` names it, such as "Search"."""

    def __init__(self, feed: str, what: str) -> None:
        self._feed, self._what = feed, what
        self._rows = self._rowless = 0

    def note(self, rows: int, size: int, most: int) -> None:
        """So many rows came in `size` bytes. RetryLater once all rows are more than `most`."""
        self._rows += rows
        self._rowless = 0 if rows else self._rowless + size
        if self._rows > most or self._rowless > MAX_ROWLESS:
            what = f"{self._rows} rows" if self._rows > most else f"{self._rowless} bytes without a row"
            raise RetryLater(f"{self._what}: the answer has no end: {what} came", feed=self._feed)
