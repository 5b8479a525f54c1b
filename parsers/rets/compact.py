"""COMPACT and COMPACT-DECODED answers, read as bytes: only the cells that are wanted become text.

No XML parser stands in the way of a row, so a bare `&` or `<` in it does no harm (Q73). A row that
cannot be understood is quarantined with its reason, never guessed.
"""

import re
from collections.abc import Sequence
from itertools import repeat

from parsers.errors import LimitExceeded, Malformed
from parsers.records import ListingState
from parsers.rets.opening import Opening, OpeningReader, local_name, read_attributes
from parsers.rets.search import FieldNames, SearchEnd, SearchNotes, read_count
from parsers.rets.table import Row, Table

MAX_ROW_BYTES = 1024 * 1024
"""Rows seen, with 500 columns and long remarks, stay under 60 KB."""

_OPEN, _CLOSE = b"<DATA>", b"</DATA>"
_TAG = re.compile(
    rb"""<(/?)([A-Za-z][\w.:-]*+)((?:[^>"']++|"[^"]*+"|'[^']*+')*+)>|<!--.*?-->|<[?!](?!-).*?>""", re.DOTALL
)
_BARE = re.compile(rb"<[^A-Za-z/!?]")
_END_OF = {name: re.compile(rb"</%s\s*>" % name.encode(), re.IGNORECASE) for name in ("data", "columns")}


