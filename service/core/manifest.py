"""The manifest: the one document by which readers see a listing's set.

It is a pure function of the stored set, so writing it again after a crash writes the same bytes; and
it holds all of the set, so a lost catalog is read back from the bucket. Its schema is
docs/manifest.schema.json; its field names are the RESO Data Dictionary's, where it has them.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field, ValidationError

from parsers.records import DEFAULT_ID, Image, PhotoRef
from service.core.photos import EXTENSIONS, StoredPhoto, StoredSet, default_ref, listing_prefix

MOST_BYTES = 4 * 2**20
"""No manifest is larger: that is room for some 7,000 photos. What is larger is not read."""


class NotAManifestError(ValueError):
    """The text says which part of the document is not as the schema has it, or whose it is."""


def render_manifest(feed: str, stored: StoredSet, public_url: str | None = None) -> bytes:
    """The manifest's bytes (UTF-8 JSON). `public_url` makes MediaURLs absolute."""
    photos = shown(stored.photos)
    default = default_ref(tuple(photo.ref for photo in stored.photos))
    default_name = next((p.name for p in stored.photos if p.ref == default), None)
    prefix = listing_prefix(feed, stored.key)
    # MediaURL is relative to the manifest unless the bucket has a public address.
    # A key holds its `%` as such, so a URL spells each of them once more.
    base = f"{public_url.rstrip('/')}/{quote(prefix)}" if public_url else ""

    def entries(photos: Iterable[StoredPhoto]) -> list[dict[str, Any]]:
        return [_entry(photo, prefix, base, preferred=photo.name == default_name) for photo in photos]

    document: dict[str, Any] = {
        "feed": feed,
        "listing": stored.key,
        "generation": stored.generation,
        "updated": stored.updated.isoformat() if stored.updated else None,
        "source": {"PhotosChangeTimestamp": stored.stamp, "Repeats": entries(repeats(stored.photos))},
        "default": next((p.ref.id for p in photos if p.name == default_name), None),
        "media": entries(photos),
    }
    if stored.links:  # most feeds have none, and their manifests stay as they were
        document["links"] = [_link(link) for link in stored.links]
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def read_manifest(feed: str, document: bytes) -> StoredSet:
    """The set that `render_manifest` wrote, its photos by order. Raises NotAManifestError.

    A source URL that is not shown comes back as None. Whoever can write to the bucket can write
    any document, so nothing in it is believed that no set of this feed can hold.
    """
    if len(document) > MOST_BYTES:
        raise NotAManifestError(f"{len(document)} bytes are more than any manifest has")
    try:
        # Not pydantic's own JSON: its tree costs 650 bytes for every two that say `[]`.
        read = _Manifest.model_validate(json.loads(document.decode("utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise NotAManifestError(f"{place}: {first['msg']}" if place else first["msg"]) from error
    except (ValueError, RecursionError) as error:
        raise NotAManifestError(f"not JSON: {error}") from error
    if read.feed != feed:
        raise NotAManifestError("feed: it is another feed's")
    photos = [entry.photo() for entry in (*read.source.repeats, *read.media)]
    photos.sort(key=lambda photo: photo.ref.order)
    links = tuple(link.ref() for link in read.links)
    return StoredSet(
        read.listing, read.generation, read.source.stamp, tuple(photos), links, updated=read.updated
    )


def shown(photos: Sequence[StoredPhoto]) -> tuple[StoredPhoto, ...]:
    """The photos in order, each picture once."""
    hidden = {photo.name for photo in repeats(photos)}
    once = [photo for photo in photos if photo.ref.id != DEFAULT_ID or photo.name not in hidden]
    return tuple(sorted(once, key=lambda photo: photo.ref.order))


def repeats(photos: Sequence[StoredPhoto]) -> list[StoredPhoto]:
    """The photos that only say which other one is the default.

    Servers repeat the default photo under SequenceID 0 and under its own number (Q34): the picture
    is then shown where its number puts it, and marked as the default.
    """
    numbered = {photo.name for photo in photos if photo.ref.id != DEFAULT_ID}
    return [photo for photo in photos if photo.ref.id == DEFAULT_ID and photo.name in numbered]


def public_source(url: str | None) -> str | None:
    """The feed's own URL of a photo, unless it may hold a secret: signatures stand in the query."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    is_plain = parts.scheme in ("http", "https") and not ("?" in url or "#" in url or "@" in parts.netloc)
    return url if is_plain else None


def _entry(photo: StoredPhoto, prefix: str, base: str, *, preferred: bool) -> dict[str, Any]:
    ref, image = photo.ref, photo.image
    return {
        "MediaKey": ref.id,
        "SequenceID": int(ref.id) if ref.id.isdecimal() and ref.id.isascii() else None,
        "Order": ref.order,
        "PreferredPhotoYN": preferred,
        "MediaCategory": ref.category,
        "MediaType": image.media_type,
        "ImageWidth": image.width,
        "ImageHeight": image.height,
        "LongDescription": ref.caption,
        "ShortDescription": None if ref.caption is None else ref.caption[:50],
        "MediaModificationTimestamp": ref.stamp,
        "MediaURL": base + photo.name,
        "Key": prefix + photo.name,
        "Sha256": image.sha256,
        "Bytes": image.length,
        "SourcePreferredYN": ref.preferred,
        "SourceURL": public_source(ref.url),
    }


def _link(ref: PhotoRef) -> dict[str, Any]:
    """A medium that others host (R3)."""
    return {
        "MediaKey": ref.id,
        "Order": ref.order,
        "MediaCategory": ref.category,
        "MediaURL": ref.url,
        "LongDescription": ref.caption,
    }


# What a catalog can hold: no NUL, and numbers as wide as its columns.


def _in_utc(text: Any) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("no time in UTC") from error
    raise ValueError("a time without a zone")


Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Name = Annotated[str, Field(pattern=r"^[^\x00]+$")]
Long = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Size = Annotated[int, Field(ge=0, lt=2**31)]


class _Strict(BaseModel):
    """What is not read (names for readers, made of what is read) is not looked at."""

    model_config = ConfigDict(strict=True, frozen=True)


class _Entry(_Strict):
    id: Name = Field(alias="MediaKey")
    order: Long = Field(alias="Order")
    stamp: Text | None = Field(alias="MediaModificationTimestamp")
    url: Text | None = Field(alias="SourceURL")
    preferred: bool = Field(alias="SourcePreferredYN")
    caption: Text | None = Field(alias="LongDescription")
    category: Text = Field(alias="MediaCategory")
    sha256: str = Field(alias="Sha256", pattern=r"^[0-9a-f]{64}$")
    length: int = Field(alias="Bytes", ge=1, lt=2**63)
    media_type: str = Field(alias="MediaType", pattern=f"^({'|'.join(EXTENSIONS)})$")
    width: Size | None = Field(alias="ImageWidth")
    height: Size | None = Field(alias="ImageHeight")

    def photo(self) -> StoredPhoto:
        ref = PhotoRef(self.id, self.order, self.stamp, self.url, self.preferred, self.caption, self.category)
        return StoredPhoto(ref, Image(self.sha256, self.length, self.media_type, self.width, self.height))


class _Link(_Strict):
    id: Name = Field(alias="MediaKey")
    order: Long = Field(alias="Order")
    category: Text = Field(alias="MediaCategory")
    url: Annotated[str, Field(pattern=r"^https?://[^\x00]+$")] = Field(alias="MediaURL")
    caption: Text | None = Field(alias="LongDescription")

    def ref(self) -> PhotoRef:
        return PhotoRef(self.id, self.order, url=self.url, caption=self.caption, category=self.category)


# One mistake is enough: to note a million of them would cost gigabytes.
_Entries: TypeAlias = Annotated[list[_Entry], FailFast()]


class _Source(_Strict):
    stamp: Text | None = Field(alias="PhotosChangeTimestamp")
    repeats: _Entries = Field(alias="Repeats")


class _Manifest(_Strict):
    feed: str
    listing: Annotated[Text, Field(max_length=500)]  # an index holds 2,700 bytes
    generation: int = Field(ge=1, le=10**9)  # below every bound, and room for a change a second
    updated: Annotated[datetime, BeforeValidator(_in_utc)]
    source: _Source
    media: _Entries
    links: Annotated[list[_Link], FailFast()] = Field(default=[], alias="links")
