"""What stands around the rows of a search answer, and what its end must say (Q55-Q62, Q76, Q78)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.rets.search import SearchEnd
from tests.fuzz.replies import attributes
from tests.fuzz.texts import Encoding
from tests.parsers.deadline import bounded
from tests.parsers.rets.played import Parser, play

Item = TypeVar("Item")


@dataclass(frozen=True)
class End:
    """SearchEnd without the words. `unread`: how many records were not given out."""

    code: int
    count: int | None
    rows: int
    max_rows: bool
    ended: bool
    unread: int


def end_of(end: SearchEnd) -> End:
    return End(end.reply.code, end.count, end.rows, end.max_rows, end.ended, end.rows_quarantined)


def read(
    parser: Parser[Item, SearchEnd], packets: Iterable[bytes]
) -> tuple[list[Item], End | type[ParseError]]:
    """What a search parser gives, and how it ends; nothing but a ParseError may stop it."""
    try:
        with bounded():
            items, end = play(parser, packets)
    except ParseError as error:
        return [], type(error)
    return items, end_of(end)


@dataclass(frozen=True)
class SearchFrame:
    """The bytes before, between and behind the records, and what they say."""

    opening: bytes
    counting: bytes
    closing: bytes
    code: int
    count: int | None
    max_rows: bool


BLANKS = ["", "", "\r\n\r\n ", "\n"]  # Q76
COUNTS = ['<COUNT Records="{}"/>', "<COUNT records = '{}' />", '<count Records="{}"></count>']
NO_COUNTS = ["", "", '<COUNT Records=""/>', "<COUNT/>"]  # Q59
MORE = ["<MAXROWS/>", "<MAXROWS></MAXROWS>", "<maxrows />"]  # Q60
CLOSINGS = ["</RETS>", "</RETS>\r\n", "</RETS >trailing <DATA>\t9\t</DATA>", "\r\n</RETS>\r\n<html>&"]  # Q29


@st.composite
def search_frames(draw: st.DrawFn, encoding: Encoding) -> SearchFrame:
    root = draw(attributes("0"))
    mark = draw(st.sampled_from(["", "", "\ufeff"])) if encoding.codec == "utf-8" else ""
    opening = f"{mark}{draw(st.sampled_from(BLANKS))}{encoding.declaration}<RETS {root}>\r\n"
    count = draw(st.none() | st.integers(0, 3000))
    forms = NO_COUNTS if count is None else COUNTS
    counting = draw(st.sampled_from(forms)).format(count)
    more = draw(st.sampled_from(["", "", *MORE]))
    code = draw(st.sampled_from(["", "", "20208", "20201"]))
    status = f"<RETS-STATUS {draw(attributes(code))}/>" if code else ""  # Q55
    closing = more + status + draw(st.sampled_from(CLOSINGS))
    return SearchFrame(
        opening.encode(), counting.encode(), closing.encode(), int(code or 0), count, bool(more)
    )
