"""A feed's part of the bucket, a listing at a time, in memory that does not grow with the bucket.

The order of listings is the store's own; only that the objects of one come together is relied on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby, islice

from service.core.audit import MANIFEST, Reading
from service.core.manifest import MOST_BYTES
from service.core.photos import listing_prefix, segment
from service.core.ports import ObjectInfo, ObjectStore
from service.errors import RetryLater

MOST_OBJECTS = 20_000
"""Under one listing: fifty times what any feed allows. What lies beyond is not looked at."""

AT_ONCE = 2_000
"""Objects and listings: about a hundred full ones, or two answers of a bucket's list, for one look into the
catalog."""

READERS = 8
"""Objects read at once: what hides the time that a store takes to answer."""

TOLD = 10_000
"""Things that a report holds in words. All are counted."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The objects below one path segment of a feed (`name`), by name. `more`: there are others.

    A stray object that lies beside the listings, and not in one, is a shelf of its own.
    """

    prefix: str
    name: str
    objects: dict[str, ObjectInfo]
    more: bool = False
    stray: bool = False


def shelves(store: ObjectStore, feed: str) -> Iterator[Shelf]:
    """Every shelf of the feed."""
    place = f"{segment(feed)}/"

    def shelf_of(found: ObjectInfo) -> tuple[str, str]:
        name, slash, _ = found.key.removeprefix(place).partition("/")
        return name, slash

    for (name, slash), group in groupby(store.list(place), key=shelf_of):
        yield _shelf(f"{place}{name}{slash}", name, group, stray=not slash)


def shelf(store: ObjectStore, feed: str, name: str) -> Shelf:
    """The shelf of one path segment, as it is now."""
    prefix = f"{segment(feed)}/{name}/"
    return _shelf(prefix, name, store.list(prefix))


def empty_shelves(feed: str, listings: Iterable[str]) -> Iterator[Shelf]:
    """The shelves of listings of which the bucket holds nothing."""
    for key in listings:
        yield Shelf(listing_prefix(feed, key), segment(key), {})


def _shelf(prefix: str, name: str, group: Iterable[ObjectInfo], *, stray: bool = False) -> Shelf:
    rest = iter(group)
    objects = {found.key[len(prefix) :]: found for found in islice(rest, MOST_OBJECTS)}
    return Shelf(prefix, name, objects, more=next(rest, None) is not None, stray=stray)


def in_batches(every: Iterable[Shelf]) -> Iterator[list[Shelf]]:
    """Shelves, some at a time."""
    batch: list[Shelf] = []
    size = 0
    for one in every:
        batch.append(one)
        size += 1 + len(one.objects)
        if size >= AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def read_document(store: ObjectStore, shelf: Shelf) -> bytes | None:
    """The shelf's manifest, or so much of it that it is too much. None when it cannot be read."""
    if MANIFEST not in shelf.objects:
        return None
    document = bytearray()
    try:
        with store.open(shelf.prefix + MANIFEST) as source:
            for chunk in source.chunks:
                document += chunk
                if len(document) > MOST_BYTES:
                    break
    except (KeyError, RetryLater):
        return None
    return bytes(document)


def read_object(store: ObjectStore, key: str) -> Reading | None:
    """All of an object, a chunk at a time. None when it is not there."""
    digest = sha256()
    try:
        with store.open(key) as source:
            for chunk in source.chunks:
                digest.update(chunk)
    except KeyError:
        return None
    except RetryLater as error:
        return Reading(failure=error.what)
    return Reading(digest.hexdigest(), source.info.media_type, source.info.cache_control)
