"""A Web API server's content: Property and Media of an MLS in memory, asked and answered in one dialect."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from service.simulator.answers import RawAnswer
from service.simulator.web_api import media_host
from service.simulator.web_api.chains import Chains, Item, Rest
from service.simulator.web_api.dialects import RESO, Dialect, Entity
from service.simulator.web_api.filters import BadQueryError, sort_key
from service.simulator.web_api.listings import Listing, Listings
from service.simulator.web_api.queries import Query, read_query
from service.simulator.web_api.rows import MediaUrls, Row, media_row, ordered, property_row

ENTITIES: Mapping[str, Entity] = {"property": "Property", "media": "Media"}


class WebApi:
    """The listings, and the answers about them.

    `base` stands before the URLs that answers hold: `/<feed>/`, or with scheme and host before it.
    """

    def __init__(self, base: str, dialect: Dialect = RESO, listings: Iterable[Listing] = ()) -> None:
        self.listings = Listings(listings)
        self._base, self._dialect = base, dialect
        self._urls = MediaUrls(dialect, base)
        self._chains = Chains(dialect)

    def expire_links(self) -> None:
        """No next link that was given so far is good any more (C8)."""
        self._chains.expire()

    def expire_signatures(self) -> None:
        """No signed URL that was given so far is good any more."""
        self._urls.expire()

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        """Answer Get and Media; there is nothing else to it."""
        if transaction == "Media":
            return media_host.answer(self.listings, self._urls, params)
        if transaction != "Get":
            return failure(405, "Method Not Allowed", "only GET is taken here")
        try:
            return self._get(params)
        except BadQueryError as error:
            return failure(400, "Bad Request", str(error))

    def _get(self, params: Mapping[str, str]) -> RawAnswer:
        target = params["target"]
        rest = self._chains.rest(target)
        if rest is not None:
            return self._page(rest)
        if self._chains.is_expired(target):
            return failure(410, "Gone", "this link has expired")
        entity = ENTITIES.get(params["path"].lower())
        if entity is None or "$skiptoken" in params:
            return failure(404, "Not Found", "nothing is here")
        options = {name: value for name, value in params.items() if name not in {"path", "target"}}
        query = read_query(entity, options, self._dialect)
        return self._page(Rest(unquote(target.partition("?")[0]), query, self._find(query), 0))

    def _find(self, query: Query) -> Sequence[Item]:
        items = self._items(query)
        passed = [(row, item) for item in items if query.filter.matches(row := _row(item))]
        for name, descends in reversed(query.order):
            passed.sort(key=lambda pair: sort_key(pair[0][name]), reverse=descends)
        return [item for _, item in passed]

    def _items(self, query: Query) -> list[Item]:
        """Every item of the entity, in the order that a server has where none is asked for (R2, P2)."""
        listings = self.listings.all(query.filter.keys)
        if query.entity == "Property":
            return [Item(listing) for listing in listings]
        media = [
            Item(listing, medium, order)
            for listing in listings
            for medium, order in ordered(listing, self._dialect)
        ]
        return sorted(media, key=lambda item: (item.listing.key, item.medium.category if item.medium else ""))

    def _page(self, rest: Rest) -> RawAnswer:
        query, end = rest.query, rest.start + rest.query.size
        rows = [self._shown(query, item) for item in rest.found[rest.start : end]]
        goes_on = end < len(rest.found) or (self._dialect.counts_page and len(rows) == query.size > 0)
        link = self._chains.link(Rest(rest.path, query, rest.found, end)) if goes_on else None
        return document(self._envelope(query, rows, len(rest.found), link))

    def _envelope(self, query: Query, rows: list[Row], total: int, link: str | None) -> Row:
        sign = self._dialect.sign
        page: Row = {f"{sign}context": f"{self._base}{self._dialect.root}$metadata#{query.entity}"}
        if self._dialect.counts_page:
            page |= {f"{sign}count": len(rows), f"{sign}totalCount": total}
        elif query.options.get("$count", "").lower() == "true":
            page[f"{sign}count"] = total
        page["value"] = rows
        if self._dialect.counts_page:
            page["group"] = []
        return page | ({f"{sign}nextLink": f"{self._base}{link}"} if link else {})

    def _shown(self, query: Query, item: Item) -> Row:
        if item.medium is not None:
            return query.shown(_row(item, self._urls.url(item.listing, item.medium)))
        row = query.shown(_row(item))
        return row if query.expansion is None else row | {"Media": self._expanded(query, item.listing)}

    def _expanded(self, query: Query, listing: Listing) -> list[Row]:
        asked = query.expansion.top if query.expansion else None
        media = ordered(listing, self._dialect)[: self._dialect.expand_cut if asked is None else asked]
        return [
            query.shown_expanded(media_row(listing, medium, order, self._urls.url(listing, medium)))
            for medium, order in media
        ]


def _row(item: Item, url: str = "") -> Row:
    if item.medium is None:
        return property_row(item.listing)
    return media_row(item.listing, item.medium, item.order, url)


def document(page: Any) -> RawAnswer:
    """A JSON document at HTTP 200."""
    return _json(200, "OK", page)


def failure(status: int, reason: str, message: str) -> RawAnswer:
    """An error as OData says it (OData JSON 4.01, section 21.1)."""
    return _json(status, reason, {"error": {"code": str(status), "message": message}})


def _json(status: int, reason: str, page: Any) -> RawAnswer:
    body = json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()
    return RawAnswer(status, reason, (("Content-Type", "application/json; charset=utf-8"),), body)
