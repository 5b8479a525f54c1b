"""The values in which all dialects meet: what a feed says, before any decision about it.

Time stamps are raw text here, exactly as sent. They are compared for equality as text; order is
asked of `parsers.timestamps`. The values of which there are millions (a feed's listings, their
photos) are named tuples: as immutable as a frozen dataclass, and made in a quarter of the time.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

PHOTO, DOCUMENT = "Photo", "Document"
"""The categories of media that feeds host themselves (R3)."""

DEFAULT_ID = "0"
"""SequenceID 0 names a listing's default photo (seed 002)."""

WHOLE_SET = "*"
"""The GetObject id that means every photo of a listing; an outcome under it speaks for the set."""


class PhotoRef(NamedTuple):
    """What a feed says about one photo, before any byte of it.

    `id` is the SequenceID / Object-ID (RETS) or MediaKey (RESO) as text; `order` sorts a set;
    `stamp` is the raw text of the time that moves when the picture does. `caption` None: this record
    does not speak of captions; "": it has none.
    """

    id: str
    order: int
    stamp: str | None = None
    url: str | None = None
    preferred: bool = False
    caption: str | None = None
    category: str = PHOTO


class ListingState(NamedTuple):
    """What one search record says about a listing's photos.

    `photos` is None where the feed does not say (COMPACT rows, master-list rows): only the whole
    set can be asked for. `stamp` is the raw text of the listing's own photo time
    (PhotosChangeTimestamp), `modified` that of the listing (the cursor is made of it).
    `complete` is False when the record contradicts itself (fewer photos than its own count):
    nothing may be removed on its evidence. `links` are media that others host: their URLs are kept,
    and never fetched (R3).
    """

    key: str
    stamp: str | None = None
    modified: str | None = None
    photos: tuple[PhotoRef, ...] | None = None
    expected_count: int | None = None
    complete: bool = True
    links: tuple[PhotoRef, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a photo's own bytes say: type from magic bytes, size in pixels, whether its end is there."""

    media_type: str
    width: int | None
    height: int | None
    complete: bool


class Image(NamedTuple):
    """Validated bytes: `sha256` in lower-case hex, `length` in bytes."""

    sha256: str
    length: int
    media_type: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """The bytes are at `url`; `stamp` is the raw time beside it, where the answer gives one."""

    url: str
    stamp: str | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """A complete answer says that there is no such photo. The only outcome that may delete."""

    why: str


@dataclass(frozen=True, slots=True)
class Denied:
    """This account may not have it (20407, 20413): asking again does not help."""

    why: str


@dataclass(frozen=True, slots=True)
class Retryable:
    """Not now (20409, 20411, 20412, HTTP 5xx, a cut transfer)."""

    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Anything else. `evidence` is the head of what came, for the log. Never deleted on."""

    evidence: str


Outcome: TypeAlias = Image | Redirect | Absent | Denied | Retryable | Unknown
