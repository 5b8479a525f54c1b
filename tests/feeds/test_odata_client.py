import gzip
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import brotli
import pytest

from service.errors import RetryLater, StopFeed, TransferCut
from service.feeds import odata_client
from service.feeds.hosts import FeedHosts
from service.feeds.limits import Limit, Quota
from service.feeds.oauth import Bearer, GivenToken
from service.feeds.odata_client import LinkExpiredError, ODataClient
from service.feeds.transport import Transport
from tests.feeds.scripted import Reply, Request, ScriptedServer, cut, ok, one_after_the_other

TOKEN = "planted-token"
JSON = "application/json;odata.metadata=minimal"


class Watch:
    at = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def watch() -> Watch:
    return Watch()


def client_of(server: ScriptedServer, quota: Quota, waits: tuple[float, ...] = (0.01, 0.01)) -> ODataClient:
    rule = FeedHosts("c1", server.url("/"), [])
    bearer = Bearer(GivenToken(TOKEN))
    return ODataClient(
        "c1", Transport("c1", rule, silence=20, headers={}, waits=(), auth=bearer), quota, waits
    )


@pytest.fixture
def client(server: ScriptedServer, watch: Watch) -> Iterator[ODataClient]:
    with closing(client_of(server, Quota([], {}, watch))) as client:
        yield client


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(odata_client, "REFUSED_WAIT", 0.0)


def page(*keys: str, link: str | None = None, **more: object) -> Reply:
    document: dict[str, object] = {"value": [{"ListingKey": key} for key in keys], **more}
    if link is not None:
        document["@odata.nextLink"] = link
    return ok(json.dumps(document), JSON)


def keys_of(client: ODataClient, url: str) -> list[str]:
    return [row["ListingKey"] for page in client.pages(url) for row in page.rows]


def test_c8_a_next_link_is_followed_byte_for_byte(server: ScriptedServer, client: ODataClient) -> None:
    link = "/skiptoken/FGlu%7eY%2b?q=%c3%A9&x=a,b=="
    server.handlers["/odata/Property"] = lambda _request: page("1", link=server.url(link))
    server.handlers["/skiptoken/FGlu%7eY%2b"] = lambda _request: page("2")
    assert keys_of(client, server.url("/odata/Property?$top=1")) == ["1", "2"]
    assert server.requests[-1].target == link
    assert server.requests[-1].headers["authorization"] == f"Bearer {TOKEN}"


def test_c7_a_chain_ends_with_a_page_that_counts_nothing(server: ScriptedServer, client: ODataClient) -> None:
    server.handlers["/1"] = lambda _request: page("a", link="/2")
    server.handlers["/2"] = lambda _request: page(link="/3", **{"@odata.count": 0})
    assert keys_of(client, server.url("/1")) == ["a"]


def test_pages_that_turn_in_a_circle_are_no_answer(server: ScriptedServer, client: ODataClient) -> None:
    server.handlers["/1"] = lambda _request: page("a", link="/2")
    server.handlers["/2"] = lambda _request: page("b", link="/1")
    with pytest.raises(RetryLater, match="turn in a circle"):
        keys_of(client, server.url("/1"))


def test_x9_a_next_link_to_another_host_gets_no_credentials(
    server: ScriptedServer, client: ODataClient
) -> None:
    server.handlers["/1"] = lambda _request: page("a", link=f"http://localhost:{server.port}/2")
    with pytest.raises(StopFeed, match="may not have this feed's credentials"):
        keys_of(client, server.url("/1"))
    assert server.paths() == ["/1"]


@pytest.mark.parametrize("status", [400, 404, 410])
def test_c8_an_expired_link_is_told_from_a_wrong_query(
    server: ScriptedServer, client: ODataClient, status: int
) -> None:
    error = ok('{"error": {"code": "410", "message": "token expired"}}', JSON, status=status)
    server.handlers["/1"] = lambda _request: page("a", link="/2")
    server.handlers["/2"] = lambda _request: error
    with pytest.raises(LinkExpiredError, match="token expired"):
        keys_of(client, server.url("/1"))
    with pytest.raises(StopFeed, match=r"check base_url, filter and fields of feeds\.c1"):
        client.page(server.url("/2"))


@pytest.mark.parametrize(
    ("coding", "packed"), [("gzip", gzip.compress), ("br", brotli.compress)], ids=["gzip", "br"]
)
def test_c3_packed_pages_are_asked_for_and_unpacked(
    server: ScriptedServer, client: ODataClient, coding: str, packed: object
) -> None:
    assert callable(packed)
    body = packed(b'{"value": [{"ListingKey": "1"}]}')
    server.handlers["/1"] = lambda _request: ok(body, JSON, headers=[("Content-Encoding", coding)])
    assert keys_of(client, server.url("/1")) == ["1"]
    assert coding in server.requests[0].headers["accept-encoding"]


def test_a_page_that_is_cut_is_asked_for_once_more(server: ScriptedServer, client: ODataClient) -> None:
    whole = b'{"value": [{"ListingKey": "1"}]}'
    server.handlers["/1"] = one_after_the_other(cut(whole, 10, JSON), ok(whole, JSON))
    assert keys_of(client, server.url("/1")) == ["1"]