class CompactParser:
    r"""Rows of the wanted columns, in the wanted order; of all columns where `wanted` is None.

        <RETS ReplyCode="0" ReplyText="ok"><COUNT Records="2"/><DELIMITER value="09"/>
        <COLUMNS>\tKEY\tPHOTOS\t</COLUMNS>
        <DATA>\t1\t25\t</DATA>
        <DATA>\t2\t0\t</DATA>
        <MAXROWS/></RETS>

    A cell is None where the table has no such column; names are compared without case. With
    `keyed`, the first wanted column is the key: a row without one is quarantined.
    """

    def __init__(
        self,
        wanted: Sequence[str] | None = None,
        *,
        keyed: bool = False,
        max_row_bytes: int = MAX_ROW_BYTES,
    ) -> None:
        self._wanted = wanted
        self._keyed = keyed
        self._max_row_bytes = max_row_bytes
        self._reader = OpeningReader()
        self._body: _Body | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in COLUMNS, as sent; empty before they came."""
        return self._body.table.columns if self._body else ()

    def receive_data(self, chunk: bytes) -> list[Row]:
        """The rows that this chunk completes. Raises LimitExceeded for a row that does not end."""
        if self._body is None:
            chunk = self._reader.receive_data(chunk)
            opening = self._reader.opening
            if opening is None:
                return []
            chunk = chunk[opening.end - opening.start :]
            table = Table(self._wanted, opening.encoding, keyed=self._keyed)
            self._body = _Body(opening, table, self._max_row_bytes)
        return self._body.receive_data(chunk)

    def close(self) -> SearchEnd:
        """What the answer as a whole says. Raises Malformed or Truncated when there was no RETS answer."""
        self._reader.close()
        if self._body is None:
            raise Malformed("the answer ends before its RETS element")
        return self._body.close()


class _Body:
    """What stands inside the RETS element."""

    def __init__(self, opening: Opening, table: Table, max_row_bytes: int) -> None:
        self.table = table
        self._max_row_bytes = max_row_bytes
        self._notes = SearchNotes(opening)
        self._held = b""
        self._unseen = bytearray()
        self._seen = 0
        self._fault: Malformed | None = None

    def receive_data(self, chunk: bytes) -> list[Row]:
        rows: list[Row] = []
        # Whatever is awaited ends in `>`. To look at every chunk of a dribble would cost its square.
        if b">" in chunk:
            buffer = b"".join((self._held, self._unseen, chunk))
            self._unseen.clear()
            self._held = buffer[self._take(buffer, rows) :]
            self._notes.rows += len(rows)
        else:
            self._unseen += chunk
        if len(self._held) + len(self._unseen) > self._max_row_bytes:
            raise LimitExceeded(f"row {self._seen + 1} is longer than {self._max_row_bytes} bytes")
        return rows

    def close(self) -> SearchEnd:
        if self._fault:
            raise self._fault
        return self._notes.end()

    def _take(self, buffer: bytes, rows: list[Row]) -> int:
        """Read all that is whole; returns where the rest begins."""
        pos = self._take_run(buffer, rows)
        while not self._notes.ended:
            start = buffer.find(b"<", pos)
            if start < 0:
                break
            if buffer.startswith(_OPEN, start):
                end = buffer.find(_CLOSE, start)
                if end < 0:
                    return start
                self._take_row(buffer[start + len(_OPEN) : end], rows)
                pos = end + len(_CLOSE)
            else:
                pos = self._take_other(buffer, start, rows)
                if pos < 0:
                    return start
        return len(buffer)

    def _take_run(self, buffer: bytes, rows: list[Row]) -> int:
        """All the rows of a chunk at once, where they are regular; the loop above takes what is left."""
        end = buffer.rfind(_CLOSE) + len(_CLOSE)
        run = None if self._notes.ended or end < len(_CLOSE) else self.table.read_run(buffer[:end])
        if run is None:
            return 0
        rows += run
        self._seen += len(run)
        return end

    def _take_row(self, row: bytes, rows: list[Row]) -> None:
        self._seen += 1
        try:
            rows.append(self.table.read(row))
        except Malformed as error:
            self._notes.quarantine(f"row {self._seen}: {error}")

    def _take_other(self, buffer: bytes, start: int, rows: list[Row]) -> int:
        """Anything but a plain `<DATA>`; returns where it ends, -1 when more is needed."""
        tag = _TAG.match(buffer, start)
        if tag is None:
            return start + 1 if _BARE.match(buffer, start) else -1
        if not tag[2]:
            return tag.end()  # a comment, or markup that says nothing here
        name, pos, content = local_name(tag[2]).lower(), tag.end(), b""
        if tag[1]:
            self._notes.ended = name == "rets"
            return pos
        if name in _END_OF and not tag[3].endswith(b"/"):
            end = _END_OF[name].search(buffer, pos)
            if end is None:
                return -1
            content, pos = buffer[pos : end.start()], end.end()
        if name == "data":
            self._take_row(content, rows)
        else:
            self._take_frame(name, tag[3], content)
        return pos

    def _take_frame(self, name: str, attributes: bytes, content: bytes) -> None:
        """What stands around the rows."""
        if name == "columns":
            self.table.set_columns(content)
        elif name == "delimiter":
            try:
                self.table.set_delimiter(read_attributes(attributes).get("value", "09"))
            except Malformed as error:
                self._fault = error
        else:
            self._notes.note(name, read_attributes(attributes))


class CompactListings:
    """Listings of a COMPACT or COMPACT-DECODED search, which says nothing of single photos (seed 002)."""

    def __init__(self, fields: FieldNames, *, max_row_bytes: int = MAX_ROW_BYTES) -> None:
        # A field that the server does not have is "", and no column is called that.
        wanted = (fields.listing, fields.photos_changed, fields.modified, fields.photos_count)
        self._parser = CompactParser(wanted, keyed=True, max_row_bytes=max_row_bytes)

    def receive_data(self, chunk: bytes) -> list[ListingState]:
        """The listings that this chunk completes. Raises LimitExceeded for a row that does not end."""
        rows = self._parser.receive_data(chunk)
        if not rows:
            return []
        keys, *others = zip(*rows, strict=True)
        stamps, times, counts = ([(cell or "").strip() or None for cell in column] for column in others)
        named = [(key or "").strip() for key in keys]
        return list(map(ListingState, named, stamps, times, repeat(None), map(read_count, counts)))

    def close(self) -> SearchEnd:
        """What the answer as a whole says. Raises Malformed or Truncated when there was no RETS answer."""
        return self._parser.close()
