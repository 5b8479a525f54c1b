"""Who may change something: whoever has signed in with the token, in this browser, on this page.

The token itself is never kept in a page, a URL or a cookie: signing in gives a ticket, which is a
time and its HMAC under the token, in a cookie that scripts cannot read and other sites cannot send.
"""

import hmac
import time
from hashlib import sha256
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

COOKIE = "listing-photos"

SIGNED_IN_SECONDS = 8 * 3600
"""A working day."""


class Door:
    """Signs in, remembers who has, and keeps everybody else out. Without a token nobody comes in."""

    def __init__(self, token: SecretStr | None) -> None:
        self._token = token.get_secret_value().encode() if token else None

    @property
    def locked(self) -> bool:
        """Whether no token is configured, so that nobody can sign in."""
        return self._token is None

    def opens(self, token: str) -> bool:
        """Whether this is the token; takes the same time for every wrong one."""
        return self._token is not None and hmac.compare_digest(token.encode(errors="replace"), self._token)

    def admits(self, request: Request) -> bool:
        """Whether the request carries a ticket of ours that is still valid."""
        until, _, mark = request.cookies.get(COOKIE, "").partition(".")
        if self._token is None or not (until.isascii() and until.isdecimal() and len(until) < 12):
            return False
        return hmac.compare_digest(mark.encode(), self._mark(until).encode()) and int(until) > time.time()

    def give_ticket(self, request: Request, response: Response) -> None:
        """Sign the browser in."""
        until = str(int(time.time()) + SIGNED_IN_SECONDS)
        _set(request, response, f"{until}.{self._mark(until)}", SIGNED_IN_SECONDS)

    def take_ticket(self, request: Request, response: Response) -> None:
        """Sign the browser out."""
        _set(request, response, "", 0)

    def _mark(self, until: str) -> str:
        return hmac.new(self._token or b"", b"ticket until " + until.encode(), sha256).hexdigest()


def _set(request: Request, response: Response, value: str, seconds: int) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, value, max_age=seconds, httponly=True, samesite="strict", secure=secure)


def is_of_this_site(request: Request) -> bool:
    """Whether a form comes from a page of ours: browsers tell where in Origin, which no page can forge.

    SameSite alone would let a page from another port of this host send one.
    """
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
