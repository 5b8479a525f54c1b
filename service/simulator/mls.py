"""A small MLS in memory: listings with photos, changed while it serves.

It answers Search in STANDARD-XML (CREA's shape) and COMPACT, and GetObject as single objects, as
bundles that are written photo by photo, so that the largest set costs the memory of one photo, and
with Location=1 as a table of URLs.
"""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from urllib.parse import quote, unquote

from service.rets_config import RetsFields
from service.simulator import documents
from service.simulator.answers import RawAnswer, text_answer
from service.simulator.bundles import BundledPhoto, Framing, single
from service.simulator.documents import PropertyDetails, PropertyPhoto, Slice
from service.simulator.metadata import Metadata
from service.simulator.photo_host import PHOTOS

EASTERN = timezone(timedelta(hours=-5))
"""The zone of CREA's `LastUpdated` inside a photo; the time that matters stands beside it in GMT."""

URL_COLUMNS = ("ResourceRecordID", "Order", "MediaUrl", "MediaModificationTimestamp")
"""Of a table of URLs, as CREA has them."""

_QUERY = re.compile(r"\(\s*(\w+)\s*=\s*([^()]*?)\s*\)")


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of a listing. `picture` is its bytes, or makes them when they are asked for."""

    id: str
    picture: bytes | Callable[[], bytes]
    changed: datetime
    caption: str | None = None
    preferred: bool = False
    media_type: str = "image/jpeg"

    def bundled(self, object_id: str) -> BundledPhoto:
        """The photo as an answer shows it under this id."""
        picture = self.picture if isinstance(self.picture, bytes) else self.picture()
        return BundledPhoto(object_id, picture, self.media_type, self.caption, self.preferred)


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing. `modified` moves with anything, `photos_changed` with the photos. Times are UTC."""

    key: str
    modified: datetime
    photos_changed: datetime
    photos: tuple[Photo, ...] = ()

    def photo(self, object_id: str) -> Photo | None:
        """The photo under this id; 0 is the default photo even where no photo has that number."""
        numbered = next((photo for photo in self.photos if photo.id == object_id), None)
        return numbered or (self._default() if object_id == "0" else None)

    def _default(self) -> Photo | None:
        return next((photo for photo in self.photos if photo.preferred), next(iter(self.photos), None))


_DEFAULT_FIELDS = RetsFields()
_DEFAULT_FRAMING = Framing()


