"""Bearer tokens: one that was given, or one that is asked for with a client's credentials (C1).

There is no refresh token: a new one is asked for before the old one ends, and once when the server
refuses it earlier.
"""

import threading
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import quote, quote_plus

from requests import PreparedRequest

from parsers.errors import ParseError
from parsers.odata.page import read_failure, read_json, text, whole
from service.errors import RetryLater, StopFeed
from service.feeds.answer import Answer
from service.feeds.auth import Anonymous

EARLY = timedelta(seconds=60)
"""Before its end a token is renewed: a request with it may wait that long at the server's door."""

USUAL_LIFE = 3600
"""Seconds that a token lives where its answer does not say (C1)."""


class Tokens(Protocol):
    """Where a bearer's token comes from."""

    def current(self) -> str:
        """A token that is good now."""

    def refused(self) -> bool:
        """The server refused the current one. Returns whether there may be another."""


class GivenToken:
    """A personal access token of the configuration."""

    def __init__(self, token: str) -> None:
        self._token = token

    def current(self) -> str:
        """It never changes."""
        return self._token

    def refused(self) -> bool:
        """There is no other."""
        return False


class ClientCredentials:
    """Tokens of OAuth 2 client credentials; any thread may ask.

    `post` sends a request with a body of a form and headers to the token URL.
    """

    def __init__(
        self,
        feed: str,
        token_url: str,
        client: tuple[str, str],
        post: Callable[[str, bytes, dict[str, str]], Answer],
        now: Callable[[], datetime],
    ) -> None:
        self._feed, self._token_url, self._client = feed, token_url, client
        self._post, self._now = post, now
        self._lock = threading.Lock()
        self._token, self._ends = "", now()

    def current(self) -> str:
        """The token, asked for where there is none or it ends soon. Raises RetryLater or StopFeed."""
        with self._lock:
            if not self._token or self._now() >= self._ends:
                self._token, life = self._ask()
                # A life shorter than the margin would else be no life at all.
                self._ends = self._now() + max(life - EARLY, life / 2)
            return self._token

    def refused(self) -> bool:
        """The next one is asked for anew."""
        with self._lock:
            self._token = ""
        return True

    def _ask(self) -> tuple[str, timedelta]:
        id_, secret = self._client
        separator = "&" if "?" in self._token_url else "?"
        url = f"{self._token_url}{separator}grant_type=client_credentials&client_id={quote(id_, safe='')}"
        # RFC 6749 2.3.1: both parts are form-encoded before they are joined.
        basic = b64encode(f"{quote_plus(id_)}:{quote_plus(secret)}".encode()).decode()
        headers = {
            "Authorization": f"Basic {basic}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        with self._post(url, b"", headers) as answer:
            return self._read(answer.status, answer.read_small())

    def _read(self, status: int, document: bytes) -> tuple[str, timedelta]:
        if status in (400, 401, 403):
            said = read_failure(document) or "it does not say why"
            raise StopFeed(
                f"the token server refused the client (HTTP {status}): {said}",
                feed=self._feed,
                hint=f"check feeds.{self._feed}.client_id and client_secret_env (or _file)",
            )
        if status != 200:
            raise RetryLater(f"the token server answered HTTP {status}", feed=self._feed)
        try:
            answer = read_json(document)
        except ParseError as error:
            raise RetryLater(f"the token server's answer cannot be read: {error}", feed=self._feed) from None
        token = text(answer, "access_token") if isinstance(answer, dict) else None
        # What stands in a header must be able to stand there (RFC 6750 2.1).
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise RetryLater("the token server's answer holds no token", feed=self._feed)
        return token, timedelta(seconds=max(1, whole(answer, "expires_in") or USUAL_LIFE))


class Bearer(Anonymous):
    """Sends a token with every request; asks once for another when it is refused."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """The request with the token of this moment."""
        request.headers["Authorization"] = f"Bearer {self._tokens.current()}"
        return request

    def learn(self, challenges: Sequence[str], *, refused: bool) -> bool:  # noqa: ARG002 - a 401 says enough
        """Whether a new token may help: once for each request."""
        return not refused and self._tokens.refused()
