"""How the core's values become rows and JSON text, and back. No query is made here."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from parsers.records import Image, ListingState, PhotoRef
from service.core.photos import StoredPhoto, StoredSet
from service.core.plan import Commit


def photo_row(listing_id: int, position: int, photo: StoredPhoto) -> dict[str, Any]:
    """The row of one photo of a set."""
    ref, image = photo.ref, photo.image
    return {
        "listing_id": listing_id,
        "position": position,
        "photo_id": ref.id,
        "ord": ref.order,
        "stamp": ref.stamp,
        "url": ref.url,
        "preferred": ref.preferred,
        "caption": ref.caption,
        "category": ref.category,
        "sha256": image.sha256,
        "length": image.length,
        "media_type": image.media_type,
        "width": image.width,
        "height": image.height,
    }


def photos_by_listing(rows: Iterable[Sequence[Any]]) -> dict[int, list[StoredPhoto]]:
    """Photos under their listing's row id, in the rows' order.

    A row is its listing_id, the seven columns of a PhotoRef and the five of an Image, each in
    declared order: read by place, since this runs once per stored photo.
    """
    sets: dict[int, list[StoredPhoto]] = {}
    for row_id, id_, order, stamp, url, preferred, caption, category, sha, size, kind, w, h in rows:
        ref = PhotoRef(id_, order, stamp, url, preferred, caption, category)
        sets.setdefault(row_id, []).append(StoredPhoto(ref, Image(sha, size, kind, w, h)))
    return sets


def changed_rows(
    listing_id: int, before: Sequence[StoredPhoto], after: Sequence[StoredPhoto]
) -> list[dict[str, Any]]:
    """The rows of `after` that do not already stand at their position."""
    return [
        photo_row(listing_id, position, photo)
        for position, photo in enumerate(after)
        if position >= len(before) or before[position] != photo
    ]


def _spell(value: PhotoRef | ListingState) -> dict[str, Any]:
    """Fields that differ from their default, in declared order: short, and one spelling per value."""
    defaults = value._field_defaults
    return {
        name: said
        for name, said in zip(value._fields, value, strict=True)
        if name not in defaults or said != defaults[name]
    }


def state_text(said: ListingState) -> str:
    """The state as JSON text (ASCII); equal states give equal text."""
    document = _spell(said)
    if said.photos is not None:
        document["photos"] = [_spell(ref) for ref in said.photos]
    if said.links:
        document["links"] = [_spell(ref) for ref in said.links]
    return json.dumps(document, separators=(",", ":"))


def read_state(text: str) -> ListingState:
    """The inverse of `state_text`."""
    document = json.loads(text)
    refs, links = document.pop("photos", None), document.pop("links", ())
    photos = None if refs is None else tuple(PhotoRef(**ref) for ref in refs)
    return ListingState(**document, photos=photos, links=tuple(PhotoRef(**ref) for ref in links))


def links_text(links: Sequence[PhotoRef]) -> str:
    """Links as JSON text."""
    return json.dumps(list(links), separators=(",", ":"))


def read_links(text: str | None) -> tuple[PhotoRef, ...]:
    """The inverse of `links_text`; no row, no links."""
    return tuple(PhotoRef(*row) for row in json.loads(text)) if text else ()


def set_text(stored: StoredSet) -> str:
    """A set as JSON text: what `read_set` needs to make it again."""
    photos = [[*photo.ref, *photo.image] for photo in stored.photos]
    document = {"stamp": stored.stamp, "photos": photos, "links": list(stored.links)}
    return json.dumps(document, separators=(",", ":"))


def read_set(key: str, generation: int, text: str) -> StoredSet:
    """The set of `set_text`, as that generation."""
    document = json.loads(text)
    sizes = len(PhotoRef._fields)
    photos = (StoredPhoto(PhotoRef(*row[:sizes]), Image(*row[sizes:])) for row in document["photos"])
    links = tuple(PhotoRef(*row) for row in document.get("links", ()))  # older texts have none
    return StoredSet(key, generation, document["stamp"], tuple(photos), links)


def event_kind(commit: Commit) -> str:
    """`listing.added`, `listing.changed` or `listing.removed`."""
    if commit.after.gone:
        return "listing.removed"
    return "listing.added" if commit.before.generation == 0 or commit.before.gone else "listing.changed"


def event_detail(commit: Commit) -> str:
    """One commit in counts of photo ids, as JSON text.

    `replaced`: the same id with other bytes; `moved`: the same id and bytes in another order.
    """
    before = {photo.ref.id: photo for photo in commit.before.photos}
    after = {photo.ref.id: photo for photo in commit.after.photos}
    both = [(before[id_], after[id_]) for id_ in before.keys() & after.keys()]
    return json.dumps(
        {
            "generation": commit.after.generation,
            "added": len(after.keys() - before.keys()),
            "removed": len(before.keys() - after.keys()),
            "replaced": sum(old.image.sha256 != new.image.sha256 for old, new in both),
            "moved": sum(
                old.image.sha256 == new.image.sha256 and old.ref.order != new.ref.order for old, new in both
            ),
        }
    )