class Mls:
    """The listings, and the answers about them.

    `fields` are the names that queries and rows use, `delimiter` parts the values of a COMPACT row,
    `framing` is how bundles are written.
    """

    def __init__(
        self,
        listings: Iterable[Listing] = (),
        *,
        fields: RetsFields = _DEFAULT_FIELDS,
        delimiter: str = "\t",
        framing: Framing = _DEFAULT_FRAMING,
    ) -> None:
        self._fields = fields
        self._delimiter = delimiter
        self._framing = framing
        self._listings = {listing.key: listing for listing in listings}
        self._lock = threading.Lock()

    def put(self, listing: Listing) -> None:
        """Add a listing, or put it in the place of the one with its key."""
        with self._lock:
            self._listings[listing.key] = listing

    def remove(self, key: str) -> None:
        """The listing is gone."""
        with self._lock:
            del self._listings[key]

    def listing(self, key: str) -> Listing | None:
        """The listing as it is now."""
        with self._lock:
            return self._listings.get(key)

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        """Answer Search, GetObject, GetMetadata and Photo; there is nothing else to this MLS."""
        if transaction == "Search":
            return self._search(params)
        if transaction == "GetObject":
            return self._get_object(params.get("ID", ""), by_url=params.get("Location") == "1")
        if transaction == "Photo":
            return self._picture(params["URL"])
        return Metadata(fields=self._fields).answer(params) if transaction == "GetMetadata" else None

    def found(self, query: str) -> list[Listing] | None:
        """What a query finds, by time and key: `(field=*)` all, `(field=TIME)` or `TIME+` since then.

        None where the query is another one.
        """
        match = _QUERY.fullmatch(query.strip())
        with self._lock:
            listings = sorted(self._listings.values(), key=lambda listing: (listing.modified, listing.key))
        if match and match[1] == self._fields.listing and match[2] == "*":
            return listings
        since = _time(match[2].removesuffix("+")) if match and match[1] == self._fields.modified else None
        return None if since is None else [listing for listing in listings if listing.modified >= since]

    def parts(self, ids: str, framing: Framing) -> Iterator[bytes]:
        """The bundle's parts for a GetObject ID: `key`, `key:*`, `key:0`, `key:1:3`, joined by commas.

        A photo that is not there becomes an error part; a whole set that is empty gives none.
        """
        for key, object_id, photo in self._asked(ids):
            if photo is None:
                yield framing.error_part(key, object_id, 20403, "No Object Found.")
            else:
                yield framing.image_part(key, photo.bundled(object_id))

    def _search(self, params: Mapping[str, str]) -> RawAnswer:
        query = params.get("Query", "")
        found = self.found(query)
        if found is None:
            return text_answer(documents.reply(20206, "Invalid Query Syntax."))
        limit = int(params["Limit"]) if params.get("Limit", "").isdecimal() else None
        offset = int(params.get("Offset", "1"))
        page = found[offset - 1 :][:limit]
        if not page:
            return text_answer(documents.reply(20201, "No Records Found."))
        part = Slice(len(found), limit, offset, count=params.get("Count", "0") != "0")
        if params.get("Format") == "STANDARD-XML":
            records = [_record(listing, bare=query.endswith("=*)")) for listing in page]
            return text_answer(documents.standard_xml(records, part))
        return self._compact(page, params.get("Select", ""), part)

    def _compact(self, page: list[Listing], select: str, part: Slice) -> RawAnswer:
        rows = [self._row(listing) for listing in page]
        columns = [name for name in select.split(",") if name] or list(rows[0])
        if not set(columns) <= set(rows[0]):
            return text_answer(documents.reply(20202, "Invalid Select."))
        lines = [[row[name] for name in columns] for row in rows]
        return text_answer(documents.compact(columns, lines, part, self._delimiter))

    def _row(self, listing: Listing) -> dict[str, str]:
        fields = self._fields
        return {
            fields.listing: listing.key,
            fields.modified: iso(listing.modified),
            fields.photos_changed: iso(listing.photos_changed),
            fields.photos_count: str(sum(photo.id != "0" for photo in listing.photos)),
        }

    def _get_object(self, ids: str, *, by_url: bool) -> RawAnswer:
        asked = list(self._asked(ids))
        if not any(photo for _, _, photo in asked):
            return text_answer(documents.reply(20403, "No Object Found."))
        if by_url:
            return self._urls(asked)
        key, object_id, photo = asked[0]
        if len(asked) == 1 and photo and not ids.endswith("*"):
            return single(key, photo.bundled(object_id))
        return self._framing.bundle(self.parts(ids, self._framing))

    def _urls(self, asked: Iterable[tuple[str, str, Photo | None]]) -> RawAnswer:
        rows = [
            (key, object_id, photo_url(key, object_id), iso(photo.changed))
            for key, object_id, photo in asked
            if photo
        ]
        return text_answer(documents.compact(URL_COLUMNS, rows, Slice(len(rows), None, 1)))

    def _picture(self, url: str) -> RawAnswer:
        key, _, file = url.partition("?")[0].removeprefix(PHOTOS).partition("/")
        listing = self.listing(unquote(key))
        photo = listing.photo(unquote(file.rpartition(".")[0])) if listing else None
        if photo is None:
            return RawAnswer(404, "Not Found", (("Content-Type", "text/plain"),), b"no such picture\n")
        shown = photo.bundled(photo.id)
        return RawAnswer(200, "OK", (("Content-Type", shown.media_type),), shown.picture)

    def _asked(self, ids: str) -> Iterator[tuple[str, str, Photo | None]]:
        for one in ids.split(","):
            key, _, numbers = one.partition(":")
            listing = self.listing(key)
            if numbers in {"", "*"}:
                yield from ((key, photo.id, photo) for photo in (listing.photos if listing else ()))
            else:
                for number in numbers.split(":"):
                    yield key, number, listing.photo(number) if listing else None


def _record(listing: Listing, *, bare: bool) -> PropertyDetails:
    photos = tuple(
        PropertyPhoto(photo.id, eastern(photo.changed), rfc1123(photo.changed)) for photo in listing.photos
    )
    return PropertyDetails(listing.key, rfc1123(listing.modified), None if bare else photos)


def photo_url(key: str, object_id: str) -> str:
    """Where a photo's picture is, relative to GetObject."""
    return f"{PHOTOS}{quote(key, safe='')}/{quote(object_id, safe='')}.jpg"


def _time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def rfc1123(moment: datetime) -> str:
    """`Tue, 22 Jan 2019 22:17:29 GMT`, as CREA's PhotoLastUpdated."""
    return format_datetime(moment, usegmt=True)


def eastern(moment: datetime) -> str:
    """`22/01/2019 05:17:29 PM`, as CREA's LastUpdated inside a photo."""
    return moment.astimezone(EASTERN).strftime("%d/%m/%Y %I:%M:%S %p")


def iso(moment: datetime) -> str:
    """`2019-01-22T22:17:29.000`, without a zone (Q102)."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
