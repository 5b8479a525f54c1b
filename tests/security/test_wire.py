"""HTTP itself as a weapon: heads, bodies and encodings without an end are cut, and none is believed."""

import gzip
import itertools
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import brotli
import pytest

from service.errors import RetryLater, ServiceError, StopFeed, TransferCut
from service.feeds.bundle import Bundle
from service.feeds.hosts import FeedHosts
from service.feeds.transport import LONGEST_AFTER, Transport
from service.feeds.unpacking import FREE
from tests.feeds.answers import PARALLEL, jpeg, part
from tests.feeds.scripted import Reply, ScriptedServer, cut, head, ok
from tests.security.servers import within

MEGABYTE = 2**20


@pytest.fixture
def transport(server: ScriptedServer) -> Iterator[Transport]:
    with closing(transport_to(server)) as transport:
        yield transport


def transport_to(server: ScriptedServer, silence: float = 20.0) -> Transport:
    rule = FeedHosts("mls", server.url("/login"), [])
    return Transport("mls", rule, silence=silence, headers={}, waits=())


def say(server: ScriptedServer, *pieces: bytes, endless: bytes = b"") -> str:
    """The pieces, and then the last one for as long as somebody listens."""
    forever: Iterable[bytes] = itertools.repeat(endless) if endless else ()
    server.handlers["/x"] = lambda _request: Reply(itertools.chain(pieces, forever), then="close")
    return server.url("/x")


def body_of(transport: Transport, url: str) -> int:
    """Bytes that came until the end, which may be an error."""
    with transport.get(url) as answer:
        return sum(map(len, iter(answer.read, b"")))


START = b"HTTP/1.1 200 OK\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"

