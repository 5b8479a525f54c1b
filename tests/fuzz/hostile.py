"""Answers that never end where an answer should: each would fill the memory, or take for ever.

A flood is a beginning and then the same again and again, as much of it as a parser will take.
"""

import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice, repeat

from parsers.errors import ParseError
from parsers.multipart import MultipartParser
from parsers.rets.compact import CompactListings
from parsers.rets.standard_xml import StandardXmlListings
from service.core.ports import Wanted
from tests.fuzz.chain import Played, play
from tests.fuzz.search_frames import End, read
from tests.fuzz.wire import Transfer, answer_of
from tests.parsers.rets.played import FIELDS

MEGABYTE = 2**20

PACKET = 2**16
"""What a socket gives at most at once."""

SEGMENT = 1400
"""What one TCP segment brings."""


@dataclass(frozen=True)
class Flood:
    """A beginning, and what follows it without end; `size` bytes of it show whether it is kept.

    Of small things, each of which costs some objects, few are enough. What is `slow` all the same
    is left to the long run.
    """

    beginning: bytes
    again: bytes
    size: int = 6 * MEGABYTE
    slow: bool = False

    def packets(self, packet: int = PACKET, size: int | None = None) -> Iterator[bytes]:
        """The bytes in packets of so many at most."""
        full = self.again * max(1, packet // len(self.again))
        many = islice(repeat(full), (size or self.size) // len(full))
        return chain(_cut(self.beginning, packet), chain.from_iterable(_cut(one, packet) for one in many))


def _cut(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


PART = b"--xyz\r\nContent-ID: 100\r\nObject-ID: 1\r\n"
BUNDLES = {
    "preamble": Flood(b"", b"junk without an end\r\n"),
    "preamble of look-alikes": Flood(b"", b"\r\n--xy\n--xyzz\r\n--xyz-", MEGABYTE // 8),
    "header line": Flood(PART + b"X: ", b"y"),
    "header lines": Flood(PART, b"X: y\r\n"),
    "continued header": Flood(PART + b"Description: ", b"more and more\r\n "),
    "lines of hyphens in a header": Flood(PART, b"\n--"),
    "text": Flood(PART + b"Content-Type: text/xml\r\n\r\n", b"not found, "),
    "unclosed reply": Flood(PART + b'\r\n<RETS ReplyCode="20403">', b"<RETS-STATUS ", MEGABYTE // 8),
    "picture": Flood(PART + b"\r\n\xff\xd8\xff", b"\xff\xd0\0\r\n", MEGABYTE // 2),
    "animation": Flood(PART + b"\r\nGIF89a\1\0\1\0\0\0\0!\xfe", b"\1\r", MEGABYTE // 2, slow=True),
    "base64": Flood(PART + b"Content-Transfer-Encoding: base64\r\n\r\n", b"/9j/", MEGABYTE // 2, slow=True),
    "base64 of blanks": Flood(PART + b"Content-Transfer-Encoding: base64\r\n\r\n", b"\r\n"),
    "tiny parts": Flood(b"", b"--xyz\r\n\r\nx\r\n", MEGABYTE // 8, slow=True),
    "empty parts": Flood(b"", b"--xyz\nA:\n", MEGABYTE // 8, slow=True),
    "delimiters": Flood(b"", b"--xyz\r\n", MEGABYTE // 8, slow=True),
    "epilogue": Flood(b"--xyz--", b"--xyz\r\n\r\n"),
}

SEARCH = b'<RETS ReplyCode="0">'
COLUMNS = SEARCH + b"<COLUMNS>ListingKey\tPhotosCount\tA</COLUMNS>"
OPENINGS = {
    "blanks": Flood(b"", b" \r\n"),
    "comment": Flood(b"<!--", b"- "),
    "entities": Flood(b"<!DOCTYPE RETS [", b'<!ENTITY a "&b;&b;&b;">'),
    "attributes of the root": Flood(b"<RETS ", b'a="b" '),
    "value in the root": Flood(b'<RETS a="', b"b"),
    "name of the root": Flood(b"<", b"R"),
    "processing instructions": Flood(b"", b"<?xml ?>"),
}
COMPACT = {
    "row": Flood(COLUMNS + b"<DATA>", b"x"),
    "row of brackets": Flood(COLUMNS + b"<DATA>", b"<a>"),
    "rows in each other": Flood(COLUMNS, b"<DATA>1"),
    "comment in the answer": Flood(COLUMNS + b"<!--", b"- "),
    "tag": Flood(COLUMNS + b"<a ", b'b="" '),
    "names of tags": Flood(COLUMNS, b"<a"),
    "columns": Flood(SEARCH + b"<COLUMNS>", b"a\t"),
    "tables": Flood(SEARCH, b"<COLUMNS>a\tb</COLUMNS>", MEGABYTE // 8, slow=True),
    "rows without columns": Flood(SEARCH, b"<DATA>\t1\t</DATA>", MEGABYTE // 8),
    "rows with too many cells": Flood(COLUMNS, b"<DATA>1\t2\t3\t4\t5</DATA>", MEGABYTE // 8),
    "text between rows": Flood(COLUMNS, b"3 < 5 & ", MEGABYTE // 8),
}

LISTING = b"<P><ListingKey>1</ListingKey></P>"
PHOTO = b"<Photo><SequenceID>1</SequenceID></Photo>"
STANDARD = {
    "elements": Flood(SEARCH + b"<L><P>", b"<a/>"),
    "elements under the root": Flood(SEARCH, b"<a/>"),
    "elements with attributes": Flood(SEARCH + b"<L><P>", b'<a b="" c=""/>'),
    "elements in each other": Flood(SEARCH, b"<a>"),
    "photos of one listing": Flood(SEARCH + b"<L><P><ListingKey>1</ListingKey><Photos>", PHOTO),
    "photos of no listing": Flood(
        SEARCH + b"<L><P><ListingKey>1</ListingKey><Photos>" + PHOTO + b"</Photos></P>" + LISTING,
        b"<J>" + PHOTO * 1500 + b"</J>" + LISTING,
    ),
    "text": Flood(SEARCH + b"<L><P><Remarks>", b"x"),
    "brackets": Flood(SEARCH + b"<L><P><Remarks>", b"3 < 5 & "),
    "character data": Flood(SEARCH + b"<L><P><![CDATA[", b"]] "),
    "value": Flood(SEARCH + b'<L><P a="', b"x"),
    "references": Flood(SEARCH + b"<L><P><Remarks>", b"&a;&#55357;"),
    "listings without keys": Flood(
        SEARCH + b"<L>" + LISTING,
        b"<P><ModificationTimestamp>" + b"9" * 100_000 + b"</ModificationTimestamp></P>",
    ),
}


def play_bundle(packets: Iterable[bytes]) -> Played:
    """What comes of it on the whole way; the connection ends behind the packets."""
    head = Transfer("connection").head("multipart/parallel; boundary=xyz", 0)
    return play(answer_of(head, packets), [Wanted("100")])


def parse_bundle(packets: Iterable[bytes]) -> None:
    """By its parser alone."""
    parser = MultipartParser(b"xyz")
    with suppress(ParseError):
        for packet in packets:
            parser.receive_data(packet)
        parser.close(vouched=True)


def bomb(size: int) -> bytes:
    """A thousand times as many bytes, packed."""
    packer = zlib.compressobj(wbits=31)
    packed = [packer.compress(bytes(size)) for _ in range(1000)]
    return b"".join([*packed, packer.flush()])


def play_bomb(packed: bytes) -> Played:
    head = Transfer("length", gzipped=True).head("multipart/parallel; boundary=xyz", len(packed))
    return play(answer_of(head, [packed]), [Wanted("100")])


def play_search(form: str, packets: Iterable[bytes]) -> End | type[ParseError]:
    """How a search answer in this format ends."""
    return read(StandardXmlListings(FIELDS) if form == "STANDARD-XML" else CompactListings(FIELDS), packets)[
        1
    ]


def standard_flood(name: str, size: int) -> Iterator[None]:
    """For `benchmarks.peak`: an XML parser's memory is not Python's, so it is asked of a process."""
    yield
    play_search("STANDARD-XML", STANDARD[name].packets(PACKET, size))
