"""A front before an S3 server that knows HTTP: it carries requests on as they are, or fails by seed.

Signatures stay valid, since nothing of a request is changed, the Host header included.
"""

import hashlib
import http.client
import threading
from collections.abc import Mapping
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from service.simulator.faults import Fault, Faults, Injected


class StoreFault(StrEnum):
    """What can befall a request to the store. A fault of puts leaves other requests alone."""

    SLOW_DOWN = "503 SlowDown"
    BROKEN = "500 InternalError"
    FULL = "507 full"
    UNHEARD = "done, and the answer is lost"
    PUT_LOST = "put answered and not done"
    PUT_DAMAGED = "put done with other bytes"
    PUT_UNSIGNED = "put answered without ETag and not done"


HONEST = (StoreFault.SLOW_DOWN, StoreFault.BROKEN, StoreFault.FULL, StoreFault.UNHEARD)
"""What a store does that does not lie."""

_REFUSALS = {
    StoreFault.SLOW_DOWN: (503, "SlowDown", "Please reduce your request rate."),
    StoreFault.BROKEN: (500, "InternalError", "We encountered an internal error, please try again."),
    StoreFault.FULL: (507, "XMinioStorageFull", "Storage backend is full."),
}

_HOP_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding"})


class S3Front:
    """Listens on `port` and carries to `upstream`, as long as its `with` block runs."""

    def __init__(self, upstream: tuple[str, int], faults: Faults[StoreFault] | None = None) -> None:
        self.faults = faults or Faults[StoreFault]()
        self._server = _Server(upstream, self.faults)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="s3 front")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    @property
    def endpoint(self) -> str:
        """`HOST:PORT`."""
        return f"127.0.0.1:{self.port}"

    def wait_until_idle(self) -> None:
        """Until no request is under way to the store, also none that its client has given up."""
        with self._server.changed:
            self._server.changed.wait_for(lambda: self._server.asking == 0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: tuple[str, int], faults: Faults[StoreFault]) -> None:
        self.upstream, self.faults = upstream, faults
        self.asking, self.changed = 0, threading.Condition()
        super().__init__(("127.0.0.1", 0), _Exchange)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client or a store that went away is what this front is for."""


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""

    def _exchange(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        fault = self.server.faults.next(self.command)
        if fault and self._befalls(fault):
            self.server.faults.note(Injected(self.command, {"path": self.path.partition("?")[0]}, fault))
            self._fail(fault, body)
        else:
            self._pass_on(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _exchange  # noqa: N815 - the names are http.server's

    def _befalls(self, fault: Fault[StoreFault]) -> bool:
        return self.command == "PUT" or not fault.kind.name.startswith("PUT_")

    def _fail(self, fault: Fault[StoreFault], body: bytes) -> None:
        match fault.kind:
            case StoreFault.UNHEARD:
                self._ask_upstream(body)
                self.close_connection = True
            case StoreFault.PUT_LOST:
                self._say(200, {"ETag": f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'})
            case StoreFault.PUT_UNSIGNED:
                self._say(200, {})
            case StoreFault.PUT_DAMAGED:
                self._pass_on(_damaged(body))
            case _:
                self._refuse(fault)

    def _refuse(self, fault: Fault[StoreFault]) -> None:
        status, code, text = _REFUSALS[fault.kind]
        wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        error = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{text}</Message></Error>'
        self._say(status, {"Content-Type": "application/xml", **wait}, error.encode())

    def _pass_on(self, body: bytes) -> None:
        status, headers, answer = self._ask_upstream(body)
        self._say(status, headers, answer)

    def _ask_upstream(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        self._count(1)
        try:
            return self._carry(body)
        finally:
            self._count(-1)

    def _count(self, by: int) -> None:
        with self.server.changed:
            self.server.asking += by
            self.server.changed.notify_all()

    def _carry(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection(*self.server.upstream, timeout=30)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _say(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_HEADERS | {"content-length"}:
                self.send_header(name, value)
        # HEAD announces the length of the body that GET would bring.
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _damaged(body: bytes) -> bytes:
    """One byte in the middle is another one."""
    damaged = bytearray(body)
    damaged[len(damaged) // 2] ^= 0xFF
    return bytes(damaged)
