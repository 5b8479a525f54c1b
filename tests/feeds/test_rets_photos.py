import threading
import tracemalloc
from collections.abc import Iterator

import pytest

from parsers.records import WHOLE_SET, Absent, Denied, Outcome
from service.core.ports import Wanted
from service.errors import RetryLater, ServiceError, StopFeed, TransferCut
from service.feeds.rets import RetsSource
from tests.feeds.answers import PARALLEL, ROWS, THREE, bundle, jpeg, part, reply, table
from tests.feeds.conftest import PASSWORD, Open, login_page
from tests.feeds.scripted import (
    DigestGate,
    Reply,
    Request,
    ScriptedServer,
    cut,
    head,
    ok,
    one_after_the_other,
)


def read(source: RetsSource, *wanted: Wanted) -> list[tuple[str, str, Outcome | bytes]]:
    return [
        (photo.listing, photo.ref.id, photo.outcome or b"".join(photo.chunks))
        for photo in source.open_photos(wanted or [Wanted("100")])
    ]


PHOTOS = [("100", str(number), jpeg(str(number))) for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("ids", "asked"), [(None, "100:*"), (("0",), "100:0"), (("1", "3", "5"), "100:1:3:5")]
)
def test_photos_are_asked_for_by_their_ids(
    server: ScriptedServer, open_source: Open, ids: tuple[str, ...] | None, asked: str
) -> None:
    server.handlers["/object"] = lambda _request: ok(reply(20403))
    read(open_source(object_type="LargePhoto"), Wanted("100", ids))
    assert server.asked("/object")[0].params == {
        "Resource": "Property",
        "Type": "LargePhoto",
        "ID": asked,
        "Location": "0",
    }
    assert server.asked("/object")[0].headers["accept"] == "*/*"


def test_a_bundle_comes_through_digest_and_session(server: ScriptedServer, open_source: Open) -> None:
    gate = DigestGate("reader", PASSWORD, uses=1)
    server.handlers["/login"] = gate(login_page())
    server.handlers["/object"] = gate(lambda _request: ok(bundle(*THREE), PARALLEL))
    source = open_source()
    assert read(source) == read(source) == PHOTOS
    assert server.asked("/object")[-1].headers["cookie"] == "RETS-Session-ID=s1"


