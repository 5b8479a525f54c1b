"""What the bucket holds of a listing, held against what the catalog says: the differences, and their mending.

The catalog is the truth about what should be there, the feed about what a photo shows, and a manifest
is a copy of the catalog's rows. So what is damaged in the bucket is fetched or written again, and rows
that the catalog has lost are read back. Nothing is ever deleted here: an object of ours that no set
needs joins the deletion queue, and what is not spelled as ours is left to whoever put it there.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import md5, sha256
from urllib.parse import unquote

from parsers.records import ListingState
from service.core.manifest import NotAManifestError, read_manifest, render_manifest
from service.core.photos import EXTENSIONS, FRESH, IMMUTABLE, StoredSet, listing_prefix, segment
from service.core.plan import Commit
from service.core.ports import Holding, ObjectInfo

MANIFEST = "manifest.json"

_OURS = re.compile(rf"[0-9a-f]{{64}}\.({'|'.join(EXTENSIONS.values())})")

HASHED = re.compile(r"/sha256=[0-9a-f]{64}/$")
"""Ends the prefix of a listing whose key is too long for a path segment; see `segment`."""


class Kind(StrEnum):
    """What is wrong with an object."""

    MISSING = "missing"
    DIFFERING = "differing"
    ORPHANED = "orphaned"
    FOREIGN = "foreign"


class Mend(StrEnum):
    """What a repair does about it."""

    REFETCH = "refetch"
    """The set goes on without the photo; the next cycle downloads it, or the whole set."""
    REWRITE = "rewrite"
    """The manifest is made of the catalog's rows again, and removed where the listing is gone."""
    RESTORE = "restore"
    """The listing's rows are made of its manifest."""
    SEARCH = "search"
    """Nobody knows what is lost, so the next cycle asks the feed for everything."""
    RETYPE = "retype"
    """The same bytes are stored under their right Content-Type and Cache-Control."""
    QUEUE = "queue"
    """The object is deleted after the grace period."""
    KEEP = "keep"
    """The object leaves the deletion queue."""
    LEAVE = "leave"
    """Only a person can say what it is."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that is not as it should be. `key` is its key in the bucket."""

    kind: Kind
    key: str
    why: str
    mend: Mend
    listing: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What an object is when all of it is read; `failure` says why it could not be."""

    sha256: str = ""
    media_type: str | None = None
    cache_control: str | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One listing on both sides, as it was at one look.

    `objects` are those under its prefix, by name; `more` when there were too many to look at.
    `listing` is None where the prefix is not spelled as any listing's. `document` is its manifest,
    where it was read; `readings` are by name.
    """

    feed: str
    prefix: str
    listing: str | None
    objects: Mapping[str, ObjectInfo]
    more: bool = False
    holding: Holding = field(default_factory=Holding)
    document: bytes | None = None
    readings: Mapping[str, Reading] = field(default_factory=dict)


def compare(side: Side, public_url: str | None) -> list[Difference]:
    """Everything in which the two sides differ.

    Without its document a manifest is taken for right only where its ETag proves it.
    """
    return [replace(found, listing=side.listing) for found in _compare(side, public_url)]


def _compare(side: Side, public_url: str | None) -> Iterator[Difference]:
    if side.more:
        yield Difference(Kind.FOREIGN, side.prefix, "more objects than any listing has", Mend.LEAVE)
    elif side.listing is None and HASHED.search(side.prefix):
        return  # it was a listing's, and is gone: its objects wait for their deletion
    elif newer := _newer(side):
        yield newer
    elif side.holding.lost_rows:
        yield _lost_rows(side)
    else:
        yield from _needed(side)
        yield from _manifest(side, public_url)
        yield from _unneeded(side)


def _needed(side: Side) -> Iterator[Difference]:
    stored = side.holding.stored
    images = {photo.name: photo.image for photo in stored.photos} if stored else {}
    for name, image in images.items():
        key, found = side.prefix + name, side.objects.get(name)
        if found is None:
            yield Difference(Kind.MISSING, key, "no object", Mend.REFETCH)
        elif found.length != image.length:
            why = f"{found.length} bytes, the catalog says {image.length}"
            yield Difference(Kind.DIFFERING, key, why, Mend.REFETCH)
        elif reading := side.readings.get(name):
            yield from _read_photo(key, reading, image.sha256, image.media_type)
        if name in side.holding.queued:
            why = "waits for its deletion, though the set needs it"
            yield Difference(Kind.DIFFERING, key, why, Mend.KEEP)


def _read_photo(key: str, reading: Reading, digest: str, media_type: str) -> Iterator[Difference]:
    if reading.failure:
        yield Difference(Kind.DIFFERING, key, f"cannot be read: {reading.failure}", Mend.REFETCH)
    elif reading.sha256 != digest:
        yield Difference(Kind.DIFFERING, key, f"other bytes: their sha256 is {reading.sha256}", Mend.REFETCH)
    elif why := _mistyped(reading, media_type, IMMUTABLE):
        yield Difference(Kind.DIFFERING, key, why, Mend.RETYPE)


def _mistyped(reading: Reading, media_type: str, cache_control: str) -> str:
    """What is wrong with its headers, as far as the store tells them."""
    said = reading.media_type and reading.media_type.partition(";")[0].strip().lower()
    if said not in (None, media_type):
        return f"Content-Type {said}, not {media_type}"
    if reading.cache_control not in (None, cache_control):
        return f"Cache-Control {reading.cache_control}, not {cache_control}"
    return ""


