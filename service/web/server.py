"""The site on its own thread, with its own event loop: nothing of the daemon waits for a browser."""

import socket
import threading

import structlog
import uvicorn
from starlette.types import ASGIApp

from service.errors import ConfigError

log = structlog.get_logger()

CONNECTIONS = 100
"""At once; more are answered 503. One browser opens six."""

STOP_SECONDS = 2
"""For answers that are on their way when the daemon stops."""


class WebServer:
    """Listens from the moment it is made, so that a port that is taken is told before any work begins."""

    def __init__(self, site: ASGIApp, address: tuple[str, int]) -> None:
        host, port = address
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            self._socket = socket.create_server(address, family=family)
        except OSError as error:
            raise ConfigError(f"web.listen: {host}:{port}: {error.strerror}") from error
        config = uvicorn.Config(
            site,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    @property
    def address(self) -> str:
        """Where it listens, as HOST:PORT."""
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()
        log.info("web.listening", address=self.address)

    def stop(self) -> threading.Thread:
        """Ask it to end; the thread that is returned then does, unless a request hangs."""
        self._server.should_exit = True
        return self._thread

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except Exception:
            log.exception("web.crashed")
        finally:
            self._socket.close()
