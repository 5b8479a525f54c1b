"""Identity, names and the default photo: what a stored set is, and how the bucket spells it.

The bytes' sha256 is a photo's identity; its object key is made of nothing else, so objects are
immutable, reorders are free and a photo that repeats another costs nothing.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from urllib.parse import quote

from parsers.records import DEFAULT_ID, DOCUMENT, Image, PhotoRef

IMMUTABLE = "public, max-age=31536000, immutable"
"""Cache-Control of photo objects: their name is their content."""

FRESH = "public, max-age=60"
"""Cache-Control of manifests: readers see a change within a minute."""

MAX_SEGMENT_BYTES = 200
"""A longer path segment is hashed: stores hold 255 bytes per segment, and suffixes need room."""

EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "image/tiff": "tif",
    "image/avif": "avif",
    "image/heic": "heic",
    "application/pdf": "pdf",
}
"""Every media type that is stored; what has no extension here is nothing for this bucket."""


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo in the bucket: what the feed said of it when its bytes came, and the bytes' facts."""

    ref: PhotoRef
    image: Image

    @property
    def name(self) -> str:
        """The object's name within its listing: `<sha256>.<ext>`."""
        return object_name(self.image)


class Pin(StrEnum):
    """What an operator brought back, against the feed's word."""

    LISTING = "listing"
    PHOTOS = "photos"


@dataclass(frozen=True, slots=True)
class StoredSet:
    """A listing as it was last synchronised. Generation 0 was never stored.

    `stamp` is the listing's raw photo time at that moment; None also when the set is not known to
    be whole, so that the gate cannot pass. `links` lead to media that others host. `gone` keeps the
    generation of a removed listing. `updated` is when this generation was committed (UTC), `pin` whether
    it was undeleted; these are no part of what is compared.
    """

    key: str
    generation: int = 0
    stamp: str | None = None
    photos: tuple[StoredPhoto, ...] = ()
    links: tuple[PhotoRef, ...] = ()
    gone: bool = False
    updated: datetime | None = field(default=None, compare=False)
    pin: Pin | None = field(default=None, compare=False)

    @property
    def names(self) -> frozenset[str]:
        """The object names that this set needs."""
        return frozenset(photo.name for photo in self.photos)


def segment(text: str) -> str:
    """One safe path segment: percent-encoded, never empty, `.` or `..`, hashed over 200 bytes.

    Different keys have different segments.

    >>> segment("A/1 ..")
    'A%2F1%20..'
    """
    # Dots alone would climb; everything outside the unreserved set is encoded by quote itself.
    encoded = (
        text.replace(".", "%2E") if text.strip(".") == "" else quote(text, safe="", errors="surrogatepass")
    )
    if 0 < len(encoded) <= MAX_SEGMENT_BYTES:
        return encoded
    # No encoded key holds a `=`, so no key can be spelled like another one's hash.
    return "sha256=" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def object_name(image: Image) -> str:
    """`<sha256>.<ext>`."""
    return f"{image.sha256}.{EXTENSIONS[image.media_type]}"


def listing_prefix(feed: str, listing: str) -> str:
    """`<feed>/<listing>/`."""
    return f"{segment(feed)}/{segment(listing)}/"


def manifest_key(feed: str, listing: str) -> str:
    """`<feed>/<listing>/manifest.json`."""
    return listing_prefix(feed, listing) + "manifest.json"


def default_ref(photos: tuple[PhotoRef, ...]) -> PhotoRef | None:
    """SequenceID 0 where there is one; else the preferred photo; else the lowest order. No document."""
    shown = (ref for ref in photos if ref.category != DOCUMENT)
    return min(shown, key=lambda ref: (ref.id != DEFAULT_ID, not ref.preferred, ref.order), default=None)