def _unneeded(side: Side) -> Iterator[Difference]:
    stored = side.holding.stored or _claimed(side)
    needed = stored.names if stored else frozenset()
    for name, found in side.objects.items():
        if name in needed or name == MANIFEST:
            continue
        if side.listing is None or not _OURS.fullmatch(name):
            yield Difference(Kind.FOREIGN, found.key, "no photo's or manifest's name", Mend.LEAVE)
        # What is owed may have been put already, and is then part of the next commit.
        elif name not in side.holding.queued and not side.holding.owed:
            yield Difference(Kind.ORPHANED, found.key, "no set needs it", Mend.QUEUE)


# The manifest.


def _manifest(side: Side, public_url: str | None) -> Iterator[Difference]:
    stored, found = side.holding.stored, side.objects.get(MANIFEST)
    key = side.prefix + MANIFEST
    if side.holding.manifest_due:
        return  # the next cycle writes it before all else
    if stored is None:
        if found is not None:
            yield _unknown(side, key)
    elif stored.gone:
        if found is not None:
            yield _wrong(side, key, stored, "the listing is gone")
    elif found is None:
        yield Difference(Kind.MISSING, key, "no object", Mend.REWRITE)
    else:
        yield from _rendered(side, key, stored, found, render_manifest(side.feed, stored, public_url))


def _rendered(
    side: Side, key: str, stored: StoredSet, found: ObjectInfo, rendered: bytes
) -> Iterator[Difference]:
    reading = side.readings.get(MANIFEST)
    if reading is not None and not reading.failure:
        is_same = reading.sha256 == sha256(rendered).hexdigest()
    elif side.document is not None:
        is_same = side.document == rendered
    else:
        is_same = found.length == len(rendered) and found.etag == _md5(rendered)
    if not is_same:
        yield _wrong(side, key, stored, "not what the catalog says")
    elif reading and (why := _mistyped(reading, "application/json", FRESH)):
        yield Difference(Kind.DIFFERING, key, why, Mend.REWRITE)


def _wrong(side: Side, key: str, stored: StoredSet, why: str) -> Difference:
    read, failure = _read(side)
    if read is None:
        why = failure
    elif read.generation < stored.generation and not stored.gone:
        why = f"generation {read.generation}, the catalog is at {stored.generation}"
    return Difference(Kind.DIFFERING, key, why, Mend.REWRITE)


def _newer(side: Side) -> Difference | None:
    """The catalog is older than the bucket: it was restored from a backup, and has much to learn first."""
    stored, (read, _) = side.holding.stored, _read(side)
    if stored is None or read is None or read.generation <= stored.generation:
        return None
    why = f"generation {read.generation} is newer than the catalog's {stored.generation}: see rebuild"
    return Difference(Kind.DIFFERING, side.prefix + MANIFEST, why, Mend.LEAVE)


def _unknown(side: Side, key: str) -> Difference:
    """A manifest of a listing that the catalog has no row of."""
    read, failure = _read(side)
    if read is None:
        return Difference(Kind.FOREIGN, key, failure, Mend.LEAVE)
    return Difference(Kind.DIFFERING, key, "the catalog does not know this listing", Mend.RESTORE)


def _lost_rows(side: Side) -> Difference:
    holding, (read, _) = side.holding, _read(side)
    why = f"{holding.lost_rows} of {holding.photo_count} photo rows are not in the catalog"
    generation = holding.stored.generation if holding.stored else 0
    is_copy = read and (read.generation, len(read.photos)) == (generation, holding.photo_count)
    return Difference(Kind.DIFFERING, side.prefix + MANIFEST, why, Mend.RESTORE if is_copy else Mend.SEARCH)


def _claimed(side: Side) -> StoredSet | None:
    """The set that a manifest names, where the catalog knows none."""
    return _read(side)[0]


def _read(side: Side) -> tuple[StoredSet | None, str]:
    return read_copy(side.feed, side.prefix, side.document)


def read_copy(feed: str, prefix: str, document: bytes | None) -> tuple[StoredSet | None, str]:
    """The set of a manifest that was found under this prefix, or why it is none of that listing's."""
    if document is None:
        return None, "cannot be read"
    try:
        read = read_manifest(feed, document)
    except NotAManifestError as error:
        return None, f"not a manifest of this feed: {error}"
    if listing_prefix(feed, read.key) != prefix:
        return None, f"it names listing {read.key!r}"
    return read, ""


def _md5(content: bytes) -> str:
    """The ETag of a single put, on most stores."""
    return md5(content, usedforsecurity=False).hexdigest()


# Mending.


def salvage(read: StoredSet, objects: Mapping[str, ObjectInfo]) -> StoredSet:
    """A manifest's set as far as its objects are there. If not all of them are, no gate passes: no stamp."""
    kept = tuple(
        photo
        for photo in read.photos
        if (found := objects.get(photo.name)) and found.length == photo.image.length
    )
    return read if kept == read.photos else replace(read, photos=kept, stamp=None)


def distrust(stored: StoredSet, damaged: frozenset[str]) -> Commit:
    """The set goes on without the photos of these names, so that the next plan asks for them."""
    kept = tuple(photo for photo in stored.photos if photo.name not in damaged)
    after = StoredSet(stored.key, stored.generation + 1, None, kept, stored.links)
    return Commit(stored, after, stored.names - after.names)


def said_before(stored: StoredSet, *, by_sequence: bool) -> ListingState:
    """What the feed said when it gave this set: by sequence its photos, by whole set only how many."""
    if by_sequence:
        photos = tuple(photo.ref for photo in stored.photos)
        return ListingState(stored.key, stored.stamp, photos=photos, links=stored.links)
    return ListingState(stored.key, stored.stamp, expected_count=len(stored.photos))


def listing_of(name: str) -> str | None:
    """The listing whose path segment this is; None for a hashed one, and for what is no listing's."""
    key = unquote(name, errors="replace")
    return key if segment(key) == name else None
