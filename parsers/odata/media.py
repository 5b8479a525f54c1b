"""Media rows as photos: RESO Data Dictionary names, and what providers made of them.

Orders are normalised here: whatever field sorts a set, and wherever it starts to count, photos come
out in order, and their place in it is their order (X4).
"""

from collections.abc import Iterable
from typing import NamedTuple

from parsers.odata.page import Row, flag, text, whole
from parsers.records import PHOTO, PhotoRef


class MediaNames(NamedTuple):
    """Which field of a Media row says what; "" where the server has none.

    `listing` tells rows of several listings apart. `category` is empty where all rows are photos.
    """

    key: str = "MediaKey"
    listing: str = "ResourceRecordKey"
    order: str = "Order"
    stamp: str = "MediaModificationTimestamp"
    url: str = "MediaURL"
    caption: str = "LongDescription"
    category: str = "MediaCategory"
    preferred: str = "PreferredPhotoYN"


_LAST = 2**62


class MediaSet(NamedTuple):
    """The media of one listing, in order. `broken` counts rows without a key, which nothing can name."""

    refs: tuple[PhotoRef, ...]
    broken: int = 0


def read_media(rows: Iterable[Row], names: MediaNames) -> MediaSet:
    """The rows of one listing. A key that comes twice is kept once, where it comes first."""
    found: dict[str, tuple[int, int, PhotoRef]] = {}
    broken = 0
    for place, row in enumerate(rows):
        key = text(row, names.key)
        if not key:
            broken += 1
        elif key not in found:
            order = whole(row, names.order)
            found[key] = (_LAST if order is None else order, place, _ref(key, row, names))
    # By order, then as sent: equal and missing orders keep the array's (L2).
    ordered = sorted(found.values(), key=lambda entry: entry[:2])
    return MediaSet(tuple(ref._replace(order=n) for n, (_, _, ref) in enumerate(ordered)), broken)


def by_listing(rows: Iterable[Row], names: MediaNames) -> dict[str, list[Row]]:
    """Rows of several listings, told apart; those that name none are under ""."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(text(row, names.listing) or "", []).append(row)
    return found


def _ref(key: str, row: Row, names: MediaNames) -> PhotoRef:
    return PhotoRef(
        id=key,
        order=0,
        stamp=text(row, names.stamp),
        url=text(row, names.url),
        preferred=flag(row, names.preferred),
        caption=text(row, names.caption),
        category=(text(row, names.category) if names.category else None) or PHOTO,
    )
