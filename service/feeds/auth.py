"""Proving who asks: Digest whenever it is offered, Basic only where Digest is not.

Nothing is sent before the server has asked for it, since Basic gives the password away. Whom it is
sent to is decided by `hosts.FeedHosts`, before any request. RETS adds a digest for the user agent.
"""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth
from requests.cookies import RequestsCookieJar

from service.rets_config import RetsFeed

# RFC 9110 11.6.1: several challenges may share one line, and both they and their parameters are
# separated by commas. A word with `=` is a parameter of the scheme before it.
_WORD = re.compile(r"""([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?""")

_ALGORITHMS = frozenset({"MD5", "MD5-SESS", "SHA", "SHA-256", "SHA-512"})
"""What requests can answer."""


@dataclass(frozen=True)
class Challenge:
    """One way in which the server would accept credentials; names in lower case."""

    scheme: str
    params: Mapping[str, str]

    @property
    def stale(self) -> bool:
        """RFC 7616 3.3: the credentials were right, the nonce was too old (Q98)."""
        return self.params.get("stale", "").lower() == "true"

    @property
    def answerable(self) -> bool:
        """Whether it is a Digest of a kind that can be computed."""
        qop = _listed(self.params.get("qop", "auth"))
        algorithm = self.params.get("algorithm", "MD5").upper()
        return "nonce" in self.params and "auth" in qop and algorithm in _ALGORITHMS


def read_challenges(lines: Sequence[str]) -> list[Challenge]:
    """The challenges of all WWW-Authenticate lines, in order.

    >>> [c.scheme for c in read_challenges(['Basic realm="a, b", Digest realm="a", nonce="1"'])]
    ['basic', 'digest']
    """
    return [challenge for line in lines for challenge in _challenges(line)]


def _challenges(line: str) -> Iterator[Challenge]:
    scheme, params = "", dict[str, str]()
    for match in _WORD.finditer(line):
        name, quoted, plain = match.groups()
        if quoted is not None or plain is not None:
            params[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
            continue
        if scheme:
            yield Challenge(scheme, params)
        scheme, params = name.lower(), {}
    if scheme:
        yield Challenge(scheme, params)


def _listed(text: str) -> list[str]:
    return [item.strip().lower() for item in text.split(",")]


def _choose(offered: Sequence[Challenge]) -> Challenge | None:
    """The first Digest that can be computed; Basic only where no Digest is offered at all."""
    digests = [challenge for challenge in offered if challenge.scheme == "digest"]
    fitting = (challenge for challenge in digests if challenge.answerable)
    basics = (challenge for challenge in offered if challenge.scheme == "basic")
    return next(fitting if digests else basics, None)


class Anonymous(AuthBase):
    """No credentials. Without it, requests would look for some in ~/.netrc."""

    signs_target = False
    """Whether the credentials speak of the request line, which then has to be the library's own."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """The request as it is."""
        return request

    def learn(self, challenges: Sequence[str], *, refused: bool) -> bool:  # noqa: ARG002 - FeedAuth's interface
        """Whether asking again would help: never."""
        return False


class FeedAuth(Anonymous):
    """One account's credentials, answered to the latest challenge.

    The user-agent digest is made anew for every request, since it holds the session cookie of that
    moment (Q91).
    """

    signs_target = True

    def __init__(self, config: RetsFeed, cookies: RequestsCookieJar) -> None:
        password = config.password.get_secret_value()
        self._digest = _Digest(config.username, password)
        self._basic = HTTPBasicAuth(config.username.encode(), password.encode())
        self._use_basic = False
        self._config = config
        self._cookies = cookies

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """The request with what the server is known to want."""
        if self._use_basic:
            self._basic(request)
        else:
            self._digest(request)
        if self._config.user_agent_password is not None:  # Q93: only with a password
            request.headers["RETS-UA-Authorization"] = f"Digest {self._user_agent_digest()}"
        return request

    def learn(self, challenges: Sequence[str], *, refused: bool) -> bool:
        """Take over the challenges of a 401. Returns whether asking again would help.

        `refused`: credentials for a challenge of this very request were turned down already; then
        only a stale nonce is worth another try (Q98).
        """
        chosen = _choose(read_challenges(challenges))
        if chosen is None:
            return False
        self._use_basic = chosen.scheme == "basic"
        if not self._use_basic:
            self._digest.adopt(chosen)
        return chosen.stale or not refused

    def secrets(self) -> list[str]:
        """What the server gave to prove the account with."""
        params = self._digest.challenge
        return [params[name] for name in ("nonce", "opaque") if params.get(name)]

    def unsupported(self, challenges: Sequence[str]) -> list[str]:
        """The names of what a 401 asks for, when none of it can be answered."""
        offered = read_challenges(challenges)
        return [] if _choose(offered) else [challenge.scheme.capitalize() for challenge in offered]

    def _user_agent_digest(self) -> str:
        """RETS 1.7.2, section 3.10; the request id is never sent, hence empty.

        The version is the text as sent, whatever the server answers (Q95); some leave it out (Q93).
        """
        config = self._config
        secret = config.user_agent_password.get_secret_value() if config.user_agent_password else ""
        session = next(
            (cookie.value or "" for cookie in self._cookies if cookie.name == config.session_cookie), ""
        )
        inner = _md5(f"{config.user_agent}:{secret}")
        version = config.rets_version if config.user_agent_digest_version else ""
        return _md5(f"{inner}::{session}:{version}")


class _Digest(HTTPDigestAuth):
    """The computation of requests, without its own handling of a 401.

    Its handler repeats the cookies of the first try, and takes several challenges for one.
    """

    _thread_local: threading.local

    @property
    def challenge(self) -> Mapping[str, str]:
        """The one that is being answered; empty before there was any."""
        self.init_per_thread_state()
        return self._thread_local.chal or {}

    def adopt(self, challenge: Challenge) -> None:
        self.init_per_thread_state()
        qop = {"qop": "auth"} if "qop" in challenge.params else {}
        self._thread_local.chal = {"realm": "", **challenge.params, **qop}

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        self.init_per_thread_state()
        if self._thread_local.chal:
            # Under an unknown scheme a path keeps its `;jsessionid=...`: under http it would be cut
            # off, and the digest would speak of another path than the request.
            url = f"rets:{request.path_url}"
            header = self.build_digest_header(request.method, url)  # type: ignore[no-untyped-call]
            request.headers["Authorization"] = header
        return request


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