def test_q96_photos_are_asked_for_again_after_a_lost_session(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = one_after_the_other(ok(reply(20701)), ok(bundle(*THREE), PARALLEL))
    assert read(open_source()) == PHOTOS
    assert server.paths() == ["/login", "/object", "/login", "/object"]


@pytest.mark.parametrize("refused", [ok(reply(20406)), ok("", status=406)])
def test_another_accept_is_tried_once_and_kept(
    server: ScriptedServer, open_source: Open, refused: Reply
) -> None:
    server.handlers["/object"] = one_after_the_other(refused, ok(bundle(*THREE), PARALLEL))
    source = open_source()
    assert read(source) == read(source) == PHOTOS
    assert [request.headers["accept"] for request in server.asked("/object")] == [
        "*/*",
        "image/jpeg, image/*, multipart/*",
        "image/jpeg, image/*, multipart/*",
    ]


@pytest.mark.parametrize(
    ("code", "key"), [(20400, "resource"), (20401, "object_type"), (20601, "rets_version")]
)
def test_a_refusal_of_all_photos_stops_the_feed_and_names_the_key(
    server: ScriptedServer, open_source: Open, code: int, key: str
) -> None:
    server.handlers["/object"] = lambda _request: ok(reply(code))
    source = open_source()
    with pytest.raises(StopFeed, match=rf"feed mls listing 100: GetObject ID=100:\* .*{code}.*{key}"):
        read(source)


@pytest.mark.parametrize(
    ("code", "text"), [(20402, "no such id"), (20407, "not yours"), (20413, "Location=1 is disabled")]
)
def test_q44_q51_a_refused_item_is_an_outcome(
    server: ScriptedServer, open_source: Open, code: int, text: str
) -> None:
    server.handlers["/object"] = lambda _request: ok(reply(code, text))
    assert read(open_source()) == [("100", WHOLE_SET, Denied(f"{code} {text}"))]


def test_a_failing_server_names_feed_and_listing(server: ScriptedServer, open_source: Open) -> None:
    server.handlers["/object"] = lambda _request: ok("", status=500)
    source = open_source()
    with pytest.raises(
        RetryLater, match=r"feed mls listing 100: .*HTTP 500 \(check feeds\.mls\.rets_version"
    ):
        read(source)


def test_a_key_that_cannot_be_asked_for_is_denied_without_asking(
    server: ScriptedServer, open_source: Open
) -> None:
    ((listing, id_, outcome),) = read(open_source(), Wanted("10:0"))
    assert (listing, id_) == ("10:0", WHOLE_SET)
    assert isinstance(outcome, Denied)
    assert server.paths() == ["/login"]


def test_a_key_that_cannot_be_asked_for_does_not_stop_the_others(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = lambda _request: ok(bundle(*THREE), PARALLEL)
    came = read(open_source(), Wanted("1,0"), Wanted("100"))
    assert came[0][0] == "1,0"
    assert came[1:] == PHOTOS


def test_q38_several_listings_come_in_one_answer(server: ScriptedServer, open_source: Open) -> None:
    parts = [*THREE, part(jpeg("7"), id_="7", listing="200"), part(reply(20403), id_="*", listing="300")]
    server.handlers["/object"] = lambda _request: ok(bundle(*parts), PARALLEL)
    came = read(open_source(), Wanted("100"), Wanted("200", ("7",)), Wanted("300"))
    assert came == [*PHOTOS, ("200", "7", jpeg("7")), ("300", WHOLE_SET, Absent("20403 said"))]
    assert server.asked("/object")[0].params["ID"] == "100:*,200:7,300:*"


@pytest.mark.parametrize("refused", [ok(reply(20402)), ok(reply(20403)), ok("too many", status=400)])
def test_q48_a_refusal_of_several_listings_says_nothing_about_one(
    server: ScriptedServer, open_source: Open, refused: Reply
) -> None:
    def answer(request: Request) -> Reply:
        said = {"100:*": ok(bundle(*THREE), PARALLEL), "200:*": ok(reply(20403))}
        return said.get(request.params["ID"], refused)

    server.handlers["/object"] = answer
    came = read(open_source(), Wanted("100"), Wanted("200"))
    assert came == [*PHOTOS, ("200", WHOLE_SET, Absent("20403 said"))]
    assert [request.params["ID"] for request in server.asked("/object")] == ["100:*,200:*", "100:*", "200:*"]


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
    assert read(open_source()) == [PHOTOS[2], PHOTOS[1]]
    assert "cookie" not in server.asked("/cdn/2.jpg")[0].headers


def test_a_table_of_urls_is_fetched_and_a_bad_url_loses_only_itself(
    server: ScriptedServer, open_source: Open
) -> None:
    lines = [row.replace("https://cdn.example", server.url("")) for row in ROWS]
    server.handlers["/object"] = lambda _request: ok(table(*lines))
    for number in (1, 3):
        server.handlers[f"/{number}.jpg"] = one_after_the_other(ok(jpeg(str(number)), "image/jpeg"))
    server.handlers["/2.jpg"] = lambda _request: ok("", status=503, headers=[("Retry-After", "3600")])
    first, second, third = read(open_source())
    assert [first, third] == [PHOTOS[0], PHOTOS[2]]
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
    for use in (lambda: read(source), lambda: list(source.changes(None))):
        with pytest.raises(ServiceError) as raised:
            use()
        errors.append(raised.value)
    for error in errors:
        assert not any(secret in str(error) for secret in (PASSWORD, "s1", "?", "Digest"))
