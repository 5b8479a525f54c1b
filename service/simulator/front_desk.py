"""One feed's front desk: who gets in, with which session, and what is written down about it.

Every request must carry Digest credentials, and every one after Login both cookies that Login set:
the session's own and the load balancer's (Q97). Login, Action and Logout are answered here;
everything else is the feed's `Answers`.
"""

import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from hashlib import md5
from http.cookies import CookieError, SimpleCookie
from typing import Literal

from service.simulator import documents
from service.simulator.answers import Answers, RawAnswer, text_answer
from service.simulator.digest import Admission, DigestGate
from service.simulator.faults import Faults, Kind
from service.simulator.journal import Journal, Seen
from service.simulator.spoil import under_faults

TRANSACTIONS = {
    "action": "Action",
    "login": "Login",
    "logout": "Logout",
    "search": "Search",
    "getobject": "GetObject",
    "getmetadata": "GetMetadata",
}
"""The last path segment of a capability URL, and the capability's name."""

SESSION_COOKIE = "RETS-Session-ID"
BALANCER_COOKIE = "ARRAffinity"


@dataclass(frozen=True, slots=True)
class Account:
    """Who may log in. `user_agent_password` None: any user agent will do."""

    username: str
    password: str = field(repr=False)
    user_agent_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Site:
    """One feed to serve. `lost_session` is how a request without a session is refused (Q96).

    `faults` befall requests with good credentials, and those for pictures.
    """

    account: Account
    answers: Answers
    lost_session: Literal["http 401", "reply 20701"] = "http 401"
    faults: Faults[Kind] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; `params` joins the query and the form body."""

    method: str
    target: str
    headers: Message
    params: Mapping[str, str]
    body: bytes = b""


class FrontDesk:
    """Receives the requests of one feed."""

    def __init__(self, feed: str, site: Site, journal: Journal) -> None:
        self._feed = feed
        self._site = site
        self._journal = journal
        account = site.account
        self._gate = DigestGate(f"{feed} listings", account.username, account.password)
        self._sessions: dict[str, str] = {}  # session id -> its load balancer's cookie
        self._lock = threading.Lock()

    def receive(self, transaction: str, request: Request) -> RawAnswer:
        """The answer to one request."""
        session = _cookie(request, SESSION_COOKIE)
        refusal = self._credentials_refusal(request) or self._user_agent_refusal(request, session)
        if refusal:
            return refusal
        self._journal.note(Seen(self._feed, transaction, request.params))
        return under_faults(
            self._site.faults,
            transaction,
            request.params,
            lambda: self._answer(transaction, request, session),
            self.expire_sessions,
        )

    def _answer(self, transaction: str, request: Request, session: str) -> RawAnswer:
        if transaction == "Login":
            return self._log_in()
        if not self._has_session(session, _cookie(request, BALANCER_COOKIE)):
            return self._session_refusal()
        return self._serve(transaction, request.params, session)

    def open_sessions(self) -> int:
        """Sessions that were begun and not ended."""
        with self._lock:
            return len(self._sessions)

    def expire_sessions(self) -> None:
        """Forget every session, as a server does that restarts (Q96)."""
        with self._lock:
            self._sessions.clear()

    def expire_nonces(self) -> None:
        """Make every nonce too old (Q98)."""
        self._gate.expire_nonces()

    def _serve(self, transaction: str, params: Mapping[str, str], session: str) -> RawAnswer:
        if transaction == "Action":
            return text_answer(b"No news today.\n", "text/plain")
        if transaction == "Logout":
            return self._log_out(session)
        answer = self._site.answers.answer(transaction, params)
        return answer or no_answer(self._journal, Seen(self._feed, transaction, params))

    def _credentials_refusal(self, request: Request) -> RawAnswer | None:
        admission = self._gate.admit(request.headers["Authorization"], request.method, request.target)
        if admission is Admission.ADMITTED:
            return None
        return self._refuse("Unauthorized", stale=admission is Admission.STALE)

    def _refuse(self, reason: str, *, stale: bool = False) -> RawAnswer:
        """HTTP 401 with an empty body, as CREA sends it."""
        challenge = ("WWW-Authenticate", self._gate.challenge(stale=stale))
        return RawAnswer(401, reason, (challenge,), b"")

    def _user_agent_refusal(self, request: Request, session: str) -> RawAnswer | None:
        """20041 without a RETS-UA-Authorization header, 20037 with a wrong one, both at HTTP 200 (Q92)."""
        password = self._site.account.user_agent_password
        if password is None:
            return None
        said = request.headers["RETS-UA-Authorization"]
        if said is None:
            return text_answer(documents.reply(20041, "User agent authentication required."))
        if hmac.compare_digest(said.encode(), _user_agent_digest(request, session, password).encode()):
            return None
        return text_answer(documents.reply(20037, "Client authentication failed."))

    def _log_in(self) -> RawAnswer:
        session, balancer = secrets.token_hex(16), secrets.token_hex(16)
        with self._lock:
            self._sessions[session] = balancer
        links = {name: f"/{self._feed}/{path}" for path, name in TRANSACTIONS.items()}
        answer = text_answer(documents.login(self._site.account.username, links))
        cookies = tuple(
            ("Set-Cookie", f"{name}={value}; path=/{self._feed}/; HttpOnly")
            for name, value in ((SESSION_COOKIE, session), (BALANCER_COOKIE, balancer))
        )
        return RawAnswer(answer.status, answer.reason, answer.headers + cookies, answer.body)

    def _log_out(self, session: str) -> RawAnswer:
        with self._lock:
            self._sessions.pop(session, None)
        return text_answer(documents.logout())

    def _has_session(self, session: str, balancer: str) -> bool:
        with self._lock:
            return bool(session) and self._sessions.get(session) == balancer

    def _session_refusal(self) -> RawAnswer:
        if self._site.lost_session == "reply 20701":
            return text_answer(documents.reply(20701, "Not logged in."))
        return self._refuse("RETS-Session-ID is invalid")


def no_answer(journal: Journal, seen: Seen) -> RawAnswer:
    """What is said of a request that the feed has no answer to."""
    journal.note_unanswered(seen)
    asked = " ".join(f"{name}={value}" for name, value in seen.params.items())
    text = f"feed {seen.feed} has no recorded answer for {seen.transaction} {asked}\n"
    head = (("Content-Type", "text/plain; charset=utf-8"),)
    return RawAnswer(500, "No recorded answer", head, text.encode())


def _cookie(request: Request, name: str) -> str:
    try:
        cookies: SimpleCookie = SimpleCookie(request.headers["Cookie"] or "")
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""


def _user_agent_digest(request: Request, session: str, password: str) -> str:
    """What RETS-UA-Authorization must say (RETS 1.7.2, section 3.10); the version is as sent (Q95)."""
    agent = _md5(f"{request.headers['User-Agent'] or ''}:{password}")
    request_id = request.headers["RETS-Request-ID"] or ""
    version = request.headers["RETS-Version"] or ""
    return f"Digest {_md5(f'{agent}:{request_id}:{session}:{version}')}"


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
