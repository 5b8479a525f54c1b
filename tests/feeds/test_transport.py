import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service.errors import RetryLater, SkipItem, StopFeed, TransferCut
from service.feeds.answer import SMALL
from service.feeds.hosts import FeedHosts, PublicHosts
from service.feeds.transport import MAX_REDIRECTS, Transport
from tests.feeds.scripted import Reply, ScriptedServer, chunked, cut, head, ok, one_after_the_other

BODY = bytes(range(256)) * 1000

SECRET = "sig=planted-signature"


def transport_to(server: ScriptedServer, silence: float = 20.0) -> Transport:
    rule = FeedHosts("mls", server.url("/login"), [])
    return Transport("mls", rule, silence=silence, headers={"User-Agent": "t/1"}, waits=(0.01, 0.01))


@pytest.fixture
def transport(server: ScriptedServer) -> Iterator[Transport]:
    with closing(transport_to(server)) as transport:
        yield transport


def say(server: ScriptedServer, *replies: Reply) -> str:
    server.handlers["/x"] = one_after_the_other(*replies)
    return server.url("/x")


def read_all(transport: Transport, url: str) -> tuple[bytes, bool]:
    with transport.get(url) as answer:
        body = b"".join(iter(answer.read, b""))
        return body, answer.vouched


def test_bytes_are_handed_on_while_the_server_is_still_sending(
    server: ScriptedServer, transport: Transport
) -> None:
    received = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield head(200, "image/jpeg", [("Content-Length", "8")]) + b"half"
        assert received.wait(10)
        yield b"rest"

    with transport.get(say(server, Reply(pieces()))) as answer:
        assert answer.read() == b"half"
        received.set()
        assert answer.read() == b"rest"
        assert answer.read() == b""
        assert answer.vouched


def test_a_body_with_a_length_is_vouched_for(server: ScriptedServer, transport: Transport) -> None:
    assert read_all(transport, say(server, ok(BODY))) == (BODY, True)


def test_a_body_that_ends_with_its_connection_is_not_vouched_for(
    server: ScriptedServer, transport: Transport
) -> None:
    assert read_all(transport, say(server, ok(BODY, length=False))) == (BODY, False)


def test_q18_chunk_sizes_with_leading_zeros_and_bytes_behind_the_last_chunk(
    server: ScriptedServer, transport: Transport
) -> None:
    said = chunked([b"one", b"two" * 99], form="{:04x}", end=b"0\r\n\r\njunk")
    url = say(server, said, ok("next"))
    assert read_all(transport, url) == (b"one" + b"two" * 99, True)
    assert read_all(transport, url) == (b"next", True)


def test_q21_gzip_is_unpacked(server: ScriptedServer, transport: Transport) -> None:
    said = ok(gzip.compress(BODY), headers=[("Content-Encoding", "gzip")])
    assert read_all(transport, say(server, said)) == (BODY, True)


@pytest.mark.parametrize(
    "said",
    [
        cut(BODY, 1000),
        chunked([BODY[:1000]], end=b"", then="close"),
        chunked([BODY[:1000]], end=b"ff\r\nhalf a chunk", then="close"),
    ],
)
def test_a_cut_body_raises_each_time_it_is_read(
    server: ScriptedServer, transport: Transport, said: Reply
) -> None:
    with transport.get(say(server, said) + "?" + SECRET) as answer:
        received: list[bytes] = []
        with pytest.raises(TransferCut, match=r"feed mls: .*/x was cut after \d+ bytes: the conn") as raised:
            received.extend(iter(answer.read, b""))
        assert b"".join(received).startswith(BODY[:1000])
        assert SECRET not in str(raised.value)
        with pytest.raises(TransferCut):
            answer.read()
        assert not answer.vouched


def test_bytes_that_cannot_be_unpacked_are_a_cut_transfer(
    server: ScriptedServer, transport: Transport
) -> None:
    with (
        transport.get(say(server, ok(b"no gzip", headers=[("Content-Encoding", "gzip")]))) as answer,
        pytest.raises(TransferCut),
    ):
        answer.read()


def test_silence_inside_a_body_cuts_it(server: ScriptedServer) -> None:
    with (
        closing(transport_to(server, silence=0.5)) as transport,
        transport.get(say(server, cut(BODY, 10, then="silence"))) as answer,
    ):
        assert answer.read() == BODY[:10]
        with pytest.raises(TransferCut, match="nothing came for too long"):
            answer.read()


def test_silence_before_the_answer_is_retried_later_and_not_at_once(server: ScriptedServer) -> None:
    url = say(server, Reply([], then="silence"))
    with (
        closing(transport_to(server, silence=0.5)) as transport,
        pytest.raises(RetryLater, match=r"feed mls: .*nothing came for too long.*feeds\.mls\.login_url"),
    ):
        transport.get(url)
    assert len(server.asked("/x")) == 1


