import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from parsers.records import Absent, Denied, Outcome, PhotoRef, Retryable, Unknown
from service.errors import RetryLater, TransferCut
from service.feeds import media_downloads
from service.feeds.auth import Anonymous
from service.feeds.hosts import PublicHosts
from service.feeds.limits import Limit, Quota
from service.feeds.media_downloads import ExpiredUrl, MediaDownloads, OwnHost
from service.feeds.oauth import Bearer, GivenToken
from service.feeds.transport import Transport
from tests.feeds.answers import jpeg
from tests.feeds.scripted import Reply, Request, ScriptedServer, cut, head, ok

PICTURE = jpeg("x" * 4_000)  # 200 KB
ETAG = '"v1"'

Open = Callable[..., MediaDownloads]


def now() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def open_downloads(server: ScriptedServer) -> Iterator[Open]:
    opened: list[MediaDownloads] = []

    def make(
        auth: Anonymous | None = None,
        limits: tuple[Limit, ...] = (),
        connections: int = 4,
        max_bytes: int = 10**7,
        home: str = "",
    ) -> MediaDownloads:
        rule = PublicHosts("c1", home or server.url("/"))

        def transport() -> Transport:
            return Transport("c1", rule, silence=20, headers={}, waits=(0.01,), auth=auth)

        quota = Quota(limits, {}, now)
        opened.append(MediaDownloads("c1", transport, quota, connections=connections, max_bytes=max_bytes))
        return opened[-1]

    yield make
    for downloads in opened:
        downloads.close()


def ref(number: int, url: str | None) -> PhotoRef:
    return PhotoRef(f"m{number}", number, url=url)


def fetch(downloads: MediaDownloads, *urls: str | None) -> dict[str, Outcome | bytes]:
    items = [("100", ref(number, url)) for number, url in enumerate(urls)]
    return {p.ref.id: p.outcome or b"".join(map(bytes, p.chunks)) for p in downloads.fetch(items)}


def test_photos_come_with_their_own_bytes_whatever_their_order(
    server: ScriptedServer, open_downloads: Open
) -> None:
    for number in range(30):
        server.handlers[f"/{number}.jpg"] = lambda request: ok(jpeg(request.path), "image/jpeg")
    found = fetch(open_downloads(), *(server.url(f"/{number}.jpg") for number in range(30)))
    assert found == {f"m{number}": jpeg(f"/{number}.jpg") for number in range(30)}
    assert server.connections <= 4


def test_several_are_under_way_at_once(server: ScriptedServer, open_downloads: Open) -> None:
    together = threading.Barrier(4, timeout=20)

    def wait_for_the_others(_request: Request) -> Reply:
        together.wait()
        return ok(PICTURE, "image/jpeg")

    for number in range(4):
        server.handlers[f"/{number}.jpg"] = wait_for_the_others
    found = fetch(open_downloads(), *(server.url(f"/{number}.jpg") for number in range(4)))
    assert list(found.values()) == [PICTURE] * 4


def test_no_more_are_held_than_are_soon_read(server: ScriptedServer, open_downloads: Open) -> None:
    server.handlers["/1.jpg"] = lambda _request: ok(PICTURE, "image/jpeg")
    items = [("100", ref(number, server.url("/1.jpg"))) for number in range(50)]
    with closing(open_downloads(connections=2).fetch(items)) as photos:  # type: ignore[type-var] # a generator
        next(photos)
    assert len(server.requests) <= 5


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, Absent), (410, Absent), (401, ExpiredUrl), (403, ExpiredUrl), (400, Retryable), (500, Retryable)],
)
def test_a_status_says_what_became_of_the_photo(
    server: ScriptedServer, open_downloads: Open, status: int, kind: type
) -> None:
    server.handlers["/1.jpg"] = lambda _request: ok("no", "text/plain", status=status)
    (outcome,) = fetch(open_downloads(), server.url("/1.jpg?Signature=planted")).values()
    assert type(outcome) is kind
    assert "planted" not in str(outcome)


def test_one_bad_photo_stops_no_other(server: ScriptedServer, open_downloads: Open) -> None:
    server.handlers["/1.jpg"] = lambda _request: ok(PICTURE, "image/jpeg")
    found = fetch(
        open_downloads(), server.url("/none.jpg"), None, server.url("/1.jpg"), "http://[", "ftp://x/"
    )
    assert isinstance(found["m0"], Absent)
    assert isinstance(found["m1"], Retryable)
    assert found["m2"] == PICTURE
    assert isinstance(found["m3"], Denied)
    assert isinstance(found["m4"], Denied)


def test_a_cut_body_is_taken_up_where_it_ended(server: ScriptedServer, open_downloads: Open) -> None:
    def serve(request: Request) -> Reply:
        if "range" not in request.headers:
            lines = [("Content-Length", str(len(PICTURE))), ("ETag", ETAG)]
            return Reply([head(200, "image/jpeg", lines), PICTURE[:90_000]], "close")
        assert request.headers["if-range"] == ETAG
        begin = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
        rest = PICTURE[begin:]
        lines = [
            ("Content-Range", f"bytes {begin}-{len(PICTURE) - 1}/{len(PICTURE)}"),
            ("Content-Length", str(len(rest))),
            ("ETag", ETAG),
        ]
        return Reply([head(206, "image/jpeg", lines), rest])

    server.handlers["/1.jpg"] = serve
    assert list(fetch(open_downloads(), server.url("/1.jpg")).values()) == [PICTURE]
    assert len(server.requests) == 2


