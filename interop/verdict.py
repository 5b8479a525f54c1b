"""What a client got, held against what there was to get: pure comparisons, told in words."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

SHOWN = 3
"""Photos that are named; of more, only the number is said."""


class GotPhoto(NamedTuple):
    """A photo under the ids that a client gave it."""

    listing: str
    object_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Told:
    """A driver's report; `failures` are pairs of a step and what was raised in it."""

    metadata: Mapping[str, Any]
    listings: Sequence[str]
    photos: Sequence[GotPhoto]
    failures: Sequence[tuple[str, str]]

    @classmethod
    def read(cls, line: str) -> Self:
        """From the line of JSON that a driver prints."""
        said = json.loads(line)
        photos = tuple(GotPhoto(*photo) for photo in said["photos"])
        failures = tuple((step, why) for step, why in said["failures"])
        return cls(said["metadata"], tuple(said["listings"]), photos, failures)

    @classmethod
    def nothing(cls, why: str) -> Self:
        """Of a driver that printed no report."""
        return cls({}, (), (), (("driver", why),))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a feed holds. `asked` maps a listing to what stood behind the colon of its ID."""

    metadata: Mapping[str, Any]
    listings: frozenset[str]
    photos: frozenset[GotPhoto]
    asked: Mapping[str, str]


def server_faults(reference: Told, expected: Expected) -> list[str]:
    """Where the reference's reading is not what the feed holds; then the server is wrong.

    A photo that was asked for by one number counts under this number (Q36); a 0 that repeats another
    photo of its listing is no photo of its own (Q34).
    """
    photos = [_as_asked(photo, expected.asked) for photo in reference.photos]
    sole = [photo for photo in photos if photo in expected.photos or not _repeats(photo, photos)]
    truth = Told(expected.metadata, sorted(expected.listings), sorted(expected.photos), ())
    read = Told(reference.metadata, reference.listings, sole, reference.failures)
    return differences(read, truth)


def _as_asked(photo: GotPhoto, asked: Mapping[str, str]) -> GotPhoto:
    ids = asked.get(photo.listing, "*")
    return photo if ids == "*" else photo._replace(object_id=ids)


def _repeats(photo: GotPhoto, photos: Iterable[GotPhoto]) -> bool:
    return photo.object_id == "0" and any(
        (other.listing, other.sha256) == (photo.listing, photo.sha256) and other.object_id != "0"
        for other in photos
    )


def differences(told: Told, reference: Told) -> list[str]:
    """Everything in which a client's result is not the reference's; none: it is exact."""
    lines = [f"{step}: {why}" for step, why in told.failures]
    if told.metadata != reference.metadata and told.metadata:
        names = [name for name, value in reference.metadata.items() if told.metadata.get(name) != value]
        lines.append(f"metadata: other {', '.join(names)}")
    if Counter(told.listings) != Counter(reference.listings):
        found = Counter(told.listings) & Counter(reference.listings)
        lines.append(f"listings: {found.total()} of {len(reference.listings)}")
    return lines + _photo_differences(told, reference)


def _photo_differences(told: Told, reference: Told) -> list[str]:
    got, there = Counter(told.photos), Counter(reference.photos)
    missing, odd = list((there - got).elements()), list((got - there).elements())
    groups: dict[str, list[GotPhoto]] = {"damaged": [], "under other ids": [], "lost": []}
    for photo in missing:
        twin = next((one for one in odd if one[:2] == photo[:2]), None)
        group = "damaged" if twin else "lost"
        if twin is None:
            twin = next((one for one in odd if one.sha256 == photo.sha256), None)
            group = "under other ids" if twin else "lost"
        if twin:
            odd.remove(twin)
        groups[group].append(photo)
    groups["never sent"] = odd
    return [f"{group}: {_names(photos)}" for group, photos in groups.items() if photos]


def _names(photos: Sequence[GotPhoto]) -> str:
    named = " ".join(f"{photo.listing}/{photo.object_id}" for photo in photos[:SHOWN])
    more = f" and {len(photos) - SHOWN} more" if len(photos) > SHOWN else ""
    return f"{named}{more}"
