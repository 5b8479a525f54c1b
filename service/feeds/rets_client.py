"""One RETS session: login, the capability URLs, sessions that get lost, logout.

A transaction that comes back with a lost session is sent once more under a new one (Q96); if that
is not enough either it has failed, and is never taken for an empty answer (Q80).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from parsers.errors import ParseError, Truncated
from parsers.mime import Headers
from parsers.rets.login import LoginAnswer, parse_login
from parsers.rets.reply import Reply, Verdict, read_reply
from service.errors import RetryLater, ServiceError, StopFeed, TransferCut
from service.feeds.answer import Answer, Lens
from service.feeds.auth import FeedAuth
from service.feeds.cookies import SessionCookies
from service.feeds.hosts import FeedHosts, move, resolve
from service.feeds.transport import WAITS, Transport
from service.feeds.verdicts import refusal
from service.logs import Redactor
from service.rets_config import RetsFeed

log = structlog.get_logger()

HEAD_BYTES = 4096
"""Bytes in which a text's reply code and its columns stand, if it has any."""

IDLE_SHARE = 0.8
"""How much of TimeoutSeconds may pass in silence before a new login: the clocks are not the same."""

LOGOUT_SECONDS = 3.0
"""A server that takes longer for a logout will end the session by itself."""


SHORTEST_COOKIE = 8
"""Characters of a cookie's value that may be a session; shorter ones say `en` or `true`."""


class Observer(Protocol):
    """Sees every Search and GetObject, and may change how its answer reads (service/record.py)."""

    def asked(self, transaction: str, params: Mapping[str, str]) -> None:
        """A transaction begins."""

    def asked_photo(self, url: str) -> str:
        """A picture is to be fetched that an answer, as it was read, points to. Returns its true URL."""

    def answered(
        self, url: str, status: int, headers: Headers, secrets: Sequence[str] = ()
    ) -> tuple[Headers, Lens]:
        """The final answer, from `url`. `secrets` are the session's."""


