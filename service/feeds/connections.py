"""Connections that notice a dead peer behind a long silence, and report themselves when they are up.

Reporting is what makes a request that still waits for its answer cuttable: until then there is no
response to shut down. A name is looked up once, and a connection goes to an address that was
checked: no second answer of a name service can lead it elsewhere.
"""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPResponse, parse_headers
from pathlib import Path
from typing import Any, Protocol

import requests
import urllib3
from requests_toolbelt.adapters.socket_options import TCPKeepAliveAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from service.errors import ServiceError

# It would log whole URLs, signatures and all, of answers with a header that it cannot read.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


MAX_INTERIM = 20
"""Answers with status 100 before the one that counts: the library alone would wait for it for ever."""


class Watch(Protocol):
    """What is told of every new direct connection, and of every connection that is up.

    `target` is what the next request line is to hold, byte for byte; None leaves it to the library.
    """

    target: str | None

    def check_address(self, address: str) -> None:
        """Raises a ServiceError where no connection may be made to this IP address."""

    def connected(self, connection: HTTPConnection) -> None:
        """Nothing of the request has been sent yet."""


class PlainSession(requests.Session):
    """A session that neither follows a redirect nor reads its body: whoever asks looks at it first."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, whatever it says."""


class WatchedAdapter(TCPKeepAliveAdapter):  # type: ignore[misc] # the toolbelt ships no types
    """`ca_file` holds certificate authorities that are trusted beside the public ones."""

    def __init__(self, watch: Watch, ca_file: Path | None = None) -> None:
        self._pools = _watched_pools(watch)
        self._tls: dict[str, Any] = {}
        if ca_file is not None:
            context = create_urllib3_context()
            context.load_verify_locations(ca_file)
            self._tls["ssl_context"] = context
        # A peer that vanished behind a NAT is noticed in a minute, where reading alone would wait on.
        super().__init__(idle=30, interval=10, count=3)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As the library does it, with the watched pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools
        self.poolmanager.connection_pool_kw.update(self._tls)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """As the library does it, with the watched pools; SOCKS has pools of its own."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.connection_pool_kw.update(self._tls)
        if isinstance(manager, urllib3.ProxyManager):
            manager.pool_classes_by_scheme = self._pools
        return manager


def _watched_pools(watch: Watch) -> dict[str, type[HTTPConnectionPool]]:
    """Pool classes are how urllib3 lets one choose the connection class; it takes no instance."""

    class Plain(HTTPConnection):
        response_class = BoundedResponse

        def _new_conn(self) -> socket.socket:
            return _reach(self, super()._new_conn, watch)

        def connect(self) -> None:
            super().connect()
            watch.connected(self)

        def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
            super().putrequest(method, _target(url, watch), *args, **kwargs)

    class Secure(HTTPSConnection):
        response_class = BoundedResponse

        def _new_conn(self) -> socket.socket:
            return _reach(self, super()._new_conn, watch)

        def connect(self) -> None:
            super().connect()
            watch.connected(self)

        def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
            super().putrequest(method, _target(url, watch), *args, **kwargs)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _target(url: str, watch: Watch) -> str:
    """The libraries spell a URL anew, `%7E` as `~` and `%2b` as `%2B`; through a proxy it is another one."""
    return watch.target if watch.target and url.startswith("/") else url


class BoundedResponse(HTTPResponse):
    """Where the library reads on for as long as somebody sends, an end."""

    _interim = 0

    def _read_status(self) -> Any:
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise HTTPException(f"more than {MAX_INTERIM} interim answers")
        return super()._read_status()  # type: ignore[misc] # the stubs leave it out

    def _read_and_discard_trailer(self) -> None:
        parse_headers(self.fp)  # bounded as the lines of a head are


def _reach(connection: HTTPConnection, connect: Callable[[], socket.socket], watch: Watch) -> socket.socket:
    """The first of the host's addresses that may be asked and answers. A proxy looks up names itself."""
    if connection.proxy is not None:
        return connect()
    name = connection._dns_host  # noqa: SLF001 - the public name of it leaves out a last dot
    trouble: Exception | None = None
    try:
        for address in _addresses(connection, name):
            try:
                watch.check_address(address)
                connection.host = address
                return connect()
            except (ServiceError, NewConnectionError, ConnectTimeoutError) as error:
                trouble = trouble or error
    finally:
        connection.host = name
    raise trouble or NewConnectionError(connection, f"{name} has no address")


def _addresses(connection: HTTPConnection, name: str) -> list[str]:
    try:
        found = socket.getaddrinfo(name, connection.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(name, connection, socket.gaierror(str(error))) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def shut(sock: socket.socket) -> None:
    """Wake whoever reads from it. The plain socket's method, since that of TLS works on shared state."""
    with suppress(OSError):  # it is closed already
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
