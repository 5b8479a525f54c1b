"""Bearer tokens: one that was given for good, and those that a client gets for its id and secret (C1)."""

import hmac
import json
import secrets
import threading
import time
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from service.simulator.answers import RawAnswer

CHALLENGE = ("WWW-Authenticate", 'Bearer realm="loopback"')


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask: whoever has `token`, or a token that was had for `client_id` and `client_secret`.

    Such a token lives `token_seconds`.
    """

    token: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    token_seconds: int = 3600


class TokenDesk:
    """Gives out tokens and knows those that are good; any thread may ask."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._ends: dict[str, float] = {access.token: float("inf")} if access.token else {}

    def admits(self, authorization: str | None) -> bool:
        """Whether an Authorization header holds a token that is good now."""
        kind, _, token = (authorization or "").partition(" ")
        with self._lock:
            ends = self._ends.get(token, 0.0)
        return kind.lower() == "bearer" and time.monotonic() < ends

    def revoke(self) -> None:
        """No token is good any more, the one that was given for good neither."""
        with self._lock:
            self._ends.clear()

    def lose(self) -> None:
        """Every token that was had for a secret ends early."""
        if self._access.client_id:
            self.revoke()

    def give(self, method: str, authorization: str | None, params: Mapping[str, str]) -> RawAnswer:
        """The token endpoint's answer (RFC 6749, sections 4.4 and 5.2)."""
        if method != "POST":
            return _json(405, "Method Not Allowed", {"error": "invalid_request"}, ("Allow", "POST"))
        if not self._is_client(authorization) or params.get("client_id") != self._access.client_id:
            return _json(401, "Unauthorized", {"error": "invalid_client"}, ("WWW-Authenticate", "Basic"))
        if params.get("grant_type") != "client_credentials":
            return _json(400, "Bad Request", {"error": "unsupported_grant_type"})
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._ends[token] = time.monotonic() + self._access.token_seconds
        said = {"access_token": token, "expires_in": self._access.token_seconds, "token_type": "Bearer"}
        return _json(200, "OK", said, ("Cache-Control", "no-store"))

    def _is_client(self, authorization: str | None) -> bool:
        kind, _, packed = (authorization or "").partition(" ")
        try:
            id_, _, secret = b64decode(packed, validate=True).decode().partition(":")
        except (Error, UnicodeDecodeError):
            return False
        wanted = f"{self._access.client_id}:{self._access.client_secret}".encode()
        said = f"{unquote_plus(id_)}:{unquote_plus(secret)}".encode()  # RFC 6749, section 2.3.1
        return kind.lower() == "basic" and bool(self._access.client_id) and hmac.compare_digest(said, wanted)


def _json(status: int, reason: str, said: Mapping[str, object], *head: tuple[str, str]) -> RawAnswer:
    body = json.dumps(said).encode()
    return RawAnswer(status, reason, (("Content-Type", "application/json"), *head), body)