ENDLESS = {
    "header lines": (START, b"X: y\r\n" * 1000),
    "header line": (START + b"X: ", b"y" * 65536),
    "header name": (START, b"n" * 65536),
    "folded header line": (START + b"X: y\r\n", b" y\r\n" * 1000),
    "status line": (b"HTTP/1.1 200 ", b"O" * 65536),
    "no HTTP": (b"", b"\xff" * 65536),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "100 Continue with headers": (b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" * 1000),
    "chunk size": (CHUNKED, b"0" * 65536),
    "chunk extension": (CHUNKED + b"5;", b"x" * 65536),
    "trailer": (CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n" * 1000),
    "trailer line": (CHUNKED + b"1\r\nx\r\n0\r\nX: ", b"y" * 65536),
}


@pytest.mark.parametrize(("start", "endless"), ENDLESS.values(), ids=ENDLESS.keys())
def test_a_head_without_an_end_is_cut(
    server: ScriptedServer, transport: Transport, start: bytes, endless: bytes
) -> None:
    url = say(server, start, endless=endless)
    tracemalloc.start()
    try:
        with within(2), pytest.raises((RetryLater, TransferCut)):
            body_of(transport, url)
        assert tracemalloc.get_traced_memory()[1] < 16 * MEGABYTE
    finally:
        tracemalloc.stop()


ODD_HEADS = {
    "length of 5,000 digits": b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nbody",
    "negative length": b"Content-Length: -1\r\n\r\nbody",
    "two lengths": b"Content-Length: 4\r\nContent-Length: 400\r\n\r\nbody",
    "length with a sign": b"Content-Length: +4\r\n\r\nbody",
    "length in hexadecimal": b"Content-Length: 0x4\r\n\r\nbody",
    "length and chunks": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    "chunk size below zero": b"Transfer-Encoding: chunked\r\n\r\n-5\r\nbody\r\n0\r\n\r\n",
    "chunk size of 1,000 digits": b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 1000 + b"\r\nbody",
    "encoding that nobody knows": b"Content-Encoding: rot13\r\nContent-Length: 4\r\n\r\nbody",
    "a hundred encodings": b"Content-Encoding: " + b"gzip, " * 100 + b"gzip\r\nContent-Length: 4\r\n\r\nbody",
    "NUL in a header": b"X: a\x00b\r\nContent-Length: 4\r\n\r\nbody",
    "header without a name": b": value\r\nContent-Length: 4\r\n\r\nbody",
    "header without a colon": b"no header\r\nContent-Length: 4\r\n\r\nbody",
    "status of a million": b"",
    "status of letters": b"",
    "version of HTTP that is none": b"",
}
ODD_STATUS = {
    "status of a million": b"HTTP/1.1 1000000 OK\r\nContent-Length: 4\r\n\r\nbody",
    "status of letters": b"HTTP/1.1 two OK\r\nContent-Length: 4\r\n\r\nbody",
    "version of HTTP that is none": b"HTTP/9.9 200 OK\r\nContent-Length: 4\r\n\r\nbody",
}


@pytest.mark.parametrize("name", ODD_HEADS)
def test_an_odd_head_gives_its_body_or_an_error_of_ours(
    server: ScriptedServer, transport: Transport, name: str
) -> None:
    url = say(server, ODD_STATUS.get(name) or START + ODD_HEADS[name])
    try:
        came = body_of(transport, url)
    except ServiceError:
        came = 0
    assert came <= len(b"body")


AFTER = {
    "digits without an end": "9" * 5000,
    "more than a float holds": "9" * 400,
    "a date of no year": "Thu, 01 Jan 99999999999999 00:00:00 GMT",
    "a date far away": "Fri, 31 Dec 9999 23:59:59 GMT",
    "a date long ago": "Thu, 01 Jan 1970 00:00:00 GMT",
    "below zero": "-5",
    "infinity": "inf",
    "not a number": "nan",
    "other digits": "\u0661\u0662",
    "an expression": "1e400",
    "a zone out of this world": "Thu, 01 Jan 2026 00:00:00 +999999999999999999999",
    "nothing": " ",
}


@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER.keys())
def test_a_wait_that_is_asked_for_is_a_day_at_most(
    server: ScriptedServer, transport: Transport, after: str
) -> None:
    raw = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: " + after.encode() + b"\r\n\r\n"
    with pytest.raises(RetryLater) as raised:
        transport.get(say(server, raw))
    assert raised.value.after is None or 0 <= raised.value.after <= LONGEST_AFTER


def packed(form: str, size: int) -> bytes:
    """`size` blanks, packed."""
    text = b" " * size
    match form:
        case "gzip":
            return gzip.compress(text)
        case "deflate":
            return zlib.compress(text)
        case "br":
            return bytes(brotli.compress(text))
        case "gzip in members that end where a piece does":
            return gzip.compress(text[: size // 64]) * 64
    raise ValueError(form)


BOMBS = ["gzip", "deflate", "br", "gzip in members that end where a piece does"]


@pytest.mark.parametrize("form", BOMBS)
def test_a_bomb_is_unpacked_piece_by_piece(server: ScriptedServer, transport: Transport, form: str) -> None:
    size = 8 * MEGABYTE
    kind = [("Content-Encoding", form.partition(" ")[0])]
    body = packed(form, size)
    server.handlers["/x"] = lambda _request: ok(body, headers=kind)
    tracemalloc.start()
    try:
        assert body_of(transport, server.url("/x")) == size
        assert tracemalloc.get_traced_memory()[1] < 4 * MEGABYTE
    finally:
        tracemalloc.stop()


TOO_MUCH = {
    "gzip": ("gzip", lambda: gzip.compress(bytes(FREE + MEGABYTE))),
    "gzip with garbage behind it": ("gzip", lambda: gzip.compress(bytes(FREE + MEGABYTE)) + b"garbage"),
    "deflate": ("deflate", lambda: zlib.compress(bytes(FREE + MEGABYTE))),
    "bare deflate": ("deflate", lambda: zlib.compress(bytes(FREE + MEGABYTE), wbits=-15)),
    "br": ("br", lambda: brotli.compress(bytes(FREE + MEGABYTE), quality=1)),
    "gzip of gzip": ("gzip, gzip", lambda: gzip.compress(gzip.compress(bytes(FREE + MEGABYTE)))),
    "gzip of br": ("br, gzip", lambda: gzip.compress(brotli.compress(bytes(FREE + MEGABYTE), quality=1))),
    "a hundred times": (", ".join(["gzip"] * 100), lambda: b"x"),
}


@pytest.mark.parametrize(("encoding", "body"), TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_a_bomb_that_goes_on_is_refused(
    server: ScriptedServer, transport: Transport, encoding: str, body: Callable[[], bytes]
) -> None:
    said = ok(body(), headers=[("Content-Encoding", encoding)])
    server.handlers["/x"] = lambda _request: said
    with within(3), pytest.raises(TransferCut, match=r"unpack to more|packed \d+ times"):
        body_of(transport, server.url("/x"))


def test_a_bomb_is_not_unpacked_for_the_sake_of_its_connection(
    server: ScriptedServer, transport: Transport
) -> None:
    body = gzip.compress(bytes(50 * MEGABYTE))
    assert len(body) < 64 * 2**10
    server.handlers["/x"] = lambda _request: ok(body, headers=[("Content-Encoding", "gzip")])
    with within(0.1):
        transport.get(server.url("/x")).close()
        transport.get(server.url("/x")).close()
    assert server.connections == 1


def test_a_bomb_in_the_place_of_a_login_is_not_unpacked_to_its_end(
    server: ScriptedServer, transport: Transport
) -> None:
    body = packed("gzip", 32 * MEGABYTE)
    server.handlers["/x"] = lambda _request: ok(body, headers=[("Content-Encoding", "gzip")])
    with transport.get(server.url("/x")) as answer, pytest.raises(RetryLater, match="more than"):
        answer.read_small()


def test_a_body_that_drips_is_cut(server: ScriptedServer) -> None:
    """Each byte comes in time, and all of them would take a year."""

    def drip() -> Iterator[bytes]:
        yield head(200, "image/jpeg", [("Content-Length", "1000000")])
        while not server._stopped.wait(0.05):
            yield b"x"

    server.handlers["/x"] = lambda _request: Reply(drip())
    with (
        closing(transport_to(server, silence=0.4)) as transport,
        pytest.raises(TransferCut, match="a second"),
    ):
        body_of(transport, server.url("/x"))


FLOODS = {
    "before the first part": (b"", b"preamble\r\n" * 6000),
    "behind the last part": (b"--xyz--\r\n", b"epilogue\r\n" * 6000),
    "in a part that is not read": (b"--xyz\r\n\r\n", b"\xff" * 65536),
    "of empty delimiters": (b"", b"--xyz\r\n" * 6000),
    "of parts that are not read": (b"", b"--xyz\r\n\r\n" + b"x" * 60_000 + b"\r\n"),
}


@pytest.mark.parametrize(("start", "endless"), FLOODS.values(), ids=FLOODS.keys())
def test_a_bundle_without_an_end_is_left(
    server: ScriptedServer, transport: Transport, start: bytes, endless: bytes
) -> None:
    photo = part(jpeg("1"), id_="1")
    first = b"--xyz\r\n" + photo + b"\r\n" if start else b""
    url = say(server, head(200, PARALLEL), first, start, endless=endless)
    with transport.get(url) as answer, within(5):
        bundle = Bundle("mls", answer, b"xyz", max_unwanted=MEGABYTE)
        if start.startswith(b"--xyz--"):  # nothing is missing
            assert len(list(bundle.parts())) == 1
            return
        with pytest.raises(ServiceError, match=r"belong to no photo|more than \d+ parts"):
            list(bundle.parts())


def test_a_redirect_does_not_turn_into_a_header(server: ScriptedServer, transport: Transport) -> None:
    raw = (
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /y?a=%0d%0aX-Injected:%201\r\n b\x01c\r\n\r\n"
    )
    server.handlers["/x"] = lambda _request: Reply([raw])
    server.handlers["/y"] = lambda _request: ok("there")
    try:
        transport.get(server.url("/x")).close()
    except StopFeed:
        return
    for request in server.requests:
        assert "x-injected" not in request.headers
        assert "\x01" not in request.target


def test_a_cut_body_of_a_bomb_is_no_whole_one(server: ScriptedServer, transport: Transport) -> None:
    body = packed("gzip", MEGABYTE)
    server.handlers["/x"] = lambda _request: cut(body, len(body) // 2)
    with pytest.raises(TransferCut):
        body_of(transport, server.url("/x"))
