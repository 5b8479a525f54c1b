"""Rows of Media as a listing's photos, documents and links (R3), and whether they are all of them (X7)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from parsers.odata.media import MediaNames, read_media
from parsers.odata.page import Row, text
from parsers.records import DOCUMENT, PHOTO, PhotoRef
from service.feeds.reso.dialect import Dialect
from service.reso_config import ODataFeed


class Media(NamedTuple):
    """What one listing has. `photos` counts those of the category Photo alone; `broken` rows name nothing."""

    refs: tuple[PhotoRef, ...]
    links: tuple[PhotoRef, ...]
    photos: int
    broken: int

    def agrees(self, count: int | None) -> bool:
        """Whether it is certain that these are all: as many photos as the listing counts."""
        return not self.broken and self.photos == count

    def suffices(self, count: int | None) -> bool:
        """Whether a photo that is not here may be taken for gone (X7)."""
        return not self.broken and (self.photos >= count if count is not None else self.photos > 0)


class MediaSets:
    """Reads the Media of one feed."""

    def __init__(self, dialect: Dialect, config: ODataFeed) -> None:
        self._names, self._size = dialect.names, dialect.size
        self._documents, self._links = config.documents, config.links

    def read(self, rows: Sequence[Row]) -> Media:
        """The Media of one listing."""
        photos, documents, others = (
            read_media(found, self._names) for found in _by_category(rows, self._names)
        )
        refs = [self._sized(ref._replace(category=PHOTO)) for ref in photos.refs]
        if self._documents:
            refs += (ref._replace(category=DOCUMENT) for ref in documents.refs)
        links = _links(others.refs) if self._links else ()
        return Media(
            tuple(ref._replace(order=place) for place, ref in enumerate(refs)),
            tuple(links),
            len(photos.refs),
            photos.broken + documents.broken + others.broken,
        )

    def _sized(self, ref: PhotoRef) -> PhotoRef:
        """A photo in the size that is wanted: its URL says so, and so it is another content (C14, C15)."""
        if not (self._size and ref.url):
            return ref
        return ref._replace(url=f"{ref.url}{'&' if '?' in ref.url else '?'}{self._size}")


def _by_category(rows: Iterable[Row], names: MediaNames) -> tuple[list[Row], list[Row], list[Row]]:
    """Photos, documents, others. What has no category is a photo. Each category counts its own order (R2)."""
    photos: list[Row] = []
    documents: list[Row] = []
    others: list[Row] = []
    for row in rows:
        category = (text(row, names.category) if names.category else None) or PHOTO
        place = {PHOTO.lower(): photos, DOCUMENT.lower(): documents}.get(category.lower(), others)
        place.append(row)
    return photos, documents, others


def _links(refs: Iterable[PhotoRef]) -> list[PhotoRef]:
    """What a reader may follow. A URL with a user name in it may hold a password."""
    return [
        PhotoRef(ref.id, place, url=ref.url, caption=ref.caption, category=ref.category)
        for place, ref in enumerate(refs)
        if ref.url and ref.url.startswith(("https://", "http://")) and "@" not in ref.url.split("/")[2]
    ]
