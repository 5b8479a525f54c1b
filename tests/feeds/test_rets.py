import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from parsers.records import PhotoRef
from service.core.ports import KeySnapshot, PhotoSource, Wanted
from service.errors import ServiceError, StopFeed, TransferCut
from service.feeds.rets import RetsSource
from tests.feeds.answers import ALL_THREE, PARALLEL, ROWS, THREE, ask, bundle, jpeg, part, reply, table
from tests.feeds.conftest import PASSWORD, Configure, Open
from tests.feeds.scripted import (
    Reply,
    ScriptedServer,
    cut,
    head,
    ok,
    one_after_the_other,
)


def rows(*lines: str, count: int | None = None, end: str = "</RETS>") -> Reply:
    counted = f'<COUNT Records="{len(lines) if count is None else count}"/><DELIMITER value="09"/>'
    columns = "<COLUMNS>\tKey\tPhotos\tCount\tModified\t</COLUMNS>"
    body = "".join(f"<DATA>\t{line}\t</DATA>" for line in lines)
    return ok(f'<RETS ReplyCode="0" ReplyText="ok">{counted}{columns}{body}{end}')


def test_it_is_a_photo_source(configure: Configure) -> None:
    source: PhotoSource = RetsSource("mls", configure())
    source.close()  # never opened: nothing to log out


# Changes.


