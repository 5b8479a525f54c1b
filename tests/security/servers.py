"""Servers that mean harm: over TLS with any certificate, and one that only counts who comes."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.feeds.scripted import ScriptedServer

CERTIFICATES = Path(__file__).parent / "certificates"
AUTHORITY = CERTIFICATES / "ca.pem"


class TlsServer(ScriptedServer):
    """A scripted server behind TLS."""

    def __init__(self, certificate: str, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(CERTIFICATES / certificate)
        self._context.maximum_version = newest
        super().__init__()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return super().url(path, host).replace("http:", "https:", 1)

    def _serve(self, connection: socket.socket) -> None:
        try:
            secure = self._context.wrap_socket(connection, server_side=True)
        except OSError:  # the client turned away
            connection.close()
            return
        self._open.append(secure)
        super()._serve(secure)


class Victim:
    """Listens where nobody should come; `visits` counts who came."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.visits = 0
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.visits += 1
            connection.close()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@contextmanager
def victim() -> Iterator[Victim]:
    here = Victim()
    try:
        yield here
    finally:
        here.stop()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bounds the processor time of this thread, which does not depend on what else is running."""
    began = time.thread_time()
    yield
    used = time.thread_time() - began
    assert used < seconds, f"{used:.2f} s of processor time, {seconds} allowed"


Resolver = Callable[[str], list[str]]


@contextmanager
def names(answer: Resolver) -> Iterator[list[str]]:
    """The name service's answers for names under `.example`; the list holds what was asked."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: object, *args: object, **kwargs: object) -> object:
        if not isinstance(host, str) or not host.rstrip(".").endswith(".example"):
            return real(host, *args, **kwargs)  # type: ignore[arg-type]
        asked.append(host)
        port = args[0] if args else kwargs.get("port")
        return [found for ip in answer(host) for found in real(ip, port, type=socket.SOCK_STREAM)]  # type: ignore[arg-type]

    socket.getaddrinfo = look_up  # type: ignore[assignment]
    try:
        yield asked
    finally:
        socket.getaddrinfo = real
