"""Answers as they stand on the wire, seen through a plain socket and through requests."""

import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from urllib3 import Retry

from service.simulator.answers import CutConnection, RawAnswer, ResetConnection, StallConnection
from service.simulator.front_desk import Request
from service.simulator.wire import CHUNK_BYTES, Listener
from tests.acceptance.support import wait_until
from tests.simulator.client import bytes_answer

GET = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = ("Transfer-Encoding", "chunked")


class Script:
    """Responds with its answers one after the other, and remembers the requests."""

    def __init__(self, *answers: RawAnswer | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> RawAnswer:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def listening(*answers: RawAnswer | Exception) -> Iterator[Listener]:
    listener = Listener(0, Script(*answers))
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield listener
    finally:
        listener.stop()
        thread.join()


def connected(listener: Listener) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.server_port), timeout=10)


def read_until(client: socket.socket, end: bytes) -> None:
    """Read what comes, until it ends so."""
    said = b""
    while not said.endswith(end):
        came = client.recv(100)
        assert came, f"the connection ended after {said!r}"
        said += came


def exchange(listener: Listener, requests_: int = 1) -> bytes:
    """Everything that the server writes until it ends the connection, or until we do."""
    with connected(listener) as client:
        client.sendall(GET * requests_)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def get(listener: Listener) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=Retry(0)))
        return session.get(f"http://127.0.0.1:{listener.server_port}/x", timeout=10)


def wait_until_idle(listener: Listener) -> None:
    """Until the listener has noticed that its clients are gone."""
    deadline = time.monotonic() + 30
    while listener.connections():
        assert time.monotonic() < deadline, "a connection was not ended"
        time.sleep(0.01)


def pieces(*items: bytes | Exception) -> Iterator[bytes]:
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


def test_status_and_headers_go_out_as_recorded_and_a_length_is_added() -> None:
    answer = RawAnswer(
        207, "Odd But True", (("content-TYPE", "image/jpeg"), ("X-Twice", "a"), ("X-Twice", "b")), b"12345"
    )
    with listening(answer) as listener:
        assert exchange(listener) == (
            b"HTTP/1.1 207 Odd But True\r\ncontent-TYPE: image/jpeg\r\nX-Twice: a\r\nX-Twice: b\r\n"
            b"Content-Length: 5\r\n\r\n12345"
        )


def test_a_connection_serves_request_after_request() -> None:
    with listening(bytes_answer(b"one"), bytes_answer(b""), bytes_answer(b"three")) as listener:
        said = exchange(listener, 3)
    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert said.endswith(b"\r\n\r\nthree")


def test_q18_bytes_sent_in_chunks_are_split_where_nobody_expects_it() -> None:
    body = bytes(range(256)) * 20
    with listening(bytes_answer(body, CHUNKED), bytes_answer(body, CHUNKED)) as listener:
        said = exchange(listener)
        assert get(listener).content == body
    assert b"\r\n\r\n%x\r\n" % CHUNK_BYTES in said
    assert said.endswith(b"\r\n0\r\n\r\n")
    assert b"Content-Length" not in said


def test_an_iterable_in_chunks_goes_out_item_by_item() -> None:
    answer = RawAnswer(200, "OK", (CHUNKED,), pieces(b"one", b"", b"three"))
    with listening(answer) as listener:
        assert exchange(listener).endswith(b"\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\n")


def test_an_iterable_without_a_length_ends_with_its_connection() -> None:
    answer = RawAnswer(200, "OK", (), pieces(b"one", b"two"))
    with listening(answer, bytes_answer(b"never")) as listener:
        said = exchange(listener, 2)
    assert said == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nonetwo"


def test_an_iterable_may_have_a_length() -> None:
    answer = RawAnswer(200, "OK", (("Content-Length", "6"),), pieces(b"one", b"two"))
    with listening(answer, bytes_answer(b"next")) as listener:
        assert exchange(listener, 2).endswith(b"next")


