"""The manifest: the one document by which readers see a listing's set.

It is a pure function of the stored set, so writing it again after a crash writes the same bytes.
Its schema is docs/manifest.schema.json; its field names are the RESO Data Dictionary's.
"""

import json
from typing import Any

from service.core.photos import StoredPhoto, StoredSet, default_ref, listing_prefix, manifest_key


def render_manifest(feed: str, stored: StoredSet, public_url: str | None = None) -> bytes:
    """The manifest's bytes (UTF-8 JSON). `public_url` makes MediaURLs absolute."""
    photos = shown(stored.photos)
    default = default_ref(tuple(photo.ref for photo in stored.photos))
    default_name = next((p.name for p in stored.photos if p.ref == default), None)
    # MediaURL is relative to the manifest unless the bucket has a public address.
    base = f"{public_url.rstrip('/')}/{listing_prefix(feed, stored.key)}" if public_url else ""
    document = {
        "feed": feed,
        "listing": stored.key,
        "generation": stored.generation,
        "updated": stored.updated.isoformat() if stored.updated else None,
        "source": {"PhotosChangeTimestamp": stored.stamp},
        "default": next((p.ref.id for p in photos if p.name == default_name), None),
        "media": [
            _entry(feed, stored.key, photo, base, preferred=photo.name == default_name) for photo in photos
        ],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def shown(photos: tuple[StoredPhoto, ...]) -> tuple[StoredPhoto, ...]:
    """The photos in order, each picture once.

    Servers repeat the default photo under SequenceID 0 and under its own number (Q34): the picture
    is then shown where its number puts it, and marked as the default.
    """
    numbered = {photo.name for photo in photos if photo.ref.id != "0"}
    once = [photo for photo in photos if photo.ref.id != "0" or photo.name not in numbered]
    return tuple(sorted(once, key=lambda photo: photo.ref.order))


def _entry(feed: str, listing: str, photo: StoredPhoto, base: str, *, preferred: bool) -> dict[str, Any]:
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
        "LongDescription": ref.caption or None,
        "ShortDescription": ref.caption[:50] if ref.caption else None,
        "MediaModificationTimestamp": ref.stamp,
        "MediaURL": base + photo.name,
        "Key": manifest_key(feed, listing).removesuffix("manifest.json") + photo.name,
        "Sha256": image.sha256,
        "Bytes": image.length,
    }
