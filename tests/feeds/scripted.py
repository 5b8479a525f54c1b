"""A server on loopback that says, byte by byte, what a test tells it to: cut, stalled, mislabelled.

It speaks HTTP/1.1 over plain sockets, since a real HTTP server would not let itself be that wrong.
"""

import contextlib
import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, TypeAlias
from urllib.parse import parse_qs, urlsplit

Pairs: TypeAlias = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """One request as it came; header names in lower case."""

    target: str
    headers: Mapping[str, str]
    method: str = "GET"
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def params(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


@dataclass(frozen=True)
class Reply:
    """`pieces` go out one by one; then the connection lives on, is closed, or stays silent."""

    pieces: Iterable[bytes]
    then: str = "go on"


Handler: TypeAlias = Callable[[Request], Reply]


def ok(
    body: bytes | str, kind: str = "text/xml", *, status: int = 200, headers: Pairs = (), length: bool = True
) -> Reply:
    """A whole answer. Without a length its end is the connection's."""
    data = body.encode() if isinstance(body, str) else body
    more = [*headers, ("Content-Length", str(len(data)))] if length else [*headers, ("Connection", "close")]
    return Reply([head(status, kind, more), data], then="go on" if length else "close")


def cut(body: bytes, sent: int, kind: str = "text/xml", *, then: str = "close") -> Reply:
    """Content-Length of the whole, `sent` bytes of it."""
    return Reply([head(200, kind, [("Content-Length", str(len(body)))]), body[:sent]], then)


def chunked(
    pieces: Iterable[bytes],
    kind: str = "text/xml",
    *,
    form: str = "{:x}",
    end: bytes = b"0\r\n\r\n",
    then: str = "go on",
) -> Reply:
    """One HTTP chunk per piece (Q18), its size written in `form`."""

    def wire() -> Iterator[bytes]:
        yield head(200, kind, [("Transfer-Encoding", "chunked")])
        for piece in pieces:
            yield form.format(len(piece)).encode() + b"\r\n" + piece + b"\r\n"
        yield end

    return Reply(wire(), then)


def head(status: int, kind: str, headers: Pairs = ()) -> bytes:
    kinds = [("Content-Type", kind)] if kind else []
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in (*kinds, *headers))]
    return "\r\n".join([*lines, "", ""]).encode()


def _not_found(_request: Request) -> Reply:
    return ok("no such page", "text/plain", status=404)


def one_after_the_other(*replies: Reply) -> Handler:
    """The first request gets the first reply, and so on; the last reply stays."""
    left = list(replies)
    return lambda _request: left.pop(0) if len(left) > 1 else left[0]


@dataclass
class ScriptedServer:
    """`handlers` by path; everything that came is in `requests`."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self._open: list[socket.socket] = []
        self.connections = 0
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def stop(self) -> None:
        self._stopped.set()
        # Closing alone does not wake a thread that accepts or reads.
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # Head and body go out at once; otherwise each answer would wait for a delayed ACK.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        with contextlib.suppress(OSError), connection, reader:
            while request := _read(reader):
                self.requests.append(request)
                handler = self.handlers.get(request.path, _not_found)
                reply = handler(request)
                for piece in reply.pieces:
                    connection.sendall(piece)
                if reply.then == "silence":
                    self._stopped.wait()
                if reply.then != "go on":
                    connection.shutdown(socket.SHUT_RDWR)
                    return


def _read(reader: BinaryIO) -> Request | None:
    first = reader.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while line := reader.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return Request(first[1], headers, first[0], body)


class DigestGate:
    """Lets a request through when its Digest is right; each nonce holds for `uses` requests (Q98)."""

    def __init__(self, user: str, password: str, *, uses: int = 10**9, algorithm: str = "MD5") -> None:
        self.user, self.password, self.uses, self.algorithm = user, password, uses, algorithm
        self.qop = 'qop="auth", '
        self.extra: list[tuple[str, str]] = []
        self.challenges = 0
        self._left = 0

    def __call__(self, handler: Handler) -> Handler:
        def answer(request: Request) -> Reply:
            if self._left > 0 and self.accepts(request):
                self._left -= 1
                return handler(request)
            stale = "stale=true, " if "authorization" in request.headers and self.accepts(request) else ""
            self.challenges += 1
            self._left = self.uses
            challenge = (
                f'Digest realm="CREA.Distribution", {self.qop}{stale}nonce="{self.nonce}", '
                f'opaque="o", algorithm={self.algorithm}'
            )
            return ok("", "", status=401, headers=[("WWW-Authenticate", challenge), *self.extra])

        return answer

    @property
    def nonce(self) -> str:
        return f"nonce-{self.challenges}"

    def accepts(self, request: Request) -> bool:
        said = dict(re.findall(r'(\w+)="?([^",]*)"?', request.headers.get("authorization", "")))
        if said.get("nonce") not in (self.nonce, f"nonce-{self.challenges - 1}"):
            return False

        def digest(text: str) -> str:
            name = "sha256" if self.algorithm.startswith("SHA-256") else "md5"
            return hashlib.new(name, text.encode()).hexdigest()

        secret = digest(f"{self.user}:CREA.Distribution:{self.password}")
        if self.algorithm.endswith("sess"):
            secret = digest(f"{secret}:{said['nonce']}:{said['cnonce']}")
        middle = f"{said['nonce']}:{said['nc']}:{said['cnonce']}:auth" if self.qop else said["nonce"]
        wanted = digest(f"{secret}:{middle}:{digest('GET:' + request.target)}")
        return (said["uri"], said["response"]) == (request.target, wanted)
