"""Photos of a STANDARD-XML listing, in the shapes and spellings of several servers."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from parsers.records import PhotoRef
from tests.fuzz.texts import XML_PIECES, Encoding, Text, plain, texts

IDS = ["0", "1", "2", "3", "27", "28"] * 5 + ["front", " 5 ", ""]
STAMPS = ["Tue, 22 Jan 2019 22:17:29 GMT", "2024-01-01T00:00:00.1234567Z", "", " "]
URLS = ["https://cdn.example/1.jpg?a=1&amp;b=2", "//cdn.example/1.jpg", ""]
GAPS = ["", "", "\r\n  ", "<!-- photo -->"]

# What holds the photos, and what one is called; some stand straight in their listing.
HOLDERS = [
    ("Photos", "Photo"),
    ("PropertyPhotos", "PropertyPhoto"),
    ("Photo", "PropertyPhoto"),
    ("Media", "MediaItem"),
    ("", "Photo"),
]


@dataclass(frozen=True)
class Spelling:
    """How one answer writes its photos: the order of leaves, their names, what stands between them."""

    holder: str
    photo: str
    leaves: tuple[str, ...]
    gap: bytes


@dataclass(frozen=True)
class Photo:
    """One photo, as sent and as meant; its id is "" where it has none."""

    sent: bytes
    values: dict[str, str]

    def ref(self, position: int) -> PhotoRef:
        id_, large, small = (
            self.values.get(name, "") for name in ("sequenceid", "largephotourl", "photourl")
        )
        return PhotoRef(
            id_,
            int(id_) if id_.isdigit() else position,
            self.values.get("photolastupdated") or None,
            large or small or None,
            caption=self.values.get("description") or None,
        )


LEAVES = ["LastUpdated", "PhotoLastUpdated", "LargePhotoURL", "PhotoURL", "Description"]


@st.composite
def spellings(draw: st.DrawFn) -> Spelling:
    holder, photo = draw(st.sampled_from(HOLDERS))
    number = draw(st.sampled_from(["SequenceID", "SequenceId", "sequenceid"]))
    leaves = draw(st.permutations([number, *draw(st.lists(st.sampled_from(LEAVES), unique=True))]))
    return Spelling(holder, photo, tuple(leaves), draw(st.sampled_from(GAPS)).encode())


@st.composite
def photos(draw: st.DrawFn, spelling: Spelling, encoding: Encoding) -> Photo:
    """Nearly all have the one shape of their answer; some lack a leaf, some are odd."""
    odd = draw(st.integers(0, 4)) == 0
    # What stands straight in its listing without a number may be anything.
    kept = set() if spelling.holder else {"sequenceid"}
    leaves = [leaf for leaf in spelling.leaves if not odd or leaf.lower() in kept or draw(st.booleans())]
    values: dict[str, str] = {}
    sent = b""
    for leaf in leaves:
        text = draw(_texts(leaf.lower(), encoding))
        values[leaf.lower()] = text.meant.strip()
        sent += _element(draw, leaf, text) + spelling.gap
    attribute = ' a="1"' if odd and draw(st.booleans()) else ""
    return Photo(
        f"<{spelling.photo}{attribute}>".encode() + spelling.gap + sent + f"</{spelling.photo}>".encode(),
        values,
    )


def _element(draw: st.DrawFn, name: str, text: Text) -> bytes:
    if not text.sent and draw(st.booleans()):
        return f"<{name}/>".encode()
    return f"<{name}>".encode() + text.sent + f"</{name}>".encode()


def _texts(leaf: str, encoding: Encoding) -> st.SearchStrategy[Text]:
    known: dict[str, Sequence[str]] = {"sequenceid": IDS, "photolastupdated": STAMPS}
    if leaf in known:
        return st.sampled_from([plain(text) for text in known[leaf]])
    if leaf.endswith("url"):
        return st.sampled_from([Text(url.encode(), url.replace("&amp;", "&")) for url in URLS])
    return texts(XML_PIECES, encoding, most=2)


def refs_of(sent: Sequence[Photo]) -> tuple[PhotoRef, ...]:
    """What the listing says of its photos: of those that share an id the last counts."""
    every = [photo.ref(position) for position, photo in enumerate(sent, 1)]
    return tuple({ref.id: ref for ref in every if ref.id}.values())
