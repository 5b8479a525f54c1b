"""A RETS server on loopback with one account, and the configuration of a feed that follows it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from service.core.ports import Facts, IncomingPhoto, Wanted
from service.feeds.asked import Asked
from service.feeds.hosts import FeedHosts
from service.feeds.rets import RetsSource
from service.feeds.rets_objects import read_objects
from service.feeds.transport import Transport
from service.rets_config import RetsFeed, RetsFields
from tests.feeds.answers import Photos, Read, read_photo
from tests.feeds.scripted import Reply, Request, ScriptedServer, ok

PASSWORD = "planted-pa55word"
UA_PASSWORD = "planted-ua-secret"

LOGIN = """<RETS ReplyCode="0" ReplyText="Operation successful"><RETS-RESPONSE>
MemberName = A Reader
Login = /login
Logout = /logout
Search = /search
GetObject = /object
{more}</RETS-RESPONSE></RETS>"""

FIELDS = {"listing": "Key", "modified": "Modified", "photos_changed": "Photos", "photos_count": "Count"}

NOW = datetime(2024, 6, 1, tzinfo=UTC)
"""What the source takes for the time, unless the server's Date says otherwise."""

Configure = Callable[..., RetsFeed]
Open = Callable[..., RetsSource]


def login_page(more: str = "") -> Callable[[Request], Reply]:
    return lambda _request: ok(
        LOGIN.format(more=more), headers=[("Set-Cookie", "RETS-Session-ID=s1; path=/")]
    )


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """It logs in whoever comes; a test adds the pages that it is about."""
    server = ScriptedServer()
    server.handlers["/login"] = login_page()
    server.handlers["/logout"] = lambda _request: ok("<RETS ReplyCode='0' ReplyText='bye'/>")
    yield server
    server.stop()


@pytest.fixture
def configure(server: ScriptedServer) -> Configure:
    def build(**changes: Any) -> RetsFeed:
        given: dict[str, Any] = {
            "kind": "rets",
            "login_url": server.url("/login"),
            "username": "reader",
            "password": SecretStr(PASSWORD),
            "class": "ResidentialProperty",
            "query": "(ModificationTimestamp={since})",
            "search_format": "COMPACT",
            "timeout": timedelta(seconds=20),
        }
        return RetsFeed.model_validate({**given, **changes})

    return build


@pytest.fixture
def photos(server: ScriptedServer) -> Iterator[Photos]:
    """The photos of one answer, for what was asked; one listing in whole if nothing else is said."""
    rule = FeedHosts("mls", server.url("/login"), [])
    with closing(Transport("mls", rule, silence=10, headers={})) as transport:

        def read(said: Reply, wanted: Sequence[Wanted] = (Wanted("100"),)) -> Iterator[IncomingPhoto]:
            server.handlers["/rets/object"] = lambda _request: said
            with transport.get(server.url("/rets/object?ID=1")) as answer:
                yield from read_objects("mls", answer, Asked("mls", wanted, 10**6), RetsFields())

        yield read


@pytest.fixture
def read(photos: Photos) -> Read:
    return lambda *args: [read_photo(photo) for photo in photos(*args)]


@pytest.fixture
def open_source(configure: Configure) -> Iterator[Open]:
    sources: list[RetsSource] = []

    def build(facts: Facts | None = None, now: datetime = NOW, **changes: Any) -> RetsSource:
        config = configure(**{"fields": FIELDS, **changes})
        sources.append(RetsSource("mls", config, facts, lambda: now))
        sources[-1].open()
        return sources[-1]

    yield build
    for source in sources:
        source.close()
