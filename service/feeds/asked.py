"""Whose photo an answer brings: what it calls itself, held against what was asked.

Nothing leaves here for a listing or a photo that was not asked for: a server that mixes up its
answers must not mix up the bucket.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from tempfile import SpooledTemporaryFile
from typing import IO

import structlog

from parsers.records import WHOLE_SET, Outcome, PhotoRef, Redirect, Unknown
from parsers.rets.objects import photo_order
from service.core.ports import IncomingPhoto, Wanted
from service.feeds.answer import CHUNK

log = structlog.get_logger()

HELD_MEMORY = 2**20
"""Bytes of a held photo kept in memory; a larger one goes to a temporary file."""


class Asked:
    """The photos of one request. `max_bytes` bounds a photo that has to be held."""

    def __init__(self, feed: str, wanted: Sequence[Wanted], max_bytes: int) -> None:
        self._feed, self._max_bytes = feed, max_bytes
        self._wanted = {item.listing.strip(): item for item in wanted}
        ids = wanted[0].ids if len(wanted) == 1 else None
        self._warned = False
        self._only = ids[0] if ids is not None and len(ids) == 1 else None

    @property
    def size(self) -> int:
        """How many listings were asked for."""
        return len(self._wanted)

    @property
    def is_several(self) -> bool:
        """Whether more than one listing was asked for."""
        return self.size > 1

    @property
    def is_one_photo(self) -> bool:
        """Whether exactly one photo was asked for."""
        return self._only is not None

    def all_get(self, outcome: Outcome) -> Iterator[IncomingPhoto]:
        """An outcome that speaks for everything that was asked."""
        for item in self._wanted.values():
            yield IncomingPhoto(item.listing, PhotoRef(self._only or WHOLE_SET, 0), outcome)

    def assign(self, came: Iterable[IncomingPhoto], *, alone: bool = False) -> Iterator[IncomingPhoto]:
        """What came, under the listings and ids that were asked.

        `listing` and `ref.id` of what came are the answer's own words, "" where it has none (Q32).
        `alone`: no other photo can follow.
        """
        ours = (photo for said in came if (photo := self._owned(said)))
        if self._only is None:
            yield from filter(self._is_asked_photo, map(self._named, ours))
        elif alone:
            yield from (self._renamed(photo) for photo in ours)
        else:
            yield from self._the_only(ours, self._only)

    def _the_only(self, came: Iterable[IncomingPhoto], only: str) -> Iterator[IncomingPhoto]:
        """One photo was asked. If one came, it is that, whatever it calls itself (Q36)."""
        with SpooledTemporaryFile(max_size=HELD_MEMORY) as spool:
            held: IncomingPhoto | None = None
            for number, photo in enumerate(came):
                held = None
                if photo.ref.id == only:
                    yield self._renamed(photo)
                elif number == 0:
                    # Whether another one follows is known only when this one has been read.
                    self._keep(photo.chunks, spool)
                    held = replace(photo, chunks=iter(lambda: spool.read(CHUNK), b""))
            if held:
                yield self._renamed(held)

    def _keep(self, chunks: Iterator[bytes | memoryview], spool: IO[bytes]) -> None:
        for chunk in chunks:
            spool.write(chunk)
            if spool.tell() > self._max_bytes:  # whoever reads it will find it too large, too
                break
        spool.seek(0)

    def _renamed(self, photo: IncomingPhoto) -> IncomingPhoto:
        id_ = self._only or photo.ref.id
        return replace(photo, ref=photo.ref._replace(id=id_, order=photo_order(id_, photo.ref.order)))

    def _named(self, photo: IncomingPhoto) -> IncomingPhoto:
        """Among several, a photo without an id could be any."""
        if photo.ref.id:
            return photo
        found = photo.outcome is None or isinstance(photo.outcome, Redirect)
        outcome = Unknown("a photo came without an Object-ID") if found else photo.outcome
        return IncomingPhoto(photo.listing, PhotoRef(WHOLE_SET, 0), outcome)

    def _owned(self, photo: IncomingPhoto) -> IncomingPhoto | None:
        """Q38: Content-ID says whose it is; without one, only a single listing can be meant."""
        said = photo.listing.strip()
        if not said and len(self._wanted) == 1:
            said = next(iter(self._wanted))
        if said in self._wanted:
            return replace(photo, listing=self._wanted[said].listing)
        self._warn(said, photo.ref.id)
        return None

    def _is_asked_photo(self, photo: IncomingPhoto) -> bool:
        ids = self._wanted[photo.listing.strip()].ids
        if ids is None or photo.ref.id in (*ids, WHOLE_SET):
            return True
        self._warn(photo.listing, photo.ref.id)
        return False

    def _warn(self, content_id: str, object_id: str) -> None:
        """Once an answer: a server that mixes up one photo mixes up hundreds."""
        if not self._warned:
            asked = [f"{item.listing}:{':'.join(item.ids or WHOLE_SET)}" for item in self._wanted.values()]
            log.warning(
                "photo.unasked", feed=self._feed, asked=asked, content_id=content_id, object_id=object_id
            )
        self._warned = True