def test_q81_a_compact_search_asks_for_what_it_needs_by_system_names(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/search"] = lambda _request: rows("1\t2024-01-01\t3\t2024-01-02")
    (page, last) = open_source(limit=7).changes(None)
    (listing,) = page.listings
    assert (listing.key, listing.stamp, listing.expected_count) == ("1", "2024-01-01", 3)
    assert (listing.modified, listing.photos) == ("2024-01-02", None)
    assert (page.cursor, last.listings) == (None, ())
    assert server.asked("/search")[0].params == {
        "SearchType": "Property",
        "Class": "ResidentialProperty",
        "QueryType": "DMQL2",
        "Query": "(ModificationTimestamp=1970-01-01T00:00:00Z)",
        "Format": "COMPACT",
        "Count": "1",
        "StandardNames": "0",
        "Select": "Key,Photos,Count,Modified",
        "Limit": "7",
        "Offset": "1",
    }


def test_a_standard_xml_search_brings_each_photo(server: ScriptedServer, open_source: Open) -> None:
    server.handlers["/search"] = lambda _request: ok(
        """<RETS ReplyCode="0" ReplyText="ok"><COUNT Records="1"/>
        <RETS-RESPONSE xmlns="urn:CREA.Search.Property">
        <PropertyDetails ID="20270724" LastUpdated="Thu, 21 Feb 2019 23:40:21 GMT"><Photo><PropertyPhoto>
        <SequenceId>1</SequenceId><PhotoLastUpdated>Tue, 22 Jan 2019 22:17:29 GMT</PhotoLastUpdated>
        </PropertyPhoto></Photo></PropertyDetails></RETS-RESPONSE></RETS>"""
    )
    page, last = open_source(search_format="STANDARD-XML").changes(None)
    (listing,) = page.listings
    assert listing.key == "20270724"
    assert listing.photos == (PhotoRef("1", 1, "Tue, 22 Jan 2019 22:17:29 GMT"),)
    assert last.cursor == "Thu, 21 Feb 2019 23:40:21 GMT"
    assert server.asked("/search")[0].params["Format"] == "STANDARD-XML"
    assert "Select" not in server.asked("/search")[0].params


@pytest.mark.parametrize(
    ("settings", "mark", "sent"),
    [
        ({}, None, "1970-01-01T00:00:00Z"),
        ({"since_start": "2020-01-01"}, None, "2020-01-01"),
        ({}, "Thu, 21 Feb 2019 23:40:21 GMT", "2019-02-21T23:40:21Z"),
        # Q102: a mark without a zone is in the feed's own; Q104: so is what is sent.
        (
            {"timezone": "America/Toronto", "since_format": "%Y-%m-%dT%H:%M:%S"},
            "2019-02-21T23:40:21.9999",
            "2019-02-21T23:40:21",
        ),
        (
            {"timezone": "America/Toronto", "since_format": "%m/%d/%Y %I:%M:%S %p"},
            "2019-02-21T23:40:21Z",
            "02/21/2019 06:40:21 PM",
        ),
        ({}, "not a time", "not a time"),
    ],
)
def test_q102_q104_the_mark_is_sent_in_the_server_s_own_form(
    server: ScriptedServer, open_source: Open, settings: dict[str, Any], mark: str | None, sent: str
) -> None:
    server.handlers["/search"] = lambda _request: ok(reply(20201))
    list(open_source(**settings).changes(mark))
    assert server.asked("/search")[0].params["Query"] == f"(ModificationTimestamp={sent})"


@pytest.mark.parametrize(
    ("times", "since", "cursor"),
    [
        (
            ["2024-01-02T00:00:00Z", "2024-01-03T00:00:00+02:00", "2024-01-01"],
            None,
            "2024-01-03T00:00:00+02:00",
        ),
        (["2024-01-02T00:00:00.123Z", ""], "2023-01-01", "2024-01-02T00:00:00.123Z"),
        (["2022-01-01"], "2023-01-01", "2023-01-01"),
        (["soon"], "2023-01-01", "2023-01-01"),
        (["soon"], None, None),
        ([], "2023-01-01", "2023-01-01"),
    ],
)
def test_the_last_page_carries_the_greatest_time_as_it_was_sent(
    server: ScriptedServer, open_source: Open, times: list[str], since: str | None, cursor: str | None
) -> None:
    lines = [f"{number}\t\t\t{time}" for number, time in enumerate(times)]
    server.handlers["/search"] = lambda _request: rows(*lines) if lines else ok(reply(20201))
    pages = list(open_source().changes(since))
    assert [page.cursor for page in pages[:-1]] == [None] * (len(pages) - 1)
    assert pages[-1].cursor == cursor


def test_a_pass_that_does_not_end_well_gives_its_listings_and_no_cursor(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/search"] = lambda _request: rows("1\t\t\t2024-01-01", "2\t\t\t2024-01-02", end="")
    pages = open_source().changes(None)
    page = next(pages)
    assert ([listing.key for listing in page.listings], page.cursor) == (["1", "2"], None)
    with pytest.raises(TransferCut):
        next(pages)


def test_rows_that_cannot_be_read_are_reported(server: ScriptedServer, open_source: Open) -> None:
    server.handlers["/search"] = lambda _request: rows("1\t\t\t2024-01-01", "\t\t\t2024-01-02")
    with capture_logs() as logs:
        assert len(list(open_source().changes(None))) == 2
    (event,) = [entry for entry in logs if entry["event"] == "search.rows_unread"]
    assert (event["feed"], event["rows"]) == ("mls", 1)


# Keys.


@pytest.mark.parametrize(
    ("settings", "query"),
    [
        ({"search_format": "STANDARD-XML"}, "(ID=*)"),
        ({"search_format": "COMPACT-DECODED"}, "(Key=*)"),
        ({"keys_query": "*"}, "*"),
    ],
)
def test_q79_the_query_for_all_keys_is_configuration(
    server: ScriptedServer, open_source: Open, settings: dict[str, Any], query: str
) -> None:
    server.handlers["/search"] = lambda _request: ok(reply(20201))
    assert open_source(**settings).keys() == KeySnapshot(frozenset(), complete=True)
    params = server.asked("/search")[0].params
    assert params["Query"] == query
    assert params.get("Select") == (None if query == "(ID=*)" else "Key")


def test_keys_of_all_pages_make_a_complete_snapshot(server: ScriptedServer, open_source: Open) -> None:
    server.handlers["/search"] = one_after_the_other(rows("a", "b", count=3), rows("c", count=3))
    snapshot = open_source(limit=2).keys()
    assert snapshot == KeySnapshot(frozenset("abc"), complete=True, paged=True)


@pytest.mark.parametrize(
    ("said", "keys", "why"),
    [
        ([rows(count=1402)], "", "COUNT says 1402 listings, 0 rows came"),  # Q57
        ([rows("a", "b", count=3), ok(reply(20201))], "ab", "COUNT says 3 listings, 2 keys came"),  # Q58
        ([rows("a", "a", "b")], "ab", "COUNT says 3 listings, 2 keys came"),
        ([rows("a", "b", count=1)], "ab", "COUNT says 1 listings, 2 keys came"),
        ([rows("a", " ", "b")], "ab", "1 rows could not be read: row 2"),
        ([rows("a", "b", end="")], "ab", "stops before its closing tag"),  # Q77
        ([rows("a", "b", count=99)], "ab", "the same page again"),  # Q63
        ([rows("a", count=99), ok("busy", status=500)], "a", "HTTP 500"),
    ],
)
def test_what_contradicts_itself_is_no_complete_snapshot(
    server: ScriptedServer, open_source: Open, said: list[Reply], keys: str, why: str
) -> None:
    server.handlers["/search"] = one_after_the_other(*said)
    snapshot = open_source().keys()
    assert not snapshot.complete
    assert snapshot.keys == frozenset(keys)
    assert why in snapshot.why


def test_a_refused_key_query_stops_the_feed(server: ScriptedServer, open_source: Open) -> None:
    server.handlers["/search"] = lambda _request: ok(reply(20206))
    source = open_source()
    with pytest.raises(StopFeed, match=r"feeds\.mls\.keys_query"):
        source.keys()


# Photos that are only pointed to.


def test_q41_locations_are_fetched_once_the_bundle_has_ended(
    server: ScriptedServer, open_source: Open
) -> None:
    parts = [part("", f"Location: //127.0.0.1:{server.port}/cdn/2.jpg", id_="2"), THREE[2]]
    ended = threading.Event()

    def pieces(body: bytes) -> Iterator[bytes]:
        yield head(200, PARALLEL, [("Content-Length", str(len(body)))])
        yield body[:-5]
        ended.set()
        yield body[-5:]

    server.handlers["/object"] = lambda _request: Reply(pieces(bundle(*parts)))
    server.handlers["/cdn/2.jpg"] = lambda _request: ok(jpeg("2") if ended.is_set() else "too early")
    assert ask(open_source()) == [ALL_THREE[2], ALL_THREE[1]]
    assert "cookie" not in server.asked("/cdn/2.jpg")[0].headers


def test_a_table_of_urls_is_fetched_and_a_bad_url_loses_only_itself(
    server: ScriptedServer, open_source: Open
) -> None:
    lines = [row.replace("https://cdn.example", server.url("")) for row in ROWS]
    server.handlers["/object"] = lambda _request: ok(table(*lines))
    for number in (1, 3):
        server.handlers[f"/{number}.jpg"] = one_after_the_other(ok(jpeg(str(number)), "image/jpeg"))
    server.handlers["/2.jpg"] = lambda _request: ok("", status=503, headers=[("Retry-After", "3600")])
    first, second, third = ask(open_source())
    assert [first, third] == [ALL_THREE[0], ALL_THREE[2]]
    assert "HTTP 503" in str(second)


# Bounds.


def test_a_bundle_of_100_mb_streams_in_bounded_memory(server: ScriptedServer, open_source: Open) -> None:
    block = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4096
    each, photos = 10 * len(block), 10

    def pieces() -> Iterator[bytes]:
        front = [b"\r\n--xyz\r\n" + part(b"", id_=str(number)) for number in range(photos)]
        end = b"\r\n--xyz--\r\n"
        size = sum(map(len, front)) + photos * each + len(end)
        yield head(200, PARALLEL, [("Content-Length", str(size))])
        for start in front:
            yield start
            for _ in range(10):
                yield block
        yield end

    server.handlers["/object"] = lambda _request: Reply(pieces())
    source = open_source()
    tracemalloc.start()
    try:
        sizes = [sum(map(len, photo.chunks)) for photo in source.open_photos([Wanted("100")])]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sizes == [each] * photos
    assert sum(sizes) > 100 * 2**20
    assert peak < 8 * 2**20


def test_abandon_cuts_a_running_bundle_and_close_still_logs_out(
    server: ScriptedServer, open_source: Open
) -> None:
    body = bundle(*THREE, part(jpeg("4" * 1000), id_="4"))
    server.handlers["/object"] = lambda _request: cut(body, len(body) - 9000, PARALLEL, then="silence")
    source = open_source()
    photos = source.open_photos([Wanted("100")])
    assert [next(photos).ref.id for _ in range(3)] == ["1", "2", "3"]
    thread = threading.Timer(0.05, source.abandon)
    thread.start()
    with pytest.raises(TransferCut, match="abandoned"):
        list(photos)
    thread.join()
    with pytest.raises(TransferCut, match="abandoned"):
        source.keys()
    source.close()
    assert server.paths()[-1] == "/logout"


def test_no_error_holds_a_secret(server: ScriptedServer, open_source: Open) -> None:
    server.handlers["/object"] = lambda _request: ok("", status=500)
    server.handlers["/search"] = lambda _request: cut(b"x" * 1000, 10)
    source = open_source()
    errors: list[ServiceError] = []
    for use in (lambda: ask(source), lambda: list(source.changes(None))):
        with pytest.raises(ServiceError) as raised:
            use()
        errors.append(raised.value)
    for error in errors:
        assert not any(secret in str(error) for secret in (PASSWORD, "s1", "?", "Digest"))
