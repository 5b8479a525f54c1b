"""The feeds that the clients visit: the recorded ones, and the same photos in one plain dialect.

The recorded feeds are served by `python -m service.replay --serve`, a process of its own, each at its
first step. They are full of what real servers do. The plain feed tells a client that cannot cope with
that from a server that nobody can talk to.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from interop.drivers.plain import photos_of
from interop.drivers.visit import Task
from interop.verdict import Expected, GotPhoto
from parsers.image import sniff_media_type
from service.errors import ServiceError
from service.simulator.fixture import SINCE, Fixture, read_answer
from service.simulator.front_desk import Account, Site
from service.simulator.metadata import Metadata
from service.simulator.mls import Listing, Mls, Photo
from service.simulator.server import LoopbackServer

ROOT = Path(__file__).parent.parent

SINCE_START = "1970-01-01T00:00:00Z"
PLAIN = "plain"
PLAIN_ACCOUNT = Account("reader", "loopback-only")
SOME_DAY = datetime(2024, 5, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed that is being served: what a client is told of it, and what it holds."""

    name: str
    task: Task
    expected: Expected


@contextmanager
def recorded_feeds(fixtures: Sequence[Fixture], folders: Sequence[Path]) -> Iterator[list[Feed]]:
    """The fixtures, served by a process that runs as long as the `with` block."""
    command = (sys.executable, "-m", "service.replay", "--serve", *map(str, folders))
    with subprocess.Popen(  # noqa: S603 - the project's own command
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            login_urls = _login_urls(process.stdout or ())
            if len(login_urls) != len(fixtures):
                raise ServiceError("service.replay --serve ended before it served")
            yield [_recorded(fixture, login_urls[fixture.name]) for fixture in fixtures]
        finally:
            process.terminate()  # and leaving waits for its end


def _login_urls(printed: Iterable[str]) -> dict[str, str]:
    """What the server prints until it is ready."""
    urls: dict[str, str] = {}
    for line in printed:
        if found := re.search(r"login URL\s+(http://[^/]+/([^/]+)/login)", line):
            urls[found[2]] = found[1]
        if line.startswith("Ctrl-C"):
            break
    return urls


def _recorded(fixture: Fixture, login_url: str) -> Feed:
    expected, settings = fixture.steps[0].expected, fixture.settings
    photos = frozenset(
        GotPhoto(key, str(entry["MediaKey"]), str(entry["Sha256"]))
        for key, listing in expected.listings.items()
        for entry in listing.media
    )
    asked = {key: ids for key, _, ids in (one.rpartition(":") for one in expected.asked)}
    names = Metadata.of_feed(settings)
    holds = Expected(_learnt(names), frozenset(expected.listings), photos, asked)
    search = {"query": settings["query"], "search_format": settings["search_format"]}
    task = _task(names, login_url, fixture.account, asked=asked, **search)
    return Feed(fixture.name, task, holds)


@contextmanager
def plain_feed(fixtures: Sequence[Fixture]) -> Iterator[Feed]:
    """The photos of all fixtures in one COMPACT feed, in bundles of the plainest kind."""
    listings = [listing for fixture in fixtures for listing in _listings(fixture)]
    asked = {listing.key: "*" for listing in listings}
    photos = frozenset(
        GotPhoto(listing.key, photo.id, sha256(photo.bundled(photo.id).picture).hexdigest())
        for listing in listings
        for photo in listing.photos
    )
    names = Metadata()
    query = f"({names.fields.modified}={SINCE}+)"
    with LoopbackServer({PLAIN: Site(PLAIN_ACCOUNT, Mls(listings))}) as server:
        task = _task(names, server.login_url(PLAIN), PLAIN_ACCOUNT, asked=asked, query=query)
        yield Feed(PLAIN, task, Expected(_learnt(names), frozenset(asked), photos, asked))


def _listings(fixture: Fixture) -> Iterator[Listing]:
    """The listings of the first step with the photos as they were answered."""
    step = fixture.steps[0]
    photos: dict[str, list[Photo]] = {key: [] for key in step.expected.listings}
    for exchange in step.exchanges:
        answer = read_answer(exchange.answer)
        if exchange.transaction == "GetObject" and isinstance(answer.body, bytes):
            for key, object_id, picture in photos_of(dict(answer.headers), answer.body):
                media_type = sniff_media_type(picture) or ""
                photos[key].append(Photo(object_id, picture, SOME_DAY, media_type=media_type))
    for key, own in photos.items():
        yield Listing(key, SOME_DAY, SOME_DAY, tuple(own))


def _task(
    names: Metadata,
    login_url: str,
    account: Account,
    *,
    asked: Mapping[str, str],
    query: str,
    search_format: str = "COMPACT",
) -> Task:
    return Task(
        login_url=login_url,
        username=account.username,
        password=account.password,
        resource=names.resource,
        class_=names.class_,
        query=query.replace(SINCE, SINCE_START),
        search_format=search_format,
        key_field=names.fields.listing,
        object_type=names.object_types[0],
        ask=list(asked.items()),
    )


def _learnt(names: Metadata) -> dict[str, Any]:
    """What a driver must have learnt from GetMetadata."""
    return {
        "resource": names.resource,
        "key_field": names.fields.listing,
        "classes": [names.class_],
        "object_types": list(names.object_types),
        "fields": list(names.columns().values()),
    }