class RetsClient:
    """The transactions of one account, one after the other: most allow a single session (Q99)."""

    def __init__(
        self,
        feed: str,
        config: RetsFeed,
        *,
        clock: Callable[[], float] = time.monotonic,
        observer: Observer | None = None,
        waits: tuple[float, ...] = WAITS,
    ) -> None:
        self._feed, self._config, self._clock, self._observer = feed, config, clock, observer
        self._cookies = SessionCookies()
        self._auth = FeedAuth(config, self._cookies)
        self._redactor = Redactor(
            secret.get_secret_value() for secret in (config.password, config.user_agent_password) if secret
        )
        self._transport = self._new_transport(config.timeout.total_seconds(), waits)
        self._session: LoginAnswer | None = None
        self._used = clock()

    def login(self) -> None:
        """Open a session. Raises StopFeed when the account or the URL is at fault."""
        self._session = None
        self._cookies.clear()  # the whole jar, load balancers' cookies included (Q97)
        with self._transport.get(self._config.login_url, hint=self._check("login_url")) as answer:
            self._session = self._read_login(answer, answer.read_small())
        self._used = self._clock()
        log.info("rets.login", feed=self._feed, capabilities=sorted(self._session.capabilities))
        if "action" in self._session.capabilities:  # Q89: it must be fetched; what it says does not matter
            self._transport.get(self._url("Action")).close()

    def logout(self) -> None:
        """Close the session, also after `abandon`: accounts with a single one would be locked out (Q99)."""
        session, self._session = self._session, None
        if session is None or "logout" not in session.capabilities:
            return
        url = self._resolve(session.capabilities["logout"])
        transport = self._new_transport(LOGOUT_SECONDS, waits=())
        try:
            transport.get(url).close()  # Q90: whatever it answers
            log.info("rets.logout", feed=self._feed)
        except ServiceError as error:
            log.info("rets.logout.failed", feed=self._feed, error=str(error))
        finally:
            transport.close()

    def abandon(self) -> None:
        """Cut the running transaction and refuse all others; only `logout` still works."""
        self._transport.abandon()

    @property
    def abandoned(self) -> bool:
        """Whether `abandon` was called."""
        return self._transport.abandoned

    def search(self, params: Mapping[str, str]) -> Answer:
        """A Search answer, to be closed."""
        answer = self._observed("Search", params, accept="*/*", hint=self._check("login_url", "rets_version"))
        if answer.status == 200 or read_head_reply(answer):
            return answer
        answer.close()
        raise RetryLater(
            f"Search: {answer.place} answered HTTP {answer.status}",
            feed=self._feed,
            hint=self._check("login_url", "rets_version"),
        )

    def get_object(self, params: Mapping[str, str], *, accept: str = "*/*") -> Answer:
        """A GetObject answer of any status below 500, to be closed."""
        # Q50: some servers fail here for one version, and serve another.
        return self._observed("GetObject", params, accept=accept, hint=self._check("rets_version"))

    def hide(self, text: str) -> str:
        """The text without what this session is kept by."""
        cookies = (cookie.value.strip('"') for cookie in self._cookies if cookie.value)
        session = [value for value in cookies if len(value) >= SHORTEST_COOKIE]
        return self._redactor.clean_cut(text, [*session, *self._auth.secrets()])

    def _observed(self, capability: str, params: Mapping[str, str], *, accept: str, hint: str) -> Answer:
        if self._observer is None:
            return self._transact(capability, params, accept=accept, hint=hint)
        self._observer.asked(capability, params)
        answer = self._transact(capability, params, accept=accept, hint=hint)
        secrets = [cookie.value for cookie in self._cookies if cookie.value] + self._auth.secrets()
        answer.look_through(*self._observer.answered(answer.url, answer.status, answer.headers, secrets))
        return answer

    def _transact(self, capability: str, params: Mapping[str, str], *, accept: str, hint: str) -> Answer:
        self._renew_if_idle()
        answer = self._send(capability, params, accept, hint)
        if not _session_is_lost(answer):
            return answer
        answer.close()
        log.info("rets.session.lost", feed=self._feed, transaction=capability, status=answer.status)
        self.login()
        answer = self._send(capability, params, accept, hint)
        if not _session_is_lost(answer):
            return answer
        answer.close()
        raise RetryLater(
            f"{capability}: {answer.place} has no session right after a login (HTTP {answer.status})",
            feed=self._feed,
            hint=self._check("session_cookie", "user_agent"),
        )

    def _send(self, capability: str, params: Mapping[str, str], accept: str, hint: str) -> Answer:
        self._used = self._clock()
        return self._transport.get(self._url(capability), params, headers={"Accept": accept}, hint=hint)

    def _renew_if_idle(self) -> None:
        """Q101: an expired session costs a failed request, and on some servers the account's only login."""
        if self._session is None:
            self.login()
            return
        limit = self._session.timeout_seconds
        if limit and self._clock() - self._used >= limit * IDLE_SHARE:
            log.info("rets.session.idle", feed=self._feed, timeout_seconds=limit)
            self.logout()
            self.login()

    def _url(self, capability: str) -> str:
        """The capability's URL, relative ones resolved against the login URL (Q86)."""
        url = self._session.capabilities.get(capability.lower()) if self._session else None
        if url is None:  # Q88
            raise StopFeed(
                f"the login answer offers no {capability}",
                feed=self._feed,
                hint=f"ask the provider whether the account {self._config.username} may use it",
            )
        return self._resolve(url)

    def _resolve(self, url: str) -> str:
        resolved = resolve(self._config.login_url, url)
        return move(resolved, self._config.login_url) if self._config.use_login_host else resolved

    def _read_login(self, answer: Answer, body: bytes) -> LoginAnswer:
        """A login that worked, whatever its HTTP status (Q90)."""
        try:
            login = parse_login(body)
        except ParseError as error:
            raise self._no_login(answer, error) from None
        if login.reply.verdict is not Verdict.FINE:
            raise refusal(self._feed, "login", login.reply)
        return login

    def _no_login(self, answer: Answer, error: ParseError) -> ServiceError:
        """What an answer that is no RETS means: a wrong password, a cut answer, a web page (Q100)."""
        if answer.status == 401:
            return self._unauthorized(answer)
        if answer.status == 200 and isinstance(error, Truncated):
            return TransferCut(f"login: {answer.place}: {error}", feed=self._feed)
        return StopFeed(
            f"login: HTTP {answer.status} from {answer.place}: {error}",
            feed=self._feed,
            hint=self._check("login_url", "username", "password_env"),
        )

    def _unauthorized(self, answer: Answer) -> StopFeed:
        schemes = self._auth.unsupported(answer.headers.get_all("WWW-Authenticate"))
        if schemes:
            return StopFeed(
                f"login: {answer.place} asks for {', '.join(schemes)}, which is not supported",
                feed=self._feed,
                hint="ask the provider for Digest with MD5 or SHA-256",
            )
        return StopFeed(
            f"login: {answer.place} refused the account {self._config.username} (HTTP 401)",
            feed=self._feed,
            hint=self._check("username", "password_env"),
        )

    def _check(self, *keys: str) -> str:
        return "check " + " and ".join(f"feeds.{self._feed}.{key}" for key in keys)

    def _new_transport(self, silence: float, waits: tuple[float, ...]) -> Transport:
        config = self._config
        return Transport(
            self._feed,
            FeedHosts(self._feed, config.login_url, config.hosts),
            silence=silence,
            waits=waits,
            # Q94: without the version some answer 400 or 20036.
            headers={"User-Agent": config.user_agent, "RETS-Version": config.rets_version, "Accept": "*/*"},
            auth=self._auth,
            cookies=self._cookies,
            ca_file=config.ca_file,
        )


def read_head_reply(answer: Answer) -> Reply | None:
    """The reply code of an answer that is one text; None for a bundle, an image, or a text without one."""
    return read_reply(text_head(answer, lambda head: read_reply(head) is not None))


def text_head(answer: Answer, found: Callable[[bytes], bool]) -> bytes:
    """The beginning of an answer, up to what is looked for; what cannot be XML is not looked through."""
    return answer.head(lambda head: len(head) >= HEAD_BYTES or not _may_be_xml(head) or found(head))


def _may_be_xml(head: bytes) -> bool:
    return b"<".startswith(head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1])


def _session_is_lost(answer: Answer) -> bool:
    """401, 412, or the reply code 20701 at HTTP 200 (Q96)."""
    if answer.status in (401, 412):
        return True
    reply = read_head_reply(answer)
    return reply is not None and reply.verdict is Verdict.LOGIN_AGAIN