def test_x7_a_page_that_is_cut_again_is_no_page(server: ScriptedServer, client: ODataClient) -> None:
    server.handlers["/1"] = lambda _request: cut(b'{"value": [{"ListingKey": "1"}]}', 10, JSON)
    with pytest.raises(TransferCut):
        keys_of(client, server.url("/1"))


def test_x7_a_page_whose_text_ends_early_is_no_page(server: ScriptedServer, client: ODataClient) -> None:
    server.handlers["/1"] = lambda _request: ok(b'{"value": [', JSON)
    with pytest.raises(RetryLater, match="cannot be read"):
        keys_of(client, server.url("/1"))


def test_a_page_without_end_is_refused(
    server: ScriptedServer, client: ODataClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(odata_client, "MOST_BYTES", 1000)
    server.handlers["/1"] = lambda _request: ok(b" " * 300_000, JSON)
    with pytest.raises(RetryLater, match="page_size"):
        client.page(server.url("/1"))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_account_stops_the_feed(server: ScriptedServer, client: ODataClient, status: int) -> None:
    server.handlers["/1"] = lambda _request: ok("{}", JSON, status=status)
    with pytest.raises(StopFeed, match=r"check the credentials of feeds\.c1") as caught:
        client.page(server.url("/1"))
    assert TOKEN not in str(caught.value)


def test_a_server_that_is_busy_is_asked_again(server: ScriptedServer, client: ODataClient) -> None:
    server.handlers["/1"] = one_after_the_other(ok("", status=503), ok("", status=502), page("1"))
    assert keys_of(client, server.url("/1")) == ["1"]


def test_x10_retry_after_is_sat_out(server: ScriptedServer, client: ODataClient) -> None:
    def refuse(_request: Request) -> Reply:
        server.handlers["/1"] = lambda _request: page("1")
        return ok("", status=429, headers=[("Retry-After", "0")])

    server.handlers["/1"] = refuse
    assert keys_of(client, server.url("/1")) == ["1"]
    assert len(server.requests) == 2


def test_x10_a_long_retry_after_ends_the_cycle_and_is_kept(server: ScriptedServer, watch: Watch) -> None:
    facts: dict[str, str] = {}
    server.handlers["/1"] = lambda _request: ok("", status=429, headers=[("Retry-After", "300")])
    with closing(client_of(server, Quota([], facts, watch))) as client:
        with pytest.raises(RetryLater) as caught:
            client.page(server.url("/1"))
        assert caught.value.after == 300
    watch.at += timedelta(seconds=100)
    restarted = client_of(server, Quota([], facts, watch))
    with closing(restarted), pytest.raises(RetryLater, match="limits"):
        restarted.page(server.url("/1"))
    assert len(server.requests) == 1


def test_x10_a_storm_of_refusals_leaves_the_server_alone_for_an_hour(
    server: ScriptedServer, client: ODataClient
) -> None:
    server.handlers["/1"] = lambda _request: ok("", status=429)
    with pytest.raises(RetryLater) as caught:
        client.page(server.url("/1"))
    assert caught.value.after == 3600
    assert len(server.requests) == 3
    with pytest.raises(RetryLater, match="limits"):
        client.page(server.url("/1"))
    assert len(server.requests) == 3


@pytest.mark.parametrize("name", ["RateLimit", "X-RateLimit"])
def test_x10_a_server_that_says_that_nothing_remains_is_not_asked(
    server: ScriptedServer, client: ODataClient, name: str
) -> None:
    headers = [(f"{name}-Remaining", "0"), (f"{name}-Reset", "600")]
    server.handlers["/1"] = lambda _request: ok('{"value": []}', JSON, headers=headers)
    client.page(server.url("/1"))
    with pytest.raises(RetryLater) as caught:
        client.page(server.url("/1"))
    assert caught.value.after == 600
    assert len(server.requests) == 1


def test_x10_bytes_and_requests_are_counted(server: ScriptedServer, watch: Watch) -> None:
    quota = Quota([Limit("requests", 10, 3600), Limit("bytes", 1000, 3600)], {}, watch)
    server.handlers["/1"] = lambda _request: ok('{"value": []}', JSON)
    with closing(client_of(server, quota)) as client:
        client.page(server.url("/1"))
        client.page(server.url("/1"))
    assert [use.used for use in quota.uses()] == [2, 2 * len('{"value": []}')]


def test_an_abandoned_client_asks_nothing_more(server: ScriptedServer, client: ODataClient) -> None:
    client.abandon()
    with pytest.raises(TransferCut):
        client.page(server.url("/1"))
    assert server.requests == []


def test_l5_a_document_is_sent_once_and_its_answer_given_back(
    server: ScriptedServer, client: ODataClient
) -> None:
    server.handlers["/photos"] = lambda _request: ok('{"D": {"Success": true}}', JSON, status=201)
    assert client.send("POST", server.url("/photos"), b'{"D": {}}') == (201, b'{"D": {"Success": true}}')
    (request,) = server.requests
    assert (request.method, request.body) == ("POST", b'{"D": {}}')
