"""A server on loopback that serves several feeds, RETS and Web API, each under its own path.

    http://127.0.0.1:PORT/<feed>/login      then search, getobject, getmetadata, action, logout beside it
    http://127.0.0.1:PORT/<feed>/photos/    pictures that answers only point to, without session
    http://127.0.0.1:PORT/<feed>/...        of a Web API feed: web_api/desk.py

It speaks to any client: the replay, the tests, the benchmarks and foreign ones.
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
from service.simulator.photo_host import PHOTOS, PhotoHost
from service.simulator.web_api.desk import TOKEN, ApiDesk, ApiSite
from service.simulator.wire import Listener

POLL_SECONDS = 0.02
"""How often the accept loop looks whether it shall end; it bounds how long `stop` takes."""


class LoopbackServer:
    """Serves while its `with` block runs. Port 0 takes a free one.

    On leaving, every connection is ended, a stalled one too; only a body that blocks by its own
    means must be let go by whoever blocks it.
    """

    def __init__(self, feeds: Mapping[str, Site | ApiSite], *, port: int = 0) -> None:
        self._journal = journal = Journal()
        rets = {name: site for name, site in feeds.items() if isinstance(site, Site)}
        self._desks = {name: FrontDesk(name, site, journal) for name, site in rets.items()}
        self._hosts = {name: PhotoHost(name, site, journal) for name, site in rets.items()}
        apis = {name: site for name, site in feeds.items() if isinstance(site, ApiSite)}
        self._apis = {name: ApiDesk(name, site, journal) for name, site in apis.items()}
        self._roots = {name: site.root for name, site in apis.items()}
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

    def base_url(self, feed: str) -> str:
        """Where the data of this Web API feed are; no slash at its end."""
        return f"http://127.0.0.1:{self.port}/{feed}/{self._roots[feed]}".rstrip("/")

    def token_url(self, feed: str) -> str:
        """Where a client of this Web API feed gets its tokens."""
        return f"http://127.0.0.1:{self.port}/{feed}/{TOKEN}"

    def revoke_tokens(self, feed: str) -> None:
        """No token of this Web API feed is good any more."""
        self._apis[feed].tokens.revoke()

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
        if feed in self._apis:
            return self._apis[feed].receive(request)
        if feed in self._hosts and capability.startswith(PHOTOS):
            return self._hosts[feed].receive(request)
        desk, transaction = self._desks.get(feed), TRANSACTIONS.get(capability.lower())
        if desk is None or transaction is None:
            text = f"nothing here; feeds: {', '.join([*self._desks, *self._apis])}\n"
            return RawAnswer(404, "Not Found", (("Content-Type", "text/plain"),), text.encode())
        return desk.receive(transaction, request)
