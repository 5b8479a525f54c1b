"""Whether a cycle has taken something from readers that the feed has had all the while.

A fault may keep things from coming. It must never make anything go: a listing or a photo number that
the world had before and has now, and that readers saw before, they must see now.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from service.core.photos import segment
from tests.chaos.verdict import MANIFEST, State
from tests.chaos.world import ChangingWorld

Numbers = Mapping[str, frozenset[str]]
"""Photo numbers by listing."""


@dataclass(frozen=True)
class Moment:
    """What the world had, and what readers saw, at one moment."""

    had: Numbers
    seen: Numbers


def moment(world: ChangingWorld, state: State) -> Moment:
    """This one."""
    had, seen = {}, {}
    for key in world.keys:
        listing = world.mls.listing(key)
        document = state.manifests.get(segment(key) + MANIFEST)
        if listing:
            # 0 may be hidden behind the number that shows the same picture (Q34).
            had[key] = frozenset(photo.id for photo in listing.photos) - {"0"}
        if document:
            seen[key] = frozenset(entry["MediaKey"] for entry in document["media"])
    return Moment(had, seen)


def lost(before: Moment, now: Moment, *, excused: Collection[str]) -> list[str]:
    """In words. `excused` are listings that were gone in between, or about which the feed has lied."""
    found: list[str] = []
    for key in sorted((before.seen.keys() & now.had.keys()) - set(excused)):
        if key not in now.seen:
            found.append(f"listing {key}: readers lost it, and the feed still has it")
            continue
        kept = before.seen[key] & before.had.get(key, frozenset()) & now.had[key]
        if missing := kept - now.seen[key]:
            found.append(f"listing {key}: readers lost photos {sorted(missing)}, and the feed still has them")
    return found
