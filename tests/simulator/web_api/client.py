"""Asks a Web API server over real HTTP, with targets exactly as they are written."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import brotli

from service.simulator.server import LoopbackServer
from service.simulator.web_api.desk import ApiSite
from service.simulator.web_api.dialects import RESO, Dialect
from service.simulator.web_api.listings import Listing, Medium
from service.simulator.web_api.tokens import Access
from service.simulator.web_api.web_api import WebApi

TOKEN = "planted-token"

_UNPACK = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def page(self) -> Any:
        return json.loads(_UNPACK[self.headers.get("content-encoding", "")](self.body))

    @property
    def rows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page["value"]
        return found

    @property
    def link(self) -> str | None:
        page = self.page
        link: str | None = page.get("@odata.nextLink", page.get("@@odata.nextLink"))
        return link


@dataclass(frozen=True)
class Asking:
    """A client of one feed."""

    server: LoopbackServer
    root: str = "/x/"
    token: str | None = TOKEN

    def send(self, method: str, target: str, body: bytes = b"", **headers: str) -> Said:
        """`target` goes onto the wire as it stands."""
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        head = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token and "Authorization" not in head and "/media/" not in target:
            head["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, target, body or None, head)
            answer = connection.getresponse()
            said = {name.lower(): value for name, value in answer.getheaders()}
            return Said(answer.status, said, answer.read())
        finally:
            connection.close()

    def get(self, target: str, **headers: str) -> Said:
        return self.send("GET", target, b"", **headers)

    def ask(self, entity: str, **options: str) -> Said:
        """A query; options are named without their $."""
        pairs = (f"${name}={quote(value, safe='')}" for name, value in options.items())
        return self.get(f"{self.root}{entity}?{'&'.join(pairs)}")

    def keys(self, entity: str = "Property", **options: str) -> list[str]:
        """The keys of the rows that a query finds on its first page."""
        name = "ListingKey" if entity == "Property" else "MediaKey"
        said = self.ask(entity, **options)
        assert said.status == 200, said.body
        return [row[name] for row in said.rows]


@contextmanager
def serving(site: ApiSite, root: str = "/x/") -> Iterator[Asking]:
    with LoopbackServer({"x": site}) as server:
        yield Asking(server, root)


def site_of(api: WebApi, dialect: Dialect = RESO, **more: Any) -> ApiSite:
    return ApiSite(Access(TOKEN), api, dialect.root, **more)


@contextmanager
def asking(dialect: Dialect, *listings: Listing, **more: Any) -> Iterator[tuple[WebApi, Asking]]:
    """A server of these listings, and a client of it."""
    api = WebApi("/x/", dialect, listings)
    with serving(site_of(api, dialect, **more), f"/x/{dialect.root}") as client:
        yield api, client


def moment(minute: int, fraction: str = "") -> str:
    return f"2026-03-01T12:{minute:02}:00{fraction}Z"


def photo(key: str, picture: bytes = b"", *, changed: str = moment(0), **more: Any) -> Medium:
    return Medium(key, changed, picture=picture or f"picture {key}".encode(), **more)


def listing(key: str, *media: Medium, minute: int = 0, **more: Any) -> Listing:
    return Listing(key, moment(minute), moment(minute), media, **more)
