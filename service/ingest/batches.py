"""Which listings share one request for photos."""

from collections.abc import Iterable, Iterator

from service.core.ports import Wanted
from service.ingest.listings import ListingWork


def in_requests(works: Iterable[ListingWork], listings: int, photos: int) -> Iterator[list[ListingWork]]:
    """Works by request: at most so many listings that ask, and so many photos, as far as they are counted.

    A listing that has failed before goes alone: what broke a request must not take others with it
    again.
    """
    batch: list[ListingWork] = []
    asking = asked = 0
    for work in works:
        count = _size(work.wanted)
        alone = work.owed.attempts > 0
        if batch and (alone or asking + bool(count) > listings or asked + count > photos):
            yield batch
            batch, asking, asked = [], 0, 0
        batch.append(work)
        asking, asked = asking + bool(count), asked + count
        if alone or asking >= listings:
            yield batch
            batch, asking, asked = [], 0, 0
    if batch:
        yield batch


def _size(wanted: Wanted | None) -> int:
    """How many photos an answer will bring; 1 for a set that nobody has counted."""
    if wanted is None:
        return 0
    return max(1, wanted.count or 1) if wanted.ids is None else len(wanted.ids)
