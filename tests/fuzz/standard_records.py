"""STANDARD-XML answers in two shapes: CREA DDF, and any other that holds a listing key."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from parsers.records import ListingState
from tests.fuzz.search_frames import End, SearchFrame, search_frames
from tests.fuzz.standard_photos import Photo, Spelling, photos, refs_of, spellings
from tests.fuzz.texts import ATTRIBUTE_PIECES, XML_PIECES, Encoding, encodings, plain, texts

STAMPS = ["Thu, 21 Feb 2019 23:40:21 GMT", "22/01/2019 05:17:29 PM", "", " "]
KEYS = ["20270724", "1", "A-7", " 8 "] * 3
COUNTS = ["0", "1", "2", "25", "many", ""]
GAPS = ["", "", "\r\n  ", "<!-- <Property> -->\n", "<?pi?>"]

TAGS = ["Property", "ResidentialProperty", "Listing"]
KEY_NAMES = ["ListingKey", "listingkey", "LISTINGKEY"]

# Elements around the records, outermost first.
PATHS = [["Listings"], ["Search", "Results", "Listings"], []]


@dataclass(frozen=True)
class Record:
    """One record as sent, and the listing that it is; None for one without its key."""

    sent: bytes
    listing: ListingState | None


@dataclass(frozen=True)
class Document:
    """A whole answer, as sent and as meant."""

    body: bytes
    records: tuple[Record, ...]
    frame: SearchFrame
    count: int | None

    @property
    def listings(self) -> list[ListingState]:
        return [record.listing for record in self.records if record.listing]

    @property
    def end(self) -> End:
        frame, good = self.frame, len(self.listings)
        return End(frame.code, self.count, good, frame.max_rows, ended=True, unread=len(self.records) - good)


@st.composite
def documents(draw: st.DrawFn, *, first: int = 1) -> Document:
    """Any answer; its first record comes `first` times."""
    encoding, spelling = draw(encodings), draw(spellings())
    is_crea = draw(st.booleans())
    if is_crea:
        kind, path = crea_records(spelling, encoding), ["RETS-RESPONSE"]
    else:
        # One answer has one spelling, and a reader may learn it from the beginning.
        count_name = "PhotosCount" if first > 1 else "photoscount"
        names = (draw(st.sampled_from(TAGS)), draw(st.sampled_from(KEY_NAMES)), count_name)
        kind = generic_records(names, spelling, encoding)
        path = draw(st.sampled_from(PATHS))
    records = tuple(draw(st.lists(kind, min_size=1, max_size=5)))
    records = records[:1] * first + records[1:]
    if not any(record.listing for record in records):  # one listing shows what the others are
        records = ()
    frame = draw(search_frames(encoding))
    total = draw(st.none() | st.integers(0, 3000)) if is_crea else None
    body = frame.opening + frame.counting + draw(_nested(path, total, records)) + frame.closing
    return Document(body, records, frame, _greatest(frame.count, total))


@st.composite
def _nested(draw: st.DrawFn, path: Sequence[str], total: int | None, records: Sequence[Record]) -> bytes:
    """The records, behind CREA's own count, within the elements of the path."""
    page = f"<Pagination><TotalRecords>{total}</TotalRecords><Limit>100</Limit></Pagination>"
    inside = page.encode() if total is not None else b""
    inside += b"".join(draw(_gaps) + record.sent for record in records) + draw(_gaps)
    for name in reversed(path):
        inside = draw(_gaps) + _element(name, inside, draw(_namespaces)) + draw(_gaps)
    return inside


_gaps = st.sampled_from([gap.encode() for gap in GAPS])


_namespaces = st.sampled_from(["", "", ' xmlns="urn:CREA.Search.Property"'])


def _greatest(*counts: int | None) -> int | None:
    return max((count for count in counts if count is not None), default=None)


def _element(name: str, inside: bytes, attributes: str = "") -> bytes:
    return f"<{name}{attributes}>".encode() + inside + f"</{name}>".encode()


@st.composite
def crea_records(draw: st.DrawFn, spelling: Spelling, encoding: Encoding) -> Record:
    """PropertyDetails; with its two attributes alone it is a row of the master list."""
    key = draw(st.sampled_from([plain(key) for key in [*KEYS, ""]]) | texts(ATTRIBUTE_PIECES, encoding))
    modified = draw(st.sampled_from(STAMPS))
    names = draw(st.sampled_from([("ID", "LastUpdated"), ("Id", "LASTUPDATED")]))
    start = f'<PropertyDetails {names[0]}="'.encode() + key.sent + f'" {names[1]}="{modified}"'.encode()
    state = ListingState(key.meant.strip(), None, modified.strip() or None)
    if draw(st.integers(0, 3)) == 0:
        return _record(start + b"/>", state)
    sent = draw(st.lists(photos(spelling, encoding), max_size=4))
    inside = b"<ListingID>30707930</ListingID>" + draw(_gaps) + _held(draw, spelling, sent)
    return _record(start + b">" + inside + b"</PropertyDetails>", _with_photos(state, sent, None))


@st.composite
def generic_records(
    draw: st.DrawFn, names: tuple[str, str, str], spelling: Spelling, encoding: Encoding
) -> Record:
    """`names`: of the records, of their keys, of their numbers of photos."""
    tag, key_name, count_name = names
    key = draw(st.sampled_from([plain(key) for key in [*KEYS, ""]]) | texts(XML_PIECES, encoding))
    stamp, modified = draw(st.sampled_from(STAMPS)), draw(st.sampled_from(STAMPS))
    count = draw(st.none() | st.sampled_from(COUNTS))
    sent = draw(st.none() | st.lists(photos(spelling, encoding), max_size=4))
    remarks = draw(texts(XML_PIECES, encoding))
    children = [
        _element(key_name, key.sent),
        _element("PhotosChangeTimestamp", stamp.encode()),
        _element("ModificationTimestamp", modified.encode()),
        _element("Remarks", remarks.sent),
        _element("Photos", b"25"),  # a number of photos is no list of them
        *([_element(count_name, count.encode())] if count is not None else []),
        *([_held(draw, spelling, sent)] if sent is not None else []),
    ]
    number = int(count) if count and count.isdigit() else None
    state = ListingState(
        key.meant.strip(), stamp.strip() or None, modified.strip() or None, expected_count=number
    )
    inside = b"".join(child + draw(_gaps) for child in draw(st.permutations(children)))
    said = bool(sent) or number == 0 or (sent is not None and bool(spelling.holder))
    return _record(_element(tag, inside), _with_photos(state, sent or [], number) if said else state)


def _held(draw: st.DrawFn, spelling: Spelling, sent: Sequence[Photo]) -> bytes:
    inside = b"".join(photo.sent + draw(_gaps) for photo in sent)
    if not spelling.holder:
        return inside
    if not sent and draw(st.booleans()):
        return f"<{spelling.holder}/>".encode()
    return _element(spelling.holder, inside)


def _record(sent: bytes, state: ListingState) -> Record:
    return Record(sent, state if state.key else None)


def _with_photos(state: ListingState, sent: Sequence[Photo], count: int | None) -> ListingState:
    """Photos without an id, or with another's, or fewer than counted: the record contradicts itself."""
    refs = refs_of(sent)
    complete = len(refs) == len(sent) >= (count or 0)
    return ListingState(state.key, state.stamp, state.modified, refs, count, complete)