def test_a_picture_that_changed_meanwhile_is_read_anew(server: ScriptedServer, open_downloads: Open) -> None:
    other = jpeg("y" * 2_000)

    def serve(request: Request) -> Reply:
        if "range" in request.headers:
            return ok(other, "image/jpeg", headers=[("ETag", '"v2"')])
        lines = [("Content-Length", str(len(PICTURE))), ("ETag", ETAG)]
        return Reply([head(200, "image/jpeg", lines), PICTURE[:150_000]], "close")

    server.handlers["/1.jpg"] = serve
    assert list(fetch(open_downloads(), server.url("/1.jpg")).values()) == [other]


def test_a_weak_mark_takes_nothing_up(server: ScriptedServer, open_downloads: Open) -> None:
    def serve(request: Request) -> Reply:
        assert "range" not in request.headers
        if len(server.requests) > 1:
            return ok(PICTURE, "image/jpeg")
        lines = [("Content-Length", str(len(PICTURE))), ("ETag", f"W/{ETAG}")]
        return Reply([head(200, "image/jpeg", lines), PICTURE[:90_000]], "close")

    server.handlers["/1.jpg"] = serve
    assert list(fetch(open_downloads(), server.url("/1.jpg")).values()) == [PICTURE]


def test_a_body_that_is_cut_every_time_waits_for_later(server: ScriptedServer, open_downloads: Open) -> None:
    server.handlers["/1.jpg"] = lambda _request: cut(PICTURE, 1000, "image/jpeg")
    (outcome,) = fetch(open_downloads(), server.url("/1.jpg")).values()
    assert isinstance(outcome, Retryable)
    assert len(server.requests) == 4


def test_a_body_beyond_the_size_limit_is_not_read_to_its_end(
    server: ScriptedServer, open_downloads: Open
) -> None:
    huge = jpeg("x" * 20_000)  # 1 MB: what is left of it is not read for the sake of the connection
    server.handlers["/1.jpg"] = lambda _request: cut(huge, 150_000, "image/jpeg", then="silence")
    (outcome,) = fetch(open_downloads(max_bytes=100_000), server.url("/1.jpg")).values()
    assert isinstance(outcome, Unknown)
    assert "max_photo_bytes" in outcome.evidence


def test_x9_media_is_asked_for_without_credentials(server: ScriptedServer, open_downloads: Open) -> None:
    server.handlers["/1.jpg"] = lambda _request: ok(PICTURE, "image/jpeg")
    fetch(open_downloads(), server.url("/1.jpg"))
    assert "authorization" not in server.requests[0].headers


def test_x9_credentials_go_to_the_feeds_own_host_and_no_redirect_carries_them_on(
    server: ScriptedServer, open_downloads: Open
) -> None:
    elsewhere = server.url("/cdn.jpg", host="127.0.0.2")
    server.handlers["/1.jpg"] = lambda _request: ok("", status=302, headers=[("Location", elsewhere)])
    server.handlers["/cdn.jpg"] = lambda _request: ok(PICTURE, "image/jpeg")
    auth = OwnHost(Bearer(GivenToken("planted")), server.url("/odata"))
    found = fetch(open_downloads(auth=auth), server.url("/1.jpg"))
    assert server.requests[0].headers["authorization"] == "Bearer planted"
    assert all("authorization" not in request.headers for request in server.requests[1:])
    assert list(found.values()) == [PICTURE] or isinstance(found["m0"], Retryable)


def test_x9_private_addresses_are_refused(server: ScriptedServer, open_downloads: Open) -> None:
    server.handlers["/1.jpg"] = lambda _request: ok(PICTURE, "image/jpeg")
    downloads = open_downloads(home="https://api.example/odata")
    (outcome,) = fetch(downloads, server.url("/1.jpg")).values()
    assert isinstance(outcome, Denied)
    assert server.requests == []


def test_x10_downloads_count_against_the_limits(server: ScriptedServer, open_downloads: Open) -> None:
    server.handlers["/1.jpg"] = lambda _request: ok(PICTURE, "image/jpeg")
    downloads = open_downloads(limits=(Limit("requests", 3, 3600),))
    with pytest.raises(RetryLater, match="limits of this feed are used up"):
        fetch(downloads, *[server.url("/1.jpg")] * 5)
    assert len(server.requests) <= 3


def test_x10_a_storm_of_refusals_ends_the_cycle(server: ScriptedServer, open_downloads: Open) -> None:
    server.handlers["/1.jpg"] = lambda _request: ok("", status=429)
    with pytest.raises(RetryLater, match="429"):
        fetch(open_downloads(connections=1), *[server.url("/1.jpg")] * 50)
    assert len(server.requests) <= 2 * (media_downloads.STORM + 2)


def test_abandoning_ends_what_runs(server: ScriptedServer, open_downloads: Open) -> None:
    server.handlers["/1.jpg"] = lambda _request: cut(PICTURE, 100_000, "image/jpeg", then="silence")
    downloads = open_downloads()
    timer = threading.Timer(0.2, downloads.abandon)
    timer.start()
    with pytest.raises(TransferCut):
        fetch(downloads, *[server.url("/1.jpg")] * 4)
    timer.join()
