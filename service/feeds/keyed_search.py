"""A search by keys, for servers without Offset (Q63) and results that move between pages (Q65).

The keys of a result fit into one answer even where its records do not; the records are then asked
for by name. So no row can slip from one page to another.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import quote_plus

from parsers.records import ListingState
from service.feeds.rets_search import ListingSearch

QUERY_CHARS = 1500
"""Characters of a list of keys in a URL: IIS takes 2048 for a whole query, unless it is told otherwise."""


class KeyedSearch:
    """`keys` finds what there is, `records` asks for some of it by key; figures are as in ListingSearch."""

    def __init__(
        self, keys: ListingSearch, records: Callable[[Sequence[str]], ListingSearch], limit: int
    ) -> None:
        self.quarantined = 0
        self.reason = ""
        self._keys, self._records, self._limit = keys, records, limit
        self._is_whole = True

    @property
    def date(self) -> str | None:
        """The Date of the first answer."""
        return self._keys.date

    def listings(self) -> Iterator[ListingState]:
        """The listings, as they come off the wire. Raises RetryLater or StopFeed."""
        keys: dict[str, None] = {}  # ordered, and each key once
        for said in self._keys.listings():
            if said.photos is None:
                keys[said.key] = None
            else:  # STANDARD-XML knows no Select, and some servers send whole records at once
                yield said
        self._note(self._keys)
        for some in in_lists(keys, self._limit):
            search = self._records(some)
            yield from search.listings()
            self._note(search)

    def is_whole(self, _early: int) -> bool:
        """Whether every answer held as much as it counted."""
        return self._is_whole

    def _note(self, search: ListingSearch) -> None:
        self.quarantined += search.quarantined
        self.reason = self.reason or search.reason
        self._is_whole = self._is_whole and search.is_whole(0)


def in_lists(keys: Iterable[str], limit: int) -> Iterator[list[str]]:
    """Lists of at most `limit` keys that fit into a URL."""
    some: list[str] = []
    length = 0
    for key in keys:
        added = len(quote_plus(f'"{key}",'))
        if some and (len(some) == limit or length + added > QUERY_CHARS):
            yield some
            some, length = [], 0
        some.append(key)
        length += added
    if some:
        yield some