def test_an_unreachable_host_is_retried_later_with_what_to_check(server: ScriptedServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        closing(transport_to(server)) as transport,
        pytest.raises(RetryLater, match=r"refused.*check the network and feeds\.mls\.login_url") as raised,
    ):
        transport.get(f"http://127.0.0.1:{port}/x?{SECRET}")
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None  # the library's own error holds the whole URL


def test_a_connection_that_dies_before_the_answer_is_tried_again(
    server: ScriptedServer, transport: Transport
) -> None:
    assert read_all(transport, say(server, Reply([], then="close"), ok("there"))) == (b"there", True)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_tried_again_after_the_wait_that_it_asks_for(
    server: ScriptedServer, transport: Transport, status: int
) -> None:
    busy = ok("busy", status=status, headers=[("Retry-After", "0")])
    assert read_all(transport, say(server, busy, busy, ok("there"))) == (b"there", True)


def test_a_server_that_stays_busy_is_left_alone(server: ScriptedServer, transport: Transport) -> None:
    with pytest.raises(RetryLater, match="HTTP 503"):
        transport.get(say(server, ok("busy", status=503)))
    assert len(server.asked("/x")) == 3


def test_a_long_retry_after_is_handed_to_the_schedule(server: ScriptedServer, transport: Transport) -> None:
    with pytest.raises(RetryLater) as raised:
        transport.get(say(server, ok("busy", status=503, headers=[("Retry-After", "3600")])))
    assert raised.value.after == 3600
    assert len(server.asked("/x")) == 1


def test_another_server_error_is_retried_later_with_the_hint(
    server: ScriptedServer, transport: Transport
) -> None:
    with pytest.raises(RetryLater, match=r"HTTP 500 \(try the other thing\)"):
        transport.get(say(server, ok("broken", status=500)), hint="try the other thing")
    assert len(server.asked("/x")) == 1


def moved(location: str) -> Reply:
    return ok("moved", status=302, headers=[("Location", location)])


def test_a_redirect_within_the_host_is_followed(server: ScriptedServer, transport: Transport) -> None:
    server.handlers["/there"] = lambda _request: ok("there")
    with transport.get(say(server, moved("there?a=b"))) as answer:
        assert answer.read_small() == b"there"
        assert answer.url == server.url("/there?a=b")


def test_a_redirect_to_another_host_is_not_followed(server: ScriptedServer, transport: Transport) -> None:
    with pytest.raises(StopFeed, match=r"host localhost.*feeds\.mls\.hosts"):
        transport.get(say(server, moved(server.url("/there", host="localhost"))))
    assert server.paths() == ["/x"]


def test_redirects_end_somewhere(server: ScriptedServer, transport: Transport) -> None:
    with pytest.raises(RetryLater, match="more than 5 redirects"):
        transport.get(say(server, moved("/x")))
    assert len(server.asked("/x")) == MAX_REDIRECTS + 1


def test_a_connection_serves_many_requests(server: ScriptedServer, transport: Transport) -> None:
    url = say(server, ok(BODY[:5000]))
    transport.get(url).close()  # a short rest is read for the connection's sake
    read_all(transport, url)
    read_all(transport, url)
    assert server.connections == 1


def test_the_head_of_a_body_is_read_again_with_the_rest(server: ScriptedServer, transport: Transport) -> None:
    with transport.get(say(server, chunked([b"a", b"b", b"c", b"d"]))) as answer:
        assert answer.head(lambda head: len(head) >= 2) == b"ab"
        assert answer.head(lambda head: len(head) >= 3) == b"abc"
        assert b"".join(iter(answer.read, b"")) == b"abcd"
        assert answer.vouched


def test_an_endless_text_is_not_read_to_its_end(server: ScriptedServer, transport: Transport) -> None:
    with (
        transport.get(say(server, ok(b"x" * (SMALL + 1)))) as answer,
        pytest.raises(RetryLater, match=f"more than {SMALL} bytes"),
    ):
        answer.read_small()


def test_header_values_in_utf_8_are_read_as_such(server: ScriptedServer, transport: Transport) -> None:
    pieces = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
        "Content-Description: Café\r\nX:1\r\nx: 2\r\n\r\n".encode(),
    ]
    with transport.get(say(server, Reply(pieces))) as answer:
        assert answer.headers.get("content-description") == "Café"
        assert answer.headers.get_all("X") == ("1", "2")


