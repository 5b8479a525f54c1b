"""Listings and media as rows with Data Dictionary names, and the URLs of the media."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias
from urllib.parse import quote

from service.simulator.web_api.dialects import Dialect, Entity
from service.simulator.web_api.listings import DOCUMENT, PHOTO, Listing, Medium

MEDIA = "media/"
"""What the paths of media begin with, seen from the feed's own path."""

SIZES = {
    "UriThumb": "-t",
    "Uri300": "-300",
    "Uri640": "-640",
    "Uri800": "-800",
    "Uri1024": "-1024",
    "Uri1280": "-1280",
    "UriLarge": "-o",
}
"""The sizes of a photo (L2), and what the names of their files end in. All have the same bytes here."""

Row: TypeAlias = dict[str, Any]

_SIGNATURE = re.compile(r"sig=Ab%2f(\d+)%7E==")


@dataclass
class MediaUrls:
    """Makes the URLs of media. `base` stands before them: a host with the feed's path, or the path alone."""

    dialect: Dialect
    base: str
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _expired: int = 0
    _last: int = 0

    def url(self, listing: Listing, medium: Medium) -> str:
        """Where a medium is; of a third party's, the URL that the third party has."""
        if medium.link is not None:
            return medium.link
        url = f"{self.base}{self.path(listing, medium)}"
        if not self.dialect.signed:
            return url
        self._last = next(self._numbers)
        return f"{url}?sig=Ab%2f{self._last}%7E=="

    def path(self, listing: Listing, medium: Medium, size: str = "") -> str:
        """The medium's path, seen from the feed's own; `size` is added to the file's name."""
        name = quote(medium.key, safe="") if self.dialect.url == "key" else medium.version
        return f"{MEDIA}{quote(listing.key, safe='')}/{name}{size}.{medium.ending}"

    def expire(self) -> None:
        """Signatures that were given so far are good no more."""
        self._expired = self._last

    def admits(self, query: str) -> bool:
        """Whether a URL's query holds a signature that is still good, byte for byte as it was given."""
        match = _SIGNATURE.fullmatch(query)
        return not self.dialect.signed or (match is not None and int(match[1]) > self._expired)


def property_row(listing: Listing) -> Row:
    """A listing as its Property row."""
    photos = listing.counted(PHOTO)
    return {
        "ListingKey": listing.key,
        "ListingId": listing.id or listing.key,
        "OriginatingSystemName": listing.system,
        "StandardStatus": "Active",
        "ListPrice": None,
        "ModificationTimestamp": listing.modified,
        "PhotosCount": photos if listing.count is None else listing.count,
        "PhotosChangeTimestamp": listing.photos_changed,
        "DocumentsCount": listing.counted(DOCUMENT),
        "DocumentsChangeTimestamp": listing.documents_changed,
        "VideosChangeTimestamp": None,
    }


def ordered(listing: Listing, dialect: Dialect) -> list[tuple[Medium, int]]:
    """A listing's media, each with its order; every category counts its own."""
    numbers = {medium.category: count(dialect.orders_from) for medium in listing.media}
    return [(medium, next(numbers[medium.category])) for medium in listing.media]


def media_row(listing: Listing, medium: Medium, order: int, url: str) -> Row:
    """A medium as its Media row."""
    return {
        "Id": medium.key,
        "MediaKey": medium.key,
        "ListingKey": listing.key,
        "ResourceRecordKey": listing.key,
        "ResourceRecordID": listing.id or listing.key,
        "OriginatingSystemName": listing.system,
        "MediaCategory": medium.category,
        "MediaType": None if medium.link else medium.media_type.partition("/")[2],
        "Order": order,
        "DisplayOrder": order,
        "PreferredPhotoYN": medium.preferred,
        "LongDescription": medium.caption,
        "MediaURL": url,
        "MediaModificationTimestamp": medium.changed,
        "ModificationTimestamp": medium.modified or medium.changed,
    }


_NOBODY, _NOTHING = Listing("", "", ""), Medium("", "")

FIELDS: Mapping[Entity, frozenset[str]] = {
    "Property": frozenset(property_row(_NOBODY)),
    "Media": frozenset(media_row(_NOBODY, _NOTHING, 0, "")),
}
"""The fields of each entity."""
