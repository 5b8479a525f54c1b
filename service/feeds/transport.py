"""The only way to the network: timeouts, retries, challenges, redirects, and cutting it all off.

Until the first byte of a body, asking again is this module's business; from then on a failure is a
TransferCut (answer.py), and the caller decides.
"""

import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from weakref import WeakSet

import requests
import urllib3
from requests.cookies import RequestsCookieJar
from urllib3.connection import HTTPConnection
from urllib3.exceptions import InvalidHeader

from parsers.mime import Headers
from service.errors import RetryLater, TransferCut
from service.feeds.answer import FAILURES, Answer, cause
from service.feeds.auth import Anonymous
from service.feeds.connections import PlainSession, WatchedAdapter, shut
from service.feeds.hosts import HostRule, place, resolve

CONNECT_SECONDS = 10.0
"""A host that takes no connection within it is down; its silence after that is the caller's measure."""

MAX_REDIRECTS = 5

WAITS = (0.5, 2.0)
"""Seconds before the second and the third try. Longer troubles are the schedule's."""

LONGEST_WAIT = 30.0
"""Seconds of a Retry-After that are sat out here; for longer ones the caller has better to do."""

_BUSY = frozenset({429, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class _Question:
    """One GET. `hint` says what to check where the server itself fails."""

    url: str
    params: Mapping[str, str] | None
    headers: Mapping[str, str] | None
    hint: str | None


class Transport:
    """GET requests of one feed, one at a time; `abandon` may be called from another thread.

    `silence` is how many seconds the server may say nothing; `waits` the seconds before each try
    after the first.
    """

    def __init__(
        self,
        feed: str,
        rule: HostRule,
        *,
        silence: float,
        headers: Mapping[str, str],
        waits: tuple[float, ...] = WAITS,
        auth: Anonymous | None = None,
        cookies: RequestsCookieJar | None = None,
    ) -> None:
        self._feed, self._rule, self._waits = feed, rule, waits
        self._timeout = (min(CONNECT_SECONDS, silence), silence)
        self._auth = auth or Anonymous()
        self._cut = threading.Event()
        self._lock = threading.Lock()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._session = PlainSession()
        self._session.headers.update(headers)
        self._session.auth = self._auth
        if cookies is not None:
            self._session.cookies = cookies
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, WatchedAdapter(self._watch))

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        hint: str | None = None,
    ) -> Answer:
        """The answer, redirects followed, whatever its status below 500.

        Raises RetryLater when there is none, with `hint` where the server itself fails, and
        TransferCut once abandoned. The host rule raises what it will.
        """
        question = _Question(url, params, headers, hint)
        for _ in range(MAX_REDIRECTS + 1):
            self._rule.check_url(question.url)
            answer = self._ask_patiently(question, self._waits)
            location = answer.headers.get("Location") if answer.status in _REDIRECTS else None
            if not location:
                return answer
            answer.close()
            question = replace(question, url=resolve(answer.url, location), params=None)
        raise RetryLater(f"{place(url)}: more than {MAX_REDIRECTS} redirects", feed=self._feed, hint=hint)

    @property
    def abandoned(self) -> bool:
        """Whether `abandon` was called. It is for good."""
        return self._cut.is_set()

    def abandon(self) -> None:
        """Cut the running request, wherever it stands, and refuse all others."""
        self._cut.set()
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            shut(sock)

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def _ask_patiently(self, question: _Question, waits: tuple[float, ...]) -> Answer:
        """Try again while that may help. Not stamina's loop: its waits could not be abandoned."""
        outcome = self._ask(question)
        if isinstance(outcome, Answer):
            return outcome
        if not waits or (outcome.after or 0) > LONGEST_WAIT:
            raise outcome
        self._cut.wait(waits[0] if outcome.after is None else outcome.after)
        return self._ask_patiently(question, waits[1:])

    def _ask(self, question: _Question) -> Answer | RetryLater:
        """The answer; a RetryLater that is returned, not raised, is worth another try."""
        answer = self._send(question)
        refused = False
        while isinstance(answer, Answer) and answer.status == 401:
            challenges = answer.headers.get_all("WWW-Authenticate")
            if not self._auth.learn(challenges, refused=refused):
                break
            answer.close()
            refused = True
            answer = self._send(question)
        if isinstance(answer, RetryLater) or (answer.status < 500 and answer.status != 429):
            return answer
        answer.close()
        trouble = RetryLater(
            f"{answer.place} answered HTTP {answer.status}",
            feed=self._feed,
            hint=question.hint,
            after=_retry_after(answer.headers),
        )
        if answer.status in _BUSY:
            return trouble
        raise trouble

    def _send(self, question: _Question) -> Answer | RetryLater:
        self._check_abandoned(question.url)
        try:
            response = self._session.get(
                question.url,
                params=question.params,
                headers=question.headers,
                stream=True,
                allow_redirects=False,
                timeout=self._timeout,
            )
        except FAILURES as error:
            self._check_abandoned(question.url)
            trouble = RetryLater(
                f"{place(question.url)} could not be asked: {cause(error)}",
                feed=self._feed,
                hint=f"check the network and feeds.{self._feed}.login_url",
            )
            # Whoever was silent for so long is not asked twice more; a bad certificate stays bad.
            if isinstance(error, requests.ReadTimeout | requests.exceptions.SSLError):
                raise trouble from None
            return trouble
        return Answer(response, self._feed, self._cut)

    def _check_abandoned(self, url: str) -> None:
        if self._cut.is_set():
            raise TransferCut(f"{place(url)} was abandoned", feed=self._feed)

    def _watch(self, connection: HTTPConnection) -> None:
        sock = connection.sock
        if not isinstance(sock, socket.socket):  # TLS within the TLS of a proxy
            return
        if connection.proxy is None:
            self._rule.check_address(sock.getpeername()[0])
        with self._lock:
            self._sockets.add(sock)
        if self._cut.is_set():
            shut(sock)


def _retry_after(headers: Headers) -> float | None:
    """Seconds; the header may also hold a date (RFC 9110 10.2.3)."""
    value = headers.get("Retry-After")
    if not value:
        return None
    try:
        return urllib3.Retry().parse_retry_after(value)
    except InvalidHeader:
        return None
