"""One HTTP/1.1 connection: requests in, raw answers out, exactly as they are given.

A connection ends when its answer's framing leaves no other way to say where the body ended.
"""

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from service.simulator.answers import (
    CutConnection,
    RawAnswer,
    RefuseConnections,
    ResetConnection,
    StallConnection,
)
from service.simulator.front_desk import Request

CHUNK_BYTES = 1400
"""About one network packet: a recorded body sent in chunks is split where nobody would expect it (Q18)."""

STOP_SECONDS = 5.0
"""How long `stop` waits for threads whose connections it has ended."""


class Connection(BaseHTTPRequestHandler):
    """One client's connection, kept alive between requests."""

    protocol_version = "HTTP/1.1"
    # Head and body leave in separate writes; Nagle would hold the second back for the client's ACK.
    disable_nagle_algorithm = True
    server: "Listener"
    _ends_with_connection = False

    def do_GET(self) -> None:
        """Params stand in the query."""
        self._exchange(b"")

    def do_POST(self) -> None:
        """Params stand in the query and in the form body."""
        self._exchange(self._body())

    def do_PUT(self) -> None:
        """A document in the body (L5)."""
        self._exchange(self._body())

    def do_DELETE(self) -> None:
        """Nothing but the URL says what."""
        self._exchange(self._body())

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: what was asked is in the journal."""

    def _exchange(self, form: bytes) -> None:
        query = urlsplit(self.path).query
        pairs = [
            pair
            for text in (query, form.decode("latin-1"))
            for pair in parse_qsl(text, keep_blank_values=True)
        ]
        try:
            asked = Request(self.command, self.path, self.headers, dict(pairs), form)
            self._send(self.server.respond(asked))
        except CutConnection:
            self._cut()
        except ResetConnection:
            self._reset()
        except RefuseConnections as refusal:
            self.close_connection = True
            self.server.refuse(refusal.seconds)
        except StallConnection:
            self._stall()
        except ConnectionError:  # the client went away
            self.close_connection = True

    def _send(self, answer: RawAnswer) -> None:
        chunked = (answer.header("Transfer-Encoding") or "").lower() == "chunked"
        declared = self._send_head(answer, chunked=chunked)
        sent = 0
        for piece in _pieces(answer.body, chunked=chunked):
            if self.server.stopping:
                raise CutConnection
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            sent += len(piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        elif declared != str(sent):
            self.close_connection = True  # whoever reads on would take the rest for a new answer

    def _send_head(self, answer: RawAnswer, *, chunked: bool) -> str | None:
        """Send status line and headers; returns the Content-Length that they declare."""
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers:
            self.send_header(name, value)
        declared = answer.header("Content-Length")
        if declared is None and not chunked and isinstance(answer.body, bytes):
            declared = str(len(answer.body))
            self.send_header("Content-Length", declared)
        self._ends_with_connection = declared is None and not chunked
        if self._ends_with_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        return declared

    def _cut(self) -> None:
        self.close_connection = True
        if self._ends_with_connection:
            self._reset()  # an orderly end would pass for the end of the body

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def _stall(self) -> None:
        try:
            while self.connection.recv(1024):
                pass
        except ConnectionError:
            self.close_connection = True  # the client has reset the connection
        else:
            self._cut()


class Listener(ThreadingHTTPServer):
    """Accepts connections on 127.0.0.1 and can end them all."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, respond: Callable[[Request], RawAnswer]) -> None:
        self.respond = respond
        self._stop, self._ended = threading.Event(), threading.Event()
        self._refuse_seconds = 0.0
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Connection)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    def server_bind(self) -> None:
        """Bind without looking our own name up, which can take seconds where there is no DNS."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Accept until `stop`, with a pause whenever connections are to be refused."""
        try:
            super().serve_forever(poll_interval)
            while not self.stopping:
                self._close_for_a_while()
                super().serve_forever(poll_interval)
        finally:
            self._ended.set()

    def refuse(self, seconds: float) -> None:
        """Take no connection for so long; those that are open stay open. Never from the accept loop."""
        self._refuse_seconds = seconds
        self.shutdown()

    def _close_for_a_while(self) -> None:
        """Bound and not listening, the port is still ours, and whoever comes is refused."""
        self.socket.close()
        self.socket = socket.socket(self.address_family, self.socket_type)
        self.server_bind()
        self._stop.wait(self._refuse_seconds)
        self.server_activate()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, and remember both so that `stop` can end them."""
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name=f"loopback client {client_address[1]}",
            daemon=True,
        )
        with self._lock:
            self._open = {known: its for known, its in self._open.items() if known.is_alive()}
            self._open[thread] = request
            thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error; anything else is a mistake of ours and is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def connections(self) -> dict[threading.Thread, socket.socket]:
        """The connections that are open now, with the threads that serve them."""
        with self._lock:
            return {thread: connection for thread, connection in self._open.items() if thread.is_alive()}

    def stop(self) -> None:
        """End the accept loop and every connection; returns when their threads are gone."""
        self._stop.set()
        while not self._ended.wait(0.01):
            self.shutdown()  # more than once: a pause may just have ended
        self.server_close()
        # Whoever waits for his client is woken gently, so that he can still tell a cut from an end;
        # whoever is stuck in a write is not.
        for how, seconds in ((socket.SHUT_RD, STOP_SECONDS / 5), (socket.SHUT_RDWR, STOP_SECONDS)):
            still_open = self.connections()
            for connection in still_open.values():
                _end(connection, how)
            deadline = time.monotonic() + seconds
            for thread in still_open:
                thread.join(max(0.0, deadline - time.monotonic()))


def _pieces(body: bytes | Iterable[bytes], *, chunked: bool) -> Iterator[bytes]:
    if not isinstance(body, bytes):
        # An empty chunk would end a chunked body.
        yield from (piece for piece in body if piece)
        return
    step = CHUNK_BYTES if chunked else max(len(body), 1)
    for start in range(0, len(body), step):
        yield body[start : start + step]


def _end(connection: socket.socket, how: int) -> None:
    try:
        connection.shutdown(how)
    except OSError:
        return  # it has just ended by itself
