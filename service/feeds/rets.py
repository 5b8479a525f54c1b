"""A RETS account as a PhotoSource: what changed, which keys there are, the photos of listings."""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import structlog

from parsers.errors import Malformed
from parsers.records import Denied, Redirect
from parsers.rets.compact import CompactListings
from parsers.rets.dmql import fill_query, object_ids
from parsers.rets.reply import Verdict, stops_feed
from parsers.rets.search import FieldNames, ListingParser
from parsers.rets.standard_xml import StandardXmlListings
from parsers.timestamps import Stamp, latest, read_stamp, render_stamp
from service.config import RetsFeed
from service.core.ports import IncomingPhoto, KeySnapshot, Page, Wanted
from service.errors import RetryLater, ServiceError
from service.feeds.answer import Answer
from service.feeds.asked import Asked
from service.feeds.photo_urls import PhotoUrls
from service.feeds.rets_client import RetsClient, read_head_reply
from service.feeds.rets_objects import read_objects
from service.feeds.rets_search import ListingSearch
from service.feeds.verdicts import refusal

log = structlog.get_logger()

NOT_ACCEPTABLE = 20406
"""Unsupported MIME type: some servers want images named in Accept, and say so here or by HTTP 406."""

ACCEPT_ANY = "*/*"
ACCEPT_IMAGES = "image/jpeg, image/*, multipart/*"


class RetsSource:
    """One feed, read by one thread. Once abandoned it can only be closed."""

    def __init__(self, feed: str, config: RetsFeed) -> None:
        self._feed, self._config = feed, config
        self._client = RetsClient(feed, config)
        self._urls = PhotoUrls(feed, config)
        self._zone = ZoneInfo(config.timezone)
        self._accept = ACCEPT_ANY

    def open(self) -> None:
        """Log in."""
        self._client.login()

    def close(self) -> None:
        """Log out; never raises."""
        self._client.logout()
        self._urls.close()

    def abandon(self) -> None:
        """Cut whatever transfer is running, from another thread; it then raises TransferCut."""
        self._client.abandon()
        self._urls.abandon()

    def changes(self, since: str | None) -> Iterator[Page]:
        """Listings changed since the mark; the last page carries the new mark, the greatest time seen.

        Raises RetryLater for a search that does not end well, after the listings that it gave.
        """
        query = fill_query(self._config.query, self._since(since))
        search = self._search(query, self._columns())
        newest = self._newest([] if since is None else [since])
        for listings in search.batches():
            newest = self._newest([said.modified for said in listings], newest)
            yield Page(listings)
        if search.quarantined:
            log.warning("search.rows_unread", feed=self._feed, rows=search.quarantined, first=search.reason)
        yield Page((), newest.raw if newest else None)

    def keys(self) -> KeySnapshot:
        """Every key; complete only when all pages ended well, every row was read and COUNT agrees."""
        search = self._search(self._keys_query(), [self._config.fields.listing])
        keys: set[str] = set()
        try:
            keys.update(said.key for said in search.listings())
        except RetryLater as trouble:
            if self._client.abandoned:
                raise
            return KeySnapshot(frozenset(keys), complete=False, why=str(trouble))
        why = ""
        if search.quarantined:
            why = f"{search.quarantined} rows could not be read: {search.reason}"
        elif search.count is not None and search.count != len(keys):  # Q57, Q58
            why = f"COUNT says {search.count} listings, {len(keys)} keys came"
        return KeySnapshot(frozenset(keys), complete=not why, why=why)

    def open_photos(self, wanted: Sequence[Wanted]) -> Iterator[IncomingPhoto]:
        """The photos, as they come; those that are only pointed to follow once the answer has ended.

        Raises StopFeed or RetryLater for the request as a whole, TransferCut when it was cut.
        """
        try:
            redirected: list[tuple[IncomingPhoto, Redirect]] = []
            for photo in self._ask(wanted):
                if isinstance(photo.outcome, Redirect):
                    redirected.append((photo, photo.outcome))
                else:
                    yield photo
            for photo, redirect in redirected:
                yield from self._urls.fetch(photo, redirect)
        except ServiceError as error:
            if len(wanted) == 1:
                error.listing = error.listing or wanted[0].listing
            raise

    def _ask(self, wanted: Sequence[Wanted]) -> Iterator[IncomingPhoto]:
        asked = Asked(self._feed, wanted, self._config.max_photo_bytes)
        try:
            ids = object_ids([(item.listing, item.ids) for item in wanted])
        except Malformed as error:
            yield from self._ask_each(wanted) if len(wanted) > 1 else asked.all_get(Denied(str(error)))
            return
        with self._get_object(ids) as answer:
            reply = read_head_reply(answer)
            if reply and stops_feed(reply):
                raise refusal(self._feed, f"GetObject ID={ids}", reply)
            refused = answer.status != 200 or (reply and reply.verdict is not Verdict.FINE)
            if not refused or len(wanted) == 1:
                yield from read_objects(self._feed, answer, asked)
                return
        yield from self._ask_each(wanted)

    def _ask_each(self, wanted: Sequence[Wanted]) -> Iterator[IncomingPhoto]:
        """Q48: a refusal of several listings says nothing about any one of them."""
        for item in wanted:
            yield from self._ask([item])

    def _get_object(self, ids: str) -> Answer:
        params = {
            "Resource": self._config.resource,
            "Type": self._config.object_type,
            "ID": ids,
            "Location": "0",
        }
        answer = self._client.get_object(params, accept=self._accept)
        if self._accept == ACCEPT_ANY and _wants_another_accept(answer):
            answer.close()
            self._accept = ACCEPT_IMAGES
            answer = self._client.get_object(params, accept=self._accept)
        return answer

    def _search(self, query: str, columns: Sequence[str]) -> ListingSearch:
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
        return ListingSearch(self._client, self._feed, params, config.limit, self._new_parser)

    def _new_parser(self) -> ListingParser:
        fields = FieldNames(**self._config.fields.model_dump())
        if self._config.search_format == "STANDARD-XML":
            return StandardXmlListings(fields)
        return CompactListings(fields)

    def _columns(self) -> list[str]:
        fields = self._config.fields
        return [fields.listing, fields.photos_changed, fields.photos_count, fields.modified]

    def _keys_query(self) -> str:
        if self._config.keys_query:
            return self._config.keys_query
        key = "ID" if self._config.search_format == "STANDARD-XML" else self._config.fields.listing
        return f"({key}=*)"

    def _since(self, mark: str | None) -> str:
        """What stands for {since}: the mark in the server's own form (Q104), in its zone (Q102)."""
        if mark is None:
            return self._config.since_start
        stamp = read_stamp(mark, self._zone)
        if stamp.ticks is None:
            return mark
        return render_stamp(stamp, self._config.since_format, self._zone)

    def _newest(self, times: Sequence[str | None], so_far: Stamp | None = None) -> Stamp | None:
        stamps = [read_stamp(raw, self._zone) for raw in times if raw]
        return latest([*stamps, so_far] if so_far else stamps)


def _wants_another_accept(answer: Answer) -> bool:
    reply = read_head_reply(answer)
    return answer.status == 406 or (reply is not None and reply.code == NOT_ACCEPTABLE)
