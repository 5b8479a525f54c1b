"""A listing's photos as readers see them: straight from the manifest in the bucket.

A folder is a listing's path segment in the bucket (`segment` in service/core/photos.py), and is what
stands in our URLs: keys may hold anything, folders only what a URL takes.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from service.core.manifest import NotAManifestError, read_manifest, shown
from service.core.photos import StoredPhoto, default_ref, segment
from service.core.ports import ObjectStore
from service.errors import SkipItem

_FOLDER = re.compile(r"(?!\.+$)[A-Za-z0-9._~%=-]{1,255}")


@dataclass(frozen=True, slots=True)
class Album:
    """A manifest as a page shows it. `default` is the name of the default photo's object."""

    feed: str
    folder: str
    listing: str
    generation: int
    updated: datetime | None
    photos: tuple[StoredPhoto, ...]
    default: str | None

    def key(self, photo: StoredPhoto) -> str:
        """The photo's object key."""
        return f"{segment(self.feed)}/{self.folder}/{photo.name}"

    def named(self, name: str) -> StoredPhoto | None:
        """The photo of this name, if the manifest lists it."""
        return next((photo for photo in self.photos if photo.name == name), None)

    def url(self, photo: StoredPhoto, public_url: str | None) -> str:
        """Where a browser finds the photo: at the bucket's public address, else at the daemon."""
        if public_url:
            return f"{public_url.rstrip('/')}/{quote(self.key(photo))}"
        return f"/photo/{quote(self.feed)}/{quote(self.folder)}/{photo.name}"


def manifest_in(store: ObjectStore, feed: str, folder: str) -> bytes | None:
    """The manifest's bytes; None when there is none, or when no listing can have such a folder."""
    if not _FOLDER.fullmatch(folder):
        return None
    try:
        return store.get(f"{segment(feed)}/{folder}/manifest.json")
    except KeyError:
        return None


def open_album(store: ObjectStore, feed: str, folder: str) -> Album | None:
    """The listing's photos in order. SkipItem when what is there is not this listing's manifest."""
    document = manifest_in(store, feed, folder)
    if document is None:
        return None
    try:
        stored = read_manifest(feed, document)
    except NotAManifestError as error:
        raise _unreadable(feed, folder, str(error)) from error
    if segment(stored.key) != folder:
        raise _unreadable(feed, folder, "listing: it is another listing's")
    default = default_ref(tuple(photo.ref for photo in stored.photos))
    return Album(
        feed,
        folder,
        stored.key,
        stored.generation,
        stored.updated,
        tuple(shown(stored.photos)),
        next((photo.name for photo in stored.photos if photo.ref == default), None),
    )


def _unreadable(feed: str, folder: str, why: str) -> SkipItem:
    what = f"its manifest cannot be read: {why}"
    return SkipItem(what, feed=feed, listing=folder, hint="audit --repair writes it again")
