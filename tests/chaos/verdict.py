"""What a run left behind, and whether it is what it has to be.

Two states of the same world are equal when their manifests are (but for generation and time), their
object keys, and what their catalogs hold. A state is also held against the world itself.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from service.core.photos import segment
from service.core.ports import Catalog, ObjectStore
from service.simulator.mls import Listing, Mls, Photo

DIFFERENCES = 20
"""Differences that are shown; a run that went wrong has hundreds."""


@dataclass(frozen=True)
class State:
    """What one feed has in the bucket and in the catalog; keys are below the feed's prefix."""

    manifests: Mapping[str, Any]
    objects: frozenset[str]
    sets: Mapping[str, Any]
    owed: int

    def named(self) -> frozenset[str]:
        """The objects that manifests name."""
        return frozenset(entry["Key"] for document in self.manifests.values() for entry in document["media"])

    def orphans(self) -> frozenset[str]:
        """Photo objects that no manifest names."""
        return frozenset(key for key in self.objects if not key.endswith(MANIFEST)) - self.named()


MANIFEST = "/manifest.json"


def state_of(store: ObjectStore, catalog: Catalog, feed: str) -> State:
    """The feed's state, read at first hand."""
    prefix = segment(feed) + "/"
    keys = frozenset(info.key.removeprefix(prefix) for info in store.list(prefix))
    manifests = {
        key: _plain(prefix, json.loads(store.get(prefix + key))) for key in keys if key.endswith(MANIFEST)
    }
    stored = catalog.stored_sets(feed, catalog.known_keys(feed))
    sets = {key: (found.stamp, found.photos, found.gone) for key, found in stored.items()}
    return State(manifests, keys, sets, catalog.status(feed).owed)


def _plain(prefix: str, document: dict[str, Any]) -> dict[str, Any]:
    """A manifest without what differs between two runs of the same world."""
    rest = {name: value for name, value in document.items() if name not in {"feed", "generation", "updated"}}
    rest["media"] = [{**entry, "Key": entry["Key"].removeprefix(prefix)} for entry in document["media"]]
    source = rest.get("source", {})
    if "Repeats" in source:
        repeats = [{**entry, "Key": entry["Key"].removeprefix(prefix)} for entry in source["Repeats"]]
        rest["source"] = {**source, "Repeats": repeats}
    return rest


def differences(rough: State, calm: State) -> list[str]:
    """In words; empty when the two are equal."""
    found = [
        *_unequal("manifest", rough.manifests, calm.manifests),
        *_unequal("catalog set", rough.sets, calm.sets),
        *(f"object {key}: only with faults" for key in sorted(rough.objects - calm.objects)),
        *(f"object {key}: only without faults" for key in sorted(calm.objects - rough.objects)),
    ]
    if rough.owed:
        found.append(f"{rough.owed} listings are still owed")
    return _first(found)


def _unequal(what: str, rough: Mapping[str, Any], calm: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*rough, *calm}):
        if rough.get(key) != calm.get(key):
            yield f"{what} {key}: {rough.get(key)} with faults, {calm.get(key)} without"


def against_world(state: State, mls: Mls, keys: list[str]) -> list[str]:
    """Where the manifests do not show what the MLS has, picture by picture; empty when they do."""
    listings = {segment(key) + MANIFEST: mls.listing(key) for key in keys}
    found = [f"{key}: the listing is gone" for key in sorted(state.manifests.keys() - listings.keys())]
    for key, listing in sorted(listings.items()):
        want = _wanted(listing) if listing else None
        have = _shown(state.manifests[key]) if key in state.manifests else None
        if want != have:
            found.append(f"{key}: shows {have}, the MLS has {want}")
    missing = state.named() - state.objects
    return _first([*found, *(f"{key}: named and not there" for key in sorted(missing))])


def _wanted(listing: Listing) -> list[tuple[str, str, str | None]]:
    """Id, picture and caption by number; 0 is not shown beside the same picture under a number (Q34)."""
    numbered = {photo.picture for photo in listing.photos if photo.id != "0"}
    photos = [photo for photo in listing.photos if photo.id != "0" or photo.picture not in numbered]
    return [(photo.id, _sha(photo), photo.caption) for photo in sorted(photos, key=lambda one: int(one.id))]


def _shown(document: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(entry["MediaKey"], entry["Sha256"], entry["LongDescription"]) for entry in document["media"]]


def _sha(photo: Photo) -> str:
    assert isinstance(photo.picture, bytes)
    return sha256(photo.picture).hexdigest()


def _first(found: list[str]) -> list[str]:
    more = [f"and {len(found) - DIFFERENCES} more"] if len(found) > DIFFERENCES else []
    return found[:DIFFERENCES] + more
