"""HTTP Digest authentication, the server's side (RFC 7616, MD5 with qop=auth).

A nonce is random, ages, and takes each count once. `stale=true` is said only to who has shown that
he knows the password: his client may then try again without asking anybody (Q98).
"""

import hmac
import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import md5
from urllib.request import parse_http_list, parse_keqv_list


class Admission(Enum):
    """What becomes of a request."""

    ADMITTED = auto()
    STALE = auto()
    REFUSED = auto()


@dataclass(slots=True)
class _Nonce:
    issued: float
    counts: set[int] = field(default_factory=set)


class DigestGate:
    """One account behind one realm. `nonce_seconds` is how long a nonce is good for."""

    def __init__(
        self,
        realm: str,
        username: str,
        password: str,
        *,
        nonce_seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._realm = realm
        self._username = username
        self._secret = _hex(f"{username}:{realm}:{password}")
        self._nonce_seconds = nonce_seconds
        self._clock = clock
        self._opaque = secrets.token_hex(8)
        self._nonces: dict[str, _Nonce] = {}
        self._lock = threading.Lock()

    def challenge(self, *, stale: bool = False) -> str:
        """A WWW-Authenticate value with a new nonce."""
        nonce = secrets.token_hex(16)
        with self._lock:
            fresh = {text: known for text, known in self._nonces.items() if self._is_fresh(known)}
            self._nonces = {**fresh, nonce: _Nonce(self._clock())}
        again = ", stale=true" if stale else ""
        return (
            f'Digest realm="{self._realm}", qop="auth", algorithm=MD5, '
            f'nonce="{nonce}", opaque="{self._opaque}"{again}'
        )

    def admit(self, authorization: str | None, method: str, target: str) -> Admission:
        """Judge an Authorization value; `target` is the request's path and query as sent."""
        said = _directives(authorization)
        if said is None or said.get("username") != self._username or said.get("uri") != target:
            return Admission.REFUSED
        count = _count(said)
        if count is None or not self._knows_password(said, method):
            return Admission.REFUSED
        return self._spend(said["nonce"], count)

    def expire_nonces(self) -> None:
        """Make every nonce given out so far too old."""
        with self._lock:
            for nonce in self._nonces.values():
                nonce.issued = -math.inf

    def _knows_password(self, said: Mapping[str, str], method: str) -> bool:
        proof = ":".join(said.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
        request = _hex(f"{method}:{said['uri']}")
        expected = _hex(f"{self._secret}:{proof}:{request}")
        return hmac.compare_digest(expected.encode(), said.get("response", "").encode())

    def _spend(self, text: str, count: int) -> Admission:
        with self._lock:
            nonce = self._nonces.get(text)
            if nonce is None or not self._is_fresh(nonce):
                return Admission.STALE
            if count in nonce.counts:  # somebody sends again what he has overheard
                return Admission.REFUSED
            nonce.counts.add(count)
            return Admission.ADMITTED

    def _is_fresh(self, nonce: _Nonce) -> bool:
        return self._clock() - nonce.issued <= self._nonce_seconds


def _directives(authorization: str | None) -> dict[str, str] | None:
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme.lower() != "digest":
        return None
    try:
        return parse_keqv_list(parse_http_list(rest))
    except ValueError:  # a directive without "="
        return None


def _count(said: Mapping[str, str]) -> int | None:
    """The nonce count; None where this is no qop=auth answer."""
    if said.get("qop") != "auth" or not said.get("cnonce") or "nonce" not in said:
        return None
    try:
        return int(said.get("nc", ""), 16)
    except ValueError:
        return None


def _hex(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
