"""What stops a deletion that the feed seems to ask for.

A snapshot of keys removes listings only when it is complete and the share that would go is one
that a working feed can lose between two looks (architecture invariant 3).
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Removals:
    """Listings to remove, or why none may be. `held` counts those that a guard kept."""

    keys: frozenset[str] = frozenset()
    held: int = 0
    why: str = ""


def plan_removals(
    known: AbstractSet[str], present: AbstractSet[str], *, share: float, allowed: bool = False
) -> Removals:
    """Which known listings a *complete* snapshot says are gone.

    `share` is the largest part of the known listings (0 to 1) that may go at once; `allowed` is
    the operator's word (`--allow-purge`) for this once.
    """
    gone = frozenset(known - present)
    if not gone or allowed or len(gone) <= share * len(known):
        return Removals(gone)
    why = f"{len(gone)} of {len(known)} listings are missing from the feed, more than {share:.0%}"
    return Removals(held=len(gone), why=why)
