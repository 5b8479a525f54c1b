"""How the core's values become rows and JSON text, and back. No query is made here."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from parsers.records import Image, ListingState, PhotoRef
from service.core.photos import StoredPhoto
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
    return json.dumps(document, separators=(",", ":"))


def read_state(text: str) -> ListingState:
    """The inverse of `state_text`."""
    document = json.loads(text)
    refs = document.pop("photos", None)
    photos = None if refs is None else tuple(PhotoRef(**ref) for ref in refs)
    return ListingState(**document, photos=photos)


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
