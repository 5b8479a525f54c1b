"""What is asked of Search: which listings changed, and which there are, in this server's terms."""

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from parsers.records import ListingState
from parsers.rets.compact import CompactListings
from parsers.rets.dmql import fill_query, query_of_keys
from parsers.rets.search import FieldNames, ListingParser
from parsers.rets.standard_xml import StandardXmlListings
from service.feeds.keyed_search import KeyedSearch, in_lists
from service.feeds.rets_client import RetsClient
from service.feeds.rets_search import ListingSearch
from service.rets_config import RetsFeed

Search: TypeAlias = ListingSearch | KeyedSearch

PAGE_ROWS = 100
"""Rows asked for at once where nothing else is said; CREA allows no more."""

_FIELD = re.compile(r"\(\s*(\w+)\s*=")


class Queries:
    """The searches of one feed. Each is made anew and read once."""

    def __init__(self, client: RetsClient, feed: str, config: RetsFeed) -> None:
        self._client, self._feed, self._config = client, feed, config
        names = config.fields
        self._fields = FieldNames(names.listing, names.photos_changed, names.photos_count, names.modified)
        self._columns = [names.listing, names.photos_changed, names.photos_count, names.modified]

    def changes(self, since: str) -> Search:
        """Listings that changed since then, with all that they say of their photos."""
        query = fill_query(self._config.query, since)
        if self._config.paging == "keys":
            keys = self._search(query, self._columns[:1], limit=None, paged=False)
            return KeyedSearch(keys, self._records, self._config.limit or PAGE_ROWS)
        return self._whole(query, self._columns)

    def keys(self) -> ListingSearch:
        """Every listing, of which only the key matters."""
        return self._whole(self._keys_query(), self._columns[:1])

    def records(self, keys: Sequence[str]) -> Iterator[ListingState]:
        """The records of these listings, as many at once as fit into a URL."""
        for some in in_lists(keys, self._config.limit or PAGE_ROWS):
            yield from self._records(some).listings()

    def _whole(self, query: str, columns: Sequence[str]) -> ListingSearch:
        """A result in pages where the server has Offset, else in one answer."""
        match self._config.paging:
            case "offset":
                return self._search(query, columns, limit=self._config.limit or PAGE_ROWS)
            case "none":
                return self._search(query, columns, limit=self._config.limit, paged=False)
            case "keys":
                return self._search(query, columns, limit=None, paged=False)

    def _records(self, keys: Sequence[str]) -> ListingSearch:
        field = _FIELD.match(self._keys_query())
        query = query_of_keys(field[1] if field else self._config.fields.listing, keys)
        return self._search(query, self._columns, limit=len(keys), paged=False)

    def _keys_query(self) -> str:
        if self._config.keys_query:
            return self._config.keys_query
        key = "ID" if self._config.search_format == "STANDARD-XML" else self._config.fields.listing
        return f"({key}=*)"

    def _search(
        self, query: str, columns: Sequence[str], *, limit: int | None, paged: bool = True
    ) -> ListingSearch:
        config = self._config
        params = {
            "SearchType": config.resource,
            "Class": config.class_,
            "QueryType": "DMQL2",
            "Query": query,
            "Format": config.search_format,
            "Count": "1",
            "StandardNames": "0",  # Q81: with standard names some servers refuse Offset
        }
        if config.search_format != "STANDARD-XML":
            params["Select"] = ",".join(dict.fromkeys(column for column in columns if column))
        return ListingSearch(self._client, self._feed, params, self._new_parser, limit=limit, paged=paged)

    def _new_parser(self) -> ListingParser:
        if self._config.search_format == "STANDARD-XML":
            return StandardXmlListings(self._fields)
        return CompactListings(self._fields)
