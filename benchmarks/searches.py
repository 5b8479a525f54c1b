"""Search answers: our parsers against the loop over lxml's iterparse that everybody writes.

Both sides give equal values. The loop knows beforehand what our parsers have to find out, the places
of columns and the names of elements, and none of the quirks.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from lxml import etree

from benchmarks.figures import Effort, Row, interleaved, memory_row, speed_row, timed
from benchmarks.peak import peak_of
from benchmarks.pictures import CHUNK
from benchmarks.search_files import NAMESPACE, PLACES, WANTED, write_compact, write_standard_xml
from parsers.records import ListingState, PhotoRef
from parsers.rets.compact import CompactListings, CompactParser
from parsers.rets.search import FieldNames, SearchEnd
from parsers.rets.standard_xml import StandardXmlListings

MB_AT_MOST = 10.0
LOOP = "a plain iterparse loop"

_KEY, _STAMP, _MODIFIED = WANTED
FIELDS = FieldNames(listing=_KEY, photos_changed=_STAMP, photos_count="", modified=_MODIFIED)

Read = Callable[[str], Iterator[object]]
"""Reads a file, giving one value per row or listing."""


class Parser(Protocol):
    """One of ours."""

    def receive_data(self, chunk: bytes) -> Sequence[object]:
        """The values that this chunk completes."""

    def close(self) -> SearchEnd:
        """How the answer ended."""


def run_compact(effort: Effort) -> list[Row]:
    """COMPACT-DECODED, 200,000 rows of 60 columns, of which 3 are wanted."""
    rows = effort.size(200_000, quick=2_000)
    what = f"COMPACT-DECODED, {rows:,} rows"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "compact.xml"
        write_compact(path, rows)
        file = str(path)
        return [
            _speed(f"{what}: 3 cells of each", effort, file, (compact_rows, plain_rows), at_least=1.5),
            _speed(f"{what}: listings", effort, file, (compact_listings, plain_listings), at_least=1.5),
            _memory(f"{what}: memory", file, (compact_listings, plain_listings)),
        ]


def run_standard_xml(effort: Effort) -> list[Row]:
    """STANDARD-XML, 20,000 listings with 25 photos each."""
    listings = effort.size(20_000, quick=200)
    what, sides = f"STANDARD-XML, {listings:,} listings x 25 photos", (standard_xml, plain_standard_xml)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "standard.xml"
        write_standard_xml(path, listings, photos=25)
        return [
            _speed(what, effort, str(path), sides, at_least=2),
            _memory(f"{what}: memory", str(path), sides),
        ]


def _speed(what: str, effort: Effort, file: str, sides: tuple[Read, Read], *, at_least: float) -> Row:
    assert all(one == other for one, other in zip_longest(*(side(file) for side in sides)))
    ours, plain = interleaved(effort.runs, *(timed(partial(_read_all, side, file)) for side in sides))
    return speed_row(what, ours, LOOP, plain, at_least)


def _memory(what: str, file: str, sides: tuple[Read, Read]) -> Row:
    ours, plain = (peak_of("benchmarks.searches:reading", side.__name__, file) for side in sides)
    return memory_row(what, ours, LOOP, plain, MB_AT_MOST)


def reading(side: str, file: str) -> Iterator[None]:
    """For `peak_of`."""
    yield
    _read_all(globals()[side], file)


def _read_all(side: Read, file: str) -> None:
    for _ in side(file):
        pass


def compact_rows(file: str) -> Iterator[object]:
    """Three cells of each row."""
    return _fed(CompactParser(WANTED), file)


def plain_rows(file: str) -> Iterator[object]:
    """The same."""
    key, stamp, modified = PLACES
    for _, element in etree.iterparse(file, tag="DATA"):
        cells = (element.text or "").split("\t")
        yield cells[key], cells[stamp], cells[modified]
        _drop(element)


def compact_listings(file: str) -> Iterator[object]:
    """The listings."""
    return _fed(CompactListings(FIELDS), file)


def plain_listings(file: str) -> Iterator[object]:
    """The same."""
    key, stamp, modified = PLACES
    for _, element in etree.iterparse(file, tag="DATA"):
        cells = (element.text or "").split("\t")
        yield ListingState(cells[key], cells[stamp], cells[modified])
        _drop(element)


def standard_xml(file: str) -> Iterator[object]:
    """The listings with their photos."""
    return _fed(StandardXmlListings(FIELDS), file)


def plain_standard_xml(file: str) -> Iterator[object]:
    """The same."""
    for _, element in etree.iterparse(file, tag=f"{NAMESPACE}PropertyDetails"):
        photos = tuple(map(_photo, element.iterfind(f"{NAMESPACE}Photo/{NAMESPACE}PropertyPhoto")))
        yield ListingState(element.get("ID", ""), modified=element.get("LastUpdated"), photos=photos)
        _drop(element)


def _photo(element: etree._Element) -> PhotoRef:
    id_ = element.findtext(f"{NAMESPACE}SequenceId") or ""
    return PhotoRef(id_, int(id_), element.findtext(f"{NAMESPACE}PhotoLastUpdated"))


def _fed(parser: Parser, file: str) -> Iterator[object]:
    with Path(file).open("rb") as answer:
        while chunk := answer.read(CHUNK):
            yield from parser.receive_data(chunk)
    assert parser.close().ended


def _drop(element: etree._Element) -> None:
    """What was read, and the empty element before it: else they fill the memory."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
