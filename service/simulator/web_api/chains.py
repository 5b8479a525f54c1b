"""Next links: opaque, good only byte for byte as they were given, and only for a while (C8)."""

import re
import threading
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from service.simulator.web_api.dialects import Dialect
from service.simulator.web_api.listings import Listing, Medium
from service.simulator.web_api.queries import Query


class Item(NamedTuple):
    """What a query has found: a listing, or one of its media with its order."""

    listing: Listing
    medium: Medium | None = None
    order: int = 0


@dataclass(frozen=True, slots=True)
class Rest:
    """What a link leads to: the rest of an answer from a place on. `path` is where the query was sent."""

    path: str
    query: Query
    found: Sequence[Item]
    start: int


class Chains:
    """The next links of one server; any thread may ask."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._lock = threading.Lock()
        self._rests: dict[str, Rest] = {}
        self._expired: set[str] = set()

    def link(self, rest: Rest) -> str:
        """A link to the rest, seen from the feed's own path. Every one is another."""
        with self._lock:
            number = len(self._rests) + len(self._expired)
            digest = sha256(f"{number} {rest.path} {rest.start}".encode()).digest()
            token = f"{b64encode(digest).decode().rstrip('=').replace('/', '_')}"
            target = self._target(rest, token)
            self._rests[target] = rest
        return target

    def rest(self, target: str) -> Rest | None:
        """What exactly this link leads to; None where it was never given or has expired."""
        with self._lock:
            return self._rests.get(target)

    def is_expired(self, target: str) -> bool:
        """Whether this link was given once."""
        with self._lock:
            return target in self._expired

    def expire(self) -> None:
        """No link that was given so far is good any more."""
        with self._lock:
            self._expired |= self._rests.keys()
            self._rests.clear()

    def _target(self, rest: Rest, token: str) -> str:
        said = [(name, value) for name, value in rest.query.options.items() if name != "$skiptoken"]
        options = "&".join(f"{name}={_escaped(value)}" for name, value in said)
        if self._dialect.link_in_path:
            return f"{rest.path.lower()}/skiptoken/{_escaped(token)}%7E==/?{options}"
        return "&".join(filter(None, (f"{rest.path}?$skiptoken={_escaped(token)}%7E==", options)))


def _escaped(value: str) -> str:
    """Escapes in lower case, which whoever builds the URL anew writes in another way (X6)."""
    return re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quote(value, safe="$,"))