@pytest.mark.parametrize("declared", ["10", "2"])
def test_a_wrong_content_length_is_sent_as_given_and_ends_the_connection(declared: str) -> None:
    with listening(bytes_answer(b"12345", ("Content-Length", declared)), bytes_answer(b"never")) as listener:
        said = exchange(listener, 2)
    assert said == b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n12345" % declared.encode()


def test_a_body_shorter_than_its_length_is_a_cut_for_the_client() -> None:
    short = bytes_answer(b"12345", ("Content-Length", "10"))
    with listening(short) as listener, pytest.raises(requests.RequestException, match="IncompleteRead"):
        get(listener)


@pytest.mark.parametrize("headers", [(), (CHUNKED,), (("Content-Length", "1000"),)])
def test_a_cut_inside_a_body_is_seen_by_the_client(headers: tuple[tuple[str, str], ...]) -> None:
    answer = RawAnswer(200, "OK", headers, pieces(b"some", CutConnection()))
    with listening(answer) as listener, pytest.raises(requests.exceptions.RequestException):
        get(listener)


def test_a_cut_before_an_answer_is_seen_by_the_client() -> None:
    with listening(CutConnection()) as listener, pytest.raises(requests.exceptions.ConnectionError):
        get(listener)


def test_the_server_goes_on_after_a_cut() -> None:
    with listening(CutConnection(), bytes_answer(b"still here")) as listener:
        assert exchange(listener) == b""
        assert get(listener).content == b"still here"


def test_a_reset_is_seen_whatever_the_framing() -> None:
    answer = RawAnswer(200, "OK", (("Content-Length", "9"),), pieces(b"some", ResetConnection()))
    with listening(answer) as listener, connected(listener) as client:
        client.sendall(GET)
        with pytest.raises(ConnectionResetError):
            read_until(client, b"nothing that comes")


def test_connections_are_refused_for_a_while_and_those_that_are_open_go_on() -> None:
    with listening(bytes_answer(b"one"), bytes_answer(b"two")) as listener, connected(listener) as client:
        client.sendall(GET)
        read_until(client, b"one")

        def refuses() -> bool:
            listener.refuse(0.5)
            return is_refused(listener)

        wait_until(refuses, "a refusal")
        client.sendall(GET)
        read_until(client, b"two")
        wait_until(lambda: not is_refused(listener), "a connection")


def test_stopping_ends_a_pause_at_once() -> None:
    with listening() as listener:
        listener.refuse(3600)
        wait_until(lambda: is_refused(listener), "a refusal")


def is_refused(listener: Listener) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", listener.server_port)) == errno.ECONNREFUSED


def test_a_stall_says_nothing_more_until_the_client_gives_up() -> None:
    answer = RawAnswer(200, "OK", (("Content-Length", "9"),), pieces(b"some", StallConnection()))
    with listening(answer) as listener:
        with connected(listener) as client:
            client.sendall(GET)
            read_until(client, b"some")
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.recv(100)
        wait_until_idle(listener)


def test_a_client_that_goes_away_in_the_middle_is_not_reported(capfd: pytest.CaptureFixture[str]) -> None:
    endless = RawAnswer(200, "OK", (CHUNKED,), iter(lambda: b"x" * 65536, b""))
    with listening(endless) as listener, connected(listener) as client:
        client.sendall(GET)
        assert client.recv(1000)
        client.close()
        wait_until_idle(listener)
    assert capfd.readouterr().err == ""


def test_a_mistake_of_ours_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with listening(RuntimeError("planted mistake")) as listener:
        assert exchange(listener) == b""
    assert "planted mistake" in capfd.readouterr().err


def test_params_of_query_and_form_are_joined() -> None:
    script = Script(bytes_answer(b""))
    with listening() as listener:
        listener.respond = script
        url = f"http://127.0.0.1:{listener.server_port}/crea/search?Query=%28a%3D1%2B%29&Empty="
        requests.post(url, data={"Name": "\u00dc 1"}, timeout=10)
    (request,) = script.requests
    assert request.params == {"Query": "(a=1+)", "Empty": "", "Name": "\u00dc 1"}
    assert (request.method, request.target) == ("POST", "/crea/search?Query=%28a%3D1%2B%29&Empty=")
