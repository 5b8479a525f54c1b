"""Which photos are asked for in which request: several listings at once, and type by type.

A photo is absent only when the last of the types says so. A refusal of several listings says
nothing of any one of them (Q48), nor does silence: they are then asked for one by one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import structlog

from parsers.errors import Malformed
from parsers.records import WHOLE_SET, Absent, Denied
from parsers.rets.dmql import object_ids
from service.core.ports import Facts, IncomingPhoto, Wanted
from service.feeds.asked import Asked
from service.feeds.get_object import ObjectRequests, SeveralRefused, UnknownType
from service.feeds.rets_client import RetsClient
from service.rets_config import RetsFeed

log = structlog.get_logger()


class PhotoRequests:
    """The photos of one feed. `takes_several` is False once the server has refused a batch."""

    def __init__(self, feed: str, config: RetsFeed, client: RetsClient, facts: Facts) -> None:
        self.takes_several = True
        self._feed, self._config, self._client = feed, config, client
        self._types = list(config.object_types)
        self._objects = ObjectRequests(feed, config, client, facts)

    def begin_session(self) -> None:
        """What another session may take differently is found out anew."""
        self.takes_several = True
        self._objects.begin_session()

    def photos(self, wanted: Sequence[Wanted]) -> Iterator[IncomingPhoto]:
        """The photos as they come. Raises StopFeed when the server knows none of the types (Q47, Q52)."""
        rest = Rest(wanted)
        while rest.left:
            try:
                yield from self._by_types(rest)
            except UnknownType as unknown:
                self._forget(unknown)

    def _by_types(self, rest: "Rest") -> Iterator[IncomingPhoto]:
        for type_ in tuple(self._types):
            is_last = type_ == self._types[-1]
            for photo in self._ask(rest.begin_round(), type_):
                if rest.takes(photo, is_last=is_last):
                    yield photo
            rest.end_round(is_last=is_last)

    def _forget(self, unknown: UnknownType) -> None:
        """One type less, for as long as this source lives."""
        if self._types == [unknown.type_]:
            raise unknown.error
        self._types.remove(unknown.type_)
        said = self._client.hide(str(unknown.error))
        log.warning("photo.type_unknown", feed=self._feed, type=unknown.type_, error=said)

    def _ask(self, wanted: Sequence[Wanted], type_: str) -> Iterator[IncomingPhoto]:
        sayable: list[Wanted] = []
        for item in wanted:
            try:
                object_ids([(item.listing, item.ids)])
            except Malformed as error:
                yield from self._asked([item]).all_get(Denied(str(error)))
            else:
                sayable.append(item)
        together = self.takes_several and len(sayable) > 1
        yield from (self._ask_together if together else self._ask_each)(sayable, type_)

    def _ask_together(self, wanted: Sequence[Wanted], type_: str) -> Iterator[IncomingPhoto]:
        named: set[str] = set()
        try:
            for photo in self._request(wanted, type_):
                named.add(photo.listing)
                yield photo
        except SeveralRefused:
            self.takes_several = False
            log.warning(
                "photo.several_refused",
                feed=self._feed,
                listings=len(wanted),
                hint=f"set feeds.{self._feed}.batch_listings to 1",
            )
        yield from self._ask_each([item for item in wanted if item.listing not in named], type_)

    def _ask_each(self, wanted: Sequence[Wanted], type_: str) -> Iterator[IncomingPhoto]:
        for item in wanted:
            yield from self._request([item], type_)

    def _request(self, wanted: Sequence[Wanted], type_: str) -> Iterator[IncomingPhoto]:
        ids = object_ids([(item.listing, item.ids) for item in wanted])
        return self._objects.ask(ids, type_, self._asked(wanted))

    def _asked(self, wanted: Sequence[Wanted]) -> Asked:
        return Asked(self._feed, wanted, self._config.max_photo_bytes)


class Rest:
    """What is still to be asked for, type by type."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self.left = list(wanted)
        self._had: dict[str, set[str]] = {item.listing: set() for item in wanted}
        self._lacking: dict[str, list[str]] = {}

    def begin_round(self) -> list[Wanted]:
        """What the next type is to be asked for; also after a round that did not end."""
        self._lacking.clear()
        return self.left

    def takes(self, photo: IncomingPhoto, *, is_last: bool) -> bool:
        """Whether this answer counts: not what a better type has brought, nor what a next one may bring."""
        listing, id_ = photo.listing, photo.ref.id
        if id_ in self._had[listing]:
            return False
        if isinstance(photo.outcome, Absent | Denied) and not is_last:
            self._lacking.setdefault(listing, []).append(id_)
            return False
        self._had[listing].add(id_)
        return True

    def end_round(self, *, is_last: bool) -> None:
        """One type has answered for all that was left."""
        rest = [] if is_last else [self._rest(item) for item in self.left]
        self.left = [item for item in rest if item is not None]

    def _rest(self, item: Wanted) -> Wanted | None:
        had, lacking = self._had[item.listing], self._lacking.get(item.listing, [])
        if WHOLE_SET in had:
            return None
        if item.ids is not None:
            ids = tuple(id_ for id_ in item.ids if id_ not in had)
        elif WHOLE_SET in lacking or len(had) + len(lacking) < (item.count or 0):
            return item  # some photos have no such type, and nobody knows which
        else:
            ids = tuple(lacking)
        return replace(item, ids=ids) if ids else None
