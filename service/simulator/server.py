"""A RETS server on loopback that serves several feeds, each under its own path.

    http://127.0.0.1:PORT/<feed>/login      then search, getobject, getmetadata, action, logout beside it

It speaks to any RETS client: the replay, the tests, the benchmarks and foreign ones.
"""

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from service.errors import ConfigError
from service.simulator.answers import RawAnswer
from service.simulator.front_desk import TRANSACTIONS, FrontDesk, Request, Site
from service.simulator.journal import Journal, Seen
from service.simulator.wire import Listener

POLL_SECONDS = 0.02
"""How often the accept loop looks whether it shall end; it bounds how long `stop` takes."""


class LoopbackServer:
    """Serves while its `with` block runs. Port 0 takes a free one.

    On leaving, every connection is ended, a stalled one too; only a body that blocks by its own
    means must be let go by whoever blocks it.
    """

    def __init__(self, feeds: Mapping[str, Site], *, port: int = 0) -> None:
        self._journal = Journal()
        self._desks = {name: FrontDesk(name, site, self._journal) for name, site in feeds.items()}
        self._wanted_port = port

    def __enter__(self) -> Self:
        try:
            self._listener = Listener(self._wanted_port, self._respond)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on 127.0.0.1:{self._wanted_port}: {error.strerror}",
                hint="choose another port",
            ) from error
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(POLL_SECONDS,), name="loopback server", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.stop()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._listener.server_port

    @property
    def requests(self) -> list[Seen]:
        """What was asked so far, in order; a copy."""
        return self._journal.seen()

    @property
    def unanswered(self) -> list[Seen]:
        """Requests that the feed's `Answers` had nothing for; each was answered with HTTP 500."""
        return self._journal.unanswered()

    def login_url(self, feed: str) -> str:
        """Where a client of this feed begins."""
        return f"http://127.0.0.1:{self.port}/{feed}/login"

    def open_sessions(self, feed: str) -> int:
        """Sessions of this feed that were begun and not ended."""
        return self._desks[feed].open_sessions()

    def expire_sessions(self, feed: str) -> None:
        """Forget this feed's sessions, as a server does that restarts (Q96)."""
        self._desks[feed].expire_sessions()

    def expire_nonces(self, feed: str) -> None:
        """Make every nonce of this feed too old, so that the next request is told stale=true (Q98)."""
        self._desks[feed].expire_nonces()

    def _respond(self, request: Request) -> RawAnswer:
        feed, _, capability = urlsplit(request.target).path.removeprefix("/").partition("/")
        desk, transaction = self._desks.get(feed), TRANSACTIONS.get(capability.lower())
        if desk is None or transaction is None:
            text = f"nothing here; feeds: {', '.join(self._desks)}\n"
            return RawAnswer(404, "Not Found", (("Content-Type", "text/plain"),), text.encode())
        return desk.receive(transaction, request)
