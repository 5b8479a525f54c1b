"""Connections that notice a dead peer behind a long silence, and report themselves when they are up.

Reporting is what makes a request that still waits for its answer cuttable: until then there is no
response to shut down. It is also where the address that was reached is known for certain.
"""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
import urllib3
from requests_toolbelt.adapters.socket_options import TCPKeepAliveAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

# It would log whole URLs, signatures and all, of answers with a header that it cannot read.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


class PlainSession(requests.Session):
    """A session that neither follows a redirect nor reads its body: whoever asks looks at it first."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, whatever it says."""


class WatchedAdapter(TCPKeepAliveAdapter):  # type: ignore[misc] # the toolbelt ships no types
    """`watch` is called with every new connection, before anything of the request is sent."""

    def __init__(self, watch: Callable[[HTTPConnection], None]) -> None:
        self._pools = _watched_pools(watch)
        # A peer that vanished behind a NAT is noticed in a minute, where reading alone would wait on.
        super().__init__(idle=30, interval=10, count=3)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As the library does it, with the watched pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """As the library does it, with the watched pools; SOCKS has pools of its own."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if isinstance(manager, urllib3.ProxyManager):
            manager.pool_classes_by_scheme = self._pools
        return manager


def _watched_pools(watch: Callable[[HTTPConnection], None]) -> dict[str, type[HTTPConnectionPool]]:
    """Pool classes are how urllib3 lets one choose the connection class; it takes no instance."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            watch(self)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            watch(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def shut(sock: socket.socket) -> None:
    """Wake whoever reads from it. The plain socket's method, since that of TLS works on shared state."""
    with suppress(OSError):  # it is closed already
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
