"""What a Web API server knows: listings with their media, changed while it serves.

Times are the server's own text, for it has more digits than a clock of ours (X5).
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

PHOTO, DOCUMENT = "Photo", "Document"

_ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "application/pdf": "pdf"}


@dataclass(frozen=True, slots=True)
class Medium:
    """A photo, a document, or a link to something of a third party (R3).

    `changed` moves with the bytes, `modified` with anything (R5). `picture` is the bytes, or makes
    them when they are asked for. `link` is a third party's URL: such a medium is hosted by others.
    The host answers with `status`, or leads on to `location`.
    """

    key: str
    changed: str
    modified: str = ""
    picture: bytes | Callable[[], bytes] = b""
    caption: str | None = None
    preferred: bool = False
    category: str = PHOTO
    media_type: str = "image/jpeg"
    link: str | None = None
    status: int = 200
    location: str | None = None

    @property
    def body(self) -> bytes:
        """Its bytes."""
        return self.picture if isinstance(self.picture, bytes) else self.picture()

    @property
    def ending(self) -> str:
        """What the file's name ends in, without the dot."""
        return _ENDINGS[self.media_type]

    @property
    def version(self) -> str:
        """Another text for every picture that was ever under this key."""
        return sha256(f"{self.key} {self.changed}".encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing, its media in order. `modified` moves with anything, `photos_changed` with the photos.

    `id` is its ListingId, "" for the same as `key`. `count` is how many photos the server claims
    (X7); None: as many as there are.
    """

    key: str
    modified: str
    photos_changed: str
    media: tuple[Medium, ...] = ()
    id: str = ""
    system: str = "LOOPBACK"
    documents_changed: str | None = None
    count: int | None = None

    def counted(self, category: str) -> int:
        """How many media of a category the listing has."""
        return sum(medium.category == category for medium in self.media)


class Listings:
    """The listings of one server, by key; any thread may ask and change."""

    def __init__(self, listings: Iterable[Listing] = ()) -> None:
        self._by_key = {listing.key: listing for listing in listings}
        self._lock = threading.Lock()

    def put(self, listing: Listing) -> None:
        """Add a listing, or put it in the place of the one with its key."""
        with self._lock:
            self._by_key[listing.key] = listing

    def remove(self, key: str) -> None:
        """The listing is gone."""
        with self._lock:
            del self._by_key[key]

    def get(self, key: str) -> Listing | None:
        """The listing as it is now."""
        with self._lock:
            return self._by_key.get(key)

    def all(self, keys: Iterable[str] | None = None) -> list[Listing]:
        """Those with these keys, or every one, sorted by key."""
        with self._lock:
            wanted = self._by_key if keys is None else self._by_key.keys() & set(keys)
            return [self._by_key[key] for key in sorted(wanted)]
