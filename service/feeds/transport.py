"""The only way to the network: timeouts, retries, challenges, redirects, and cutting it all off.

Until the first byte of a body, asking again is this module's business; from then on a failure is a
TransferCut (answer.py), and the caller decides.
"""

import re
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
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
from service.feeds.cookies import no_cookies
from service.feeds.hosts import HostRule, place, resolve

CONNECT_SECONDS = 10.0
"""A host that takes no connection within it is down; its silence after that is the caller's measure."""

MAX_REDIRECTS = 5

WAITS = (0.5, 2.0)
"""Seconds before the second and the third try. Longer troubles are the schedule's."""

LONGEST_WAIT = 30.0
"""Seconds of a Retry-After that are sat out here; for longer ones the caller has better to do."""

LONGEST_AFTER = 86_400.0
"""Seconds of a Retry-After that is believed. A parked listing is looked at daily, too."""

_PLAIN = re.compile(r"[!-~]+")

_BUSY = frozenset({429, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class TooManyRequests(RetryLater):
    """HTTP 429."""


@dataclass(frozen=True)
class _Question:
    """One request. `hint` says what to check where the server itself fails."""

    url: str
    params: Mapping[str, str] | None
    headers: Mapping[str, str] | None
    hint: str | None
    method: str = "GET"
    body: bytes | None = None

    @property
    def target(self) -> str | None:
        """What the request line is to hold: the URL byte for byte, since it may be signed (X6, C8).

        None where it has to be spelled anew: with parameters beside it, or where it is no plain ASCII.
        """
        parts = urlsplit(self.url)
        target = (parts.path or "/") + (f"?{parts.query}" if "?" in self.url else "")
        return target if self.params is None and _PLAIN.fullmatch(target) else None


class Transport:
    """Requests of one feed, one at a time; `abandon` may be called from another thread.

    `silence` is how many seconds the server may say nothing; `waits` the seconds before each try
    after the first; `ca_file` holds certificate authorities beside the public ones. Without `cookies`
    none are kept.
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
        ca_file: Path | None = None,
    ) -> None:
        self._feed, self._rule, self._waits = feed, rule, waits
        self._silence = silence
        self._auth = auth or Anonymous()
        self._cut = threading.Event()
        self._lock = threading.Lock()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self.target: str | None = None
        self._session = PlainSession()
        self._session.headers.update(headers)
        self._session.auth = self._auth
        self._session.cookies = no_cookies() if cookies is None else cookies
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, WatchedAdapter(self, ca_file))

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

    def send(self, method: str, url: str, body: bytes, headers: Mapping[str, str], hint: str) -> Answer:
        """The answer to a POST, PUT or DELETE, whatever its status below 500; a redirect is one, too.

        It is sent once: nobody knows whether a request without an answer was carried out. Raises as
        `get` does.
        """
        self._rule.check_url(url)
        return self._ask_patiently(_Question(url, None, headers, hint, method, body), ())

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
        kind = TooManyRequests if answer.status == 429 else RetryLater
        trouble = kind(
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
            self.target = None if self._auth.signs_target else question.target
            response = self._session.request(
                question.method,
                question.url,
                params=question.params,
                data=question.body,
                headers=question.headers,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT_SECONDS, self._silence), self._silence),
            )
        except FAILURES as error:
            self._check_abandoned(question.url)
            no_trust = isinstance(error, requests.exceptions.SSLError)
            trouble = RetryLater(
                f"{place(question.url)} could not be asked: {cause(error)}",
                feed=self._feed,
                hint=f"check {'the certificate' if no_trust else 'the network'} and "
                f"feeds.{self._feed}.{'ca_file' if no_trust else 'login_url'}",
            )
            # Whoever was silent for so long is not asked twice more; a bad certificate stays bad.
            if no_trust or isinstance(error, requests.ReadTimeout):
                raise trouble from None
            return trouble
        return Answer(response, self._feed, self._cut, self._silence)

    def _check_abandoned(self, url: str) -> None:
        if self._cut.is_set():
            raise TransferCut(f"{place(url)} was abandoned", feed=self._feed)

    # What `connections.Watch` asks for.

    def check_address(self, address: str) -> None:
        """Raise what the host rule raises."""
        self._rule.check_address(address)

    def connected(self, connection: HTTPConnection) -> None:
        """A connection that `abandon` is to cut."""
        sock = connection.sock
        if not isinstance(sock, socket.socket):  # TLS within the TLS of a proxy
            return
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
        return min(urllib3.Retry().parse_retry_after(value), LONGEST_AFTER)
    except (InvalidHeader, ValueError, OverflowError):  # the last two: a number beyond all numbers
        return None