def test_credentials_of_the_user_s_netrc_are_not_sent(
    server: ScriptedServer, transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    read_all(transport, say(server, ok("x")))
    assert "authorization" not in server.requests[0].headers


def test_a_private_address_is_refused_before_anything_is_asked(server: ScriptedServer) -> None:
    rule = PublicHosts("mls", "https://192.0.43.7/login")
    with (
        closing(Transport("mls", rule, silence=5, headers={})) as transport,
        pytest.raises(SkipItem, match=r"private address 127\.0\.0\.1"),
    ):
        transport.get(server.url("/x"))
    assert server.requests == []


def abandoned_when(ready: Callable[[], bool], transport: Transport) -> threading.Thread:
    """A thread that abandons the transport as soon as the server has come that far."""
    tick = threading.Event()

    def wait() -> None:
        for _ in range(1000):
            if ready():
                break
            tick.wait(0.01)
        transport.abandon()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_abandon_cuts_a_request_that_waits_for_its_answer(
    server: ScriptedServer, transport: Transport
) -> None:
    url = say(server, Reply([], then="silence"))
    thread = abandoned_when(lambda: bool(server.requests), transport)
    with pytest.raises(TransferCut, match="abandoned"):
        transport.get(url)
    thread.join()


def test_abandon_cuts_a_running_body(server: ScriptedServer, transport: Transport) -> None:
    with transport.get(say(server, cut(BODY, 10, then="silence"))) as answer:
        assert answer.read() == BODY[:10]
        thread = abandoned_when(lambda: True, transport)
        with pytest.raises(TransferCut, match="abandoned"):
            answer.read()
        thread.join()


def test_abandon_cuts_a_body_without_a_length(server: ScriptedServer, transport: Transport) -> None:
    said = Reply([head(200, "", []), BODY[:10]], then="silence")
    with transport.get(say(server, said)) as answer:
        assert answer.read() == BODY[:10]
        thread = abandoned_when(lambda: True, transport)
        with pytest.raises(TransferCut, match="abandoned"):
            answer.read()
        thread.join()


def test_abandon_ends_the_wait_before_another_try(server: ScriptedServer, transport: Transport) -> None:
    url = say(server, ok("busy", status=503, headers=[("Retry-After", "30")]))
    thread = abandoned_when(lambda: bool(server.requests), transport)
    with pytest.raises(TransferCut, match="abandoned"):
        transport.get(url)
    thread.join()
    with pytest.raises(TransferCut, match="abandoned"):
        transport.get(url)
    assert len(server.requests) == 1


def test_a_proxy_of_the_environment_is_used_and_may_be_private(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url(""))
    rule = PublicHosts("mls", "https://192.0.43.7/login")
    server.handlers["/x"] = lambda _request: ok("by proxy")
    with closing(Transport("mls", rule, silence=5, headers={})) as transport:
        assert read_all(transport, "http://photos.example/x")[0] == b"by proxy"
    assert server.requests[0].target == "http://photos.example/x"


def test_no_library_logs_a_url(
    server: ScriptedServer, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nno header line\r\n\r\n"]
    transport.get(say(server, Reply(pieces, then="close")) + "?" + SECRET).close()
    assert SECRET not in caplog.text


@pytest.mark.parametrize("location", ["http://[broken", "http://h:port/", "ftp://h/x"])
def test_a_redirect_to_no_url_is_refused(server: ScriptedServer, transport: Transport, location: str) -> None:
    with pytest.raises(StopFeed, match="not HTTP"):
        transport.get(say(server, moved(location)))


@pytest.mark.parametrize(
    "target",
    [
        "/x?$skiptoken=%7e%2b%2F==",
        "/x?a=b&&c=%c3%A9;d='e'|{f}^",
        "/x/../y//z?",
        "/x",
    ],
)
def test_x6_a_url_that_a_server_gave_is_sent_byte_for_byte(
    server: ScriptedServer, transport: Transport, target: str
) -> None:
    server.handlers[urlsplit(target).path] = lambda _request: ok("page")
    with transport.get(server.url(target)) as answer:
        assert answer.status == 200
    assert server.requests[-1].target == target


def test_a_url_that_no_request_line_can_hold_is_spelled_as_a_browser_would(
    server: ScriptedServer, transport: Transport
) -> None:
    server.handlers["/x"] = lambda _request: ok("page")
    with transport.get(server.url("/x?name=a b\u00e9")):
        assert server.requests[-1].target == "/x?name=a%20b%C3%A9"


def test_a_redirect_is_followed_byte_for_byte(server: ScriptedServer, transport: Transport) -> None:
    server.handlers["/moved"] = lambda _request: ok("here", status=200)
    location = [("Location", "/moved?sig=%7e==")]
    with transport.get(say(server, ok("", status=302, headers=location))):
        assert server.requests[-1].target == "/moved?sig=%7e=="


def test_what_changes_something_is_sent_once(server: ScriptedServer, transport: Transport) -> None:
    url = say(server, ok("busy", status=503), ok("done"))
    with pytest.raises(RetryLater, match="HTTP 503"):
        transport.send("POST", url, b"{}", {"Content-Type": "application/json"}, "check it")
    (request,) = server.requests
    assert (request.method, request.body) == ("POST", b"{}")
    assert request.headers["content-type"] == "application/json"


def test_a_redirect_of_what_changes_something_is_an_answer(
    server: ScriptedServer, transport: Transport
) -> None:
    url = say(server, ok("", status=307, headers=[("Location", "/elsewhere")]))
    with transport.send("PUT", url, b"{}", {}, "check it") as answer:
        assert answer.status == 307
    assert len(server.requests) == 1
