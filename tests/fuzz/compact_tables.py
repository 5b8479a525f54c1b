"""COMPACT and COMPACT-DECODED answers: delimiters, edges, short and long rows (Q66-Q71), any text."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from parsers.records import ListingState
from tests.fuzz.search_frames import End, SearchFrame, search_frames
from tests.fuzz.texts import COMPACT_PIECES, Encoding, Text, encodings, plain, texts
from tests.parsers.rets.played import FIELDS

NAMES = ["ListingKey", "PhotosChangeTimestamp", "PhotosCount", "ModificationTimestamp", "Remarks", "L 1", "A"]
DELIMITERS = ["\t", "\t", "\t", "|", ",", "^", "~", "\x1f"]
KEYS = ["1", "A-7", " 20270724 ", "1001"]
STAMPS = ["2024-01-01T00:00:00", "1/3/2017 11:03:56 AM", " ", ""]
COUNTS = ["25", " 3 ", "many", "", "0"]
NOISE = ["", "", "\r\n", "\n<!-- <DATA> -->\n", " text ", "<Other a='>'>x</Other>", "<?pi x?>"]


@dataclass(frozen=True)
class Row:
    """The cells as meant; None for a row that has too many of them (Q70)."""

    sent: bytes
    cells: tuple[str, ...] | None


@dataclass(frozen=True)
class Sheet:
    """A whole answer, as sent and as meant."""

    body: bytes
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    row_ends: tuple[int, ...]
    frame: SearchFrame

    def cells(self, wanted: Sequence[str]) -> list[tuple[str | None, ...]]:
        """The wanted cells of each good row, None where there is no such column."""
        return [
            tuple(self._cell(row.cells, name) for name in wanted)
            for row in self.rows
            if row.cells is not None
        ]

    def _cell(self, cells: tuple[str, ...], name: str) -> str | None:
        places = [at for at, column in enumerate(self.columns) if column.lower() == name.lower()]
        return cells[places[0]] if places else None

    @property
    def listings(self) -> list[ListingState]:
        wanted = (FIELDS.listing, FIELDS.photos_changed, FIELDS.modified, FIELDS.photos_count)
        return [_listing(*cells) for cells in self.cells(wanted) if (cells[0] or "").strip()]

    def end(self, good: int) -> End:
        """The end, when so many rows are good."""
        frame = self.frame
        return End(frame.code, frame.count, good, frame.max_rows, ended=True, unread=len(self.rows) - good)


def _listing(key: str | None, stamp: str | None, modified: str | None, count: str | None) -> ListingState:
    digits = (count or "").strip()
    return ListingState(
        (key or "").strip(),
        (stamp or "").strip() or None,
        (modified or "").strip() or None,
        expected_count=int(digits) if digits.isdigit() else None,
    )


@dataclass(frozen=True)
class _Shape:
    """How rows are written: the delimiter, and whether it stands at their edges (Q69)."""

    mark: bytes
    front: bool
    back: bool

    def line(self, cells: Sequence[bytes]) -> bytes:
        return self.mark * self.front + self.mark.join(cells) + self.mark * self.back


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    encoding = draw(encodings)
    mark = draw(st.sampled_from(DELIMITERS))
    shape = _Shape(
        mark.encode(), *draw(st.sampled_from([(True, True), (True, True), (False, False), (True, False)]))
    )
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    columns = tuple(draw(st.sampled_from([name, name, name.upper(), name.lower()])) for name in names)
    rows = tuple(draw(st.lists(_rows(columns, shape, encoding), max_size=6)))
    frame = draw(search_frames(encoding))
    heading = f"<COLUMNS>{shape.line([name.encode() for name in columns]).decode()}</COLUMNS>"
    parts = draw(st.permutations([frame.counting.decode(), draw(_delimiters(mark)), heading]))
    body, ends = frame.opening + "".join(parts).encode(), []
    for row in rows:
        body += draw(st.sampled_from(NOISE)).encode() + row.sent
        ends.append(len(body))
    return Sheet(body + frame.closing, columns, rows, tuple(ends), frame)


@st.composite
def _delimiters(draw: st.DrawFn, mark: str) -> str:
    """Q66, Q67, Q68."""
    code = f"{ord(mark):x}"
    value = draw(st.sampled_from([code, code.upper(), code.zfill(2), code.zfill(4)]))
    forms = [
        f'<DELIMITER value="{value}"/>',
        f"<DELIMITER value = '{value}' />",
        f'<delimiter Value="{value}"></delimiter>',
    ]
    return draw(st.sampled_from(forms + [""] * (mark == "\t")))


@st.composite
def _rows(draw: st.DrawFn, columns: Sequence[str], shape: _Shape, encoding: Encoding) -> Row:
    cells = [draw(_cells(name.lower(), shape, encoding)) for name in columns]
    meant: tuple[str, ...] | None = tuple(cell.meant for cell in cells)
    sent = [cell.sent for cell in cells]
    line = shape.line(sent)
    match draw(st.sampled_from(["regular"] * 6 + ["short", "open", "wrapped", "long"])):
        case "short":  # Q70
            line = line.rstrip(shape.mark) if any(sent) else shape.mark * shape.front
        case "open" if shape.back:  # Q69
            line = line.removesuffix(shape.mark)
        case "wrapped" if shape.front and shape.back:
            line = b"\r\n" + line + b"\r\n"
        case "long":
            line, meant = shape.line([*sent, b"too many"]), None
    opening, closing = draw(
        st.sampled_from([(b"<DATA>", b"</DATA>")] * 8 + [(b"<DATA >", b"</DATA >"), (b"<data>", b"</data>")])
    )
    return Row(opening + line + closing, meant)


def _cells(name: str, shape: _Shape, encoding: Encoding) -> st.SearchStrategy[Text]:
    choices = {
        "listingkey": KEYS,
        "photoscount": COUNTS,
        "photoschangetimestamp": STAMPS,
        "modificationtimestamp": STAMPS,
    }
    # A control character may be the delimiter; then no other stands in a cell.
    pieces = [piece for piece in COMPACT_PIECES if shape.mark.decode() not in piece[0]]
    free = texts(pieces, encoding)
    return st.sampled_from([plain(text) for text in choices[name]]) | free if name in choices else free
