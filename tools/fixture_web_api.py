"""A stage for the story of a Web API feed: an MLS that changes, and the files of a client's cycle.

What differs between feeds is how a good client asks, and which requests go wrong; the answers are what
the MLS in memory says to those questions.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote

from service.simulator.answers import Answers, RawAnswer
from service.simulator.web_api.dialects import Dialect
from service.simulator.web_api.listings import PHOTO, Listing, Listings, Medium
from service.simulator.web_api.rows import MediaUrls
from tools.fixture_files import body_of, write_answer, write_exchanges, write_expected, write_feed
from tools.fixture_ledger import Asked, Ledger, Row
from tools.fixture_pictures import jpeg

FIRST_DAY = datetime(2024, 5, 1, 9, 0, tzinfo=UTC)
"""The day of the first step; each later one plays a day after the one before."""

TOKEN = {"token": "loopback-only"}
"""The access of most fixtures: good for a server on loopback and for nothing else."""


KEYS, CHANGES = "keys", "changes"
"""The names of the question for every key, and of the one for what has changed."""


@dataclass(frozen=True)
class Question:
    """A request for `path`. `sent` are the options of its query; an exchange asks for those of `named`.

    `name` begins the names of the files that answer it.
    """

    name: str
    path: str
    sent: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """What is sent, seen from the feed's root."""
        options = "&".join(f"{name}={quote(value, safe='$,')}" for name, value in self.sent.items())
        return f"{self.path}?{options}" if options else self.path

    @property
    def params(self) -> dict[str, str]:
        """What an exchange asks for."""
        return {"path": self.path, **self.named}


def about(key: str, columns: str, usual: Mapping[str, str], field: str) -> Iterator[Question]:
    """What a listing is, and its media, of which `field` names the listing."""
    for name, entity, by in (("listing", "Property", "ListingKey"), ("media", "Media", field)):
        wanted = f"{by} eq '{key}'"
        select = {"$select": columns} if entity == "Property" else {}
        sent = {**select, "$filter": wanted, **usual}
        yield Question(f"{name}-{key}", entity, sent, {"$filter": f"{{since}}{wanted}{{since}}"})


class Api(Answers, Protocol):
    """The server of a story."""

    @property
    def listings(self) -> Listings:
        """What it knows."""


class Asking(Protocol):
    """How a good client of a feed asks."""

    def found(self, stage: "ApiStage") -> list[str]:
        """The keys of the listings that may have changed, as the server tells them."""

    def looks_into(self, stage: "ApiStage", key: str) -> bool:
        """Whether the photos of a listing that was found have to be looked at."""

    def questions(self, stage: "ApiStage", looked: Sequence[str]) -> Sequence[Question]:
        """Everything that it asks but pictures, the first first. `looked`: the listings it looks into."""

    def stamp(self, stage: "ApiStage", listing: Listing, medium: Medium) -> str | None:
        """What the bucket keeps as a photo's time."""


@dataclass(frozen=True)
class ApiStyle:
    """What distinguishes one feed from another. `feed` is the [feed] table of its feed.toml.

    `suffix` ends the names of the pictures that are fetched. `photos_alone`: a change of photos moves
    PhotosChangeTimestamp, and no other time of the listing (X2).
    """

    name: str
    title: str
    about: str
    feed: Mapping[str, Any]
    dialect: Dialect
    asking: Asking
    account: Mapping[str, str]
    suffix: str = ""
    photos_alone: bool = False


class ApiStage:
    """One feed between its first step and its last.

    `since` is the latest ModificationTimestamp that a cycle saw, `photos_since` the latest
    PhotosChangeTimestamp; `seen` are the listings as
    the client saw them last.
    """

    def __init__(self, root: Path, style: ApiStyle, api: Api) -> None:
        self.style, self.api = style, api
        self.folder = root / style.name
        self.now = FIRST_DAY - timedelta(days=1)
        self.since: str | None = None
        self.photos_since: str | None = None
        self.seen: dict[str, Listing] = {}
        self.ledger = Ledger(by_sequence=True)
        self._urls = MediaUrls(style.dialect, f"/{style.name}/")
        self.folder.mkdir(parents=True)
        write_feed(self.folder / "feed.toml", style.title, style.about, style.account, style.feed)

    @contextmanager
    def step(self, name: str, about: str) -> Iterator["ApiStep"]:
        """One cycle; its files are written at the end of the block."""
        self.now = (self.now + timedelta(days=1)).replace(hour=9, minute=0)
        step = ApiStep(self, self.folder / name, about)
        yield step
        step.write()

    def tick(self) -> str:
        """The next moment at which something changes, with seven digits (X5)."""
        self.now += timedelta(minutes=7)
        return f"{self.now:%Y-%m-%dT%H:%M:%S}.{self.now.day * 1000 + self.now.minute:07}Z"

    def put(self, key: str, *media: tuple[str, int], captions: Mapping[str, str] | None = None) -> None:
        """The listing has these photos now (key, number of the picture); those that differ are stamped."""
        moment, old = self.tick(), self.api.listings.get(key)
        known = {medium.key: medium for medium in old.media} if old else {}
        said = [_medium(known.get(name), name, jpeg(number), moment) for name, number in media]
        words = captions or {}
        captioned = [replace(one, caption=words.get(one.key, one.caption)) for one in said]
        rest = [medium for medium in known.values() if medium.category != PHOTO]
        modified = old.modified if old and self.style.photos_alone else moment
        self.api.listings.put(Listing(key, modified, moment, (*captioned, *rest), id=f"L-{key}"))

    def add(self, key: str, medium: Medium) -> None:
        """The listing has another medium, behind the others."""
        old = self.api.listings.get(key)
        assert old
        self.api.listings.put(replace(old, modified=self.tick(), media=(*old.media, medium)))

    def rows(self, listing: Listing) -> tuple[Row, ...]:
        """The photos that a client of this feed is to hold of a listing."""
        photos = [medium for medium in listing.media if medium.category == PHOTO]
        return tuple(self._row(listing, medium, place) for place, medium in enumerate(photos))

    def url(self, listing: Listing, medium: Medium) -> str:
        """A photo's URL as the feed's answers say it, without the host."""
        return self._urls.url(listing, medium)

    def _row(self, listing: Listing, medium: Medium, place: int) -> Row:
        stamp, url = self.style.asking.stamp(self, listing, medium), self.url(listing, medium)
        return Row(medium.key, stamp, medium.caption, medium.preferred, medium.body, place, url)


class ApiStep:
    """One step while the story tells it."""

    def __init__(self, stage: ApiStage, folder: Path, about: str) -> None:
        self._stage, self._folder, self._about = stage, folder, about
        self._exchanges: list[tuple[str, Mapping[str, str], str]] = []
        self._once: set[str] = set()
        self._gone: list[str] = []
        self._first: list[tuple[str, RawAnswer | None]] = []

    def remove(self, key: str) -> None:
        """The listing is gone from the feed."""
        self._stage.api.listings.remove(key)
        self._gone.append(key)

    def begin_with(self, name: str, answer: RawAnswer | None = None) -> None:
        """The first request is answered so, once; None: with the right page, cut in its middle."""
        self._first.append((name, answer))

    def write(self) -> None:
        """Write the step's files."""
        stage, asking = self._stage, self._stage.style.asking
        self._folder.mkdir()
        found = asking.found(stage)
        looked = [key for key in dict.fromkeys(found) if asking.looks_into(stage, key)]
        pictures = [one for key in looked for one in self._new(key)]
        questions = asking.questions(stage, looked)
        self._write_first(next((one for one in questions if one.name == CHANGES), questions[0]))
        for question in questions:
            self._ask(question)
        for number, (listing, medium) in enumerate(pictures, start=1):
            self._fetch(listing, medium, f"picture-{number}.http")
        # A link's own path is that of the question, which would answer it, too.
        self._exchanges.sort(key=lambda exchange: "target" not in exchange[1])
        write_exchanges(self._folder / "exchanges.toml", self._about, self._exchanges, self._once)
        write_expected(self._folder / "expected.json", self._expected(found, looked, pictures))
        stage.seen |= {listing.key: listing for listing in stage.api.listings.all(found)}
        listings = stage.api.listings.all()
        stage.since = max([stage.since or "", *(one.modified for one in listings)])
        stage.photos_since = max([stage.photos_since or "", *(one.photos_changed for one in listings)])

    def _new(self, key: str) -> list[tuple[Listing, Medium]]:
        """The photos of a listing that a client has not, or not as they are now."""
        stage = self._stage
        listing = stage.api.listings.get(key)
        assert listing
        held = {row.id: row for row in stage.ledger.held.get(key, ())}
        rows = {row.id: row for row in stage.rows(listing)}
        return [
            (listing, medium)
            for medium in listing.media
            if medium.key in rows and (medium.key not in held or held[medium.key].sha != rows[medium.key].sha)
        ]

    def _expected(
        self, found: list[str], looked: Collection[str], pictures: Sequence[tuple[Listing, Medium]]
    ) -> dict[str, Any]:
        stage = self._stage
        records = {listing.key: stage.rows(listing) for listing in stage.api.listings.all(found)}
        new = {(listing.key, medium.key) for listing, medium in pictures}
        asked = []
        for key in looked:
            wanted = tuple(row for row in records[key] if (key, row.id) in new)
            asked.append(Asked(key, wanted, frozenset(row.id for row in wanted)))
        urls = [self._picture_url(listing, medium) for listing, medium in pictures]
        expected = stage.ledger.close_step(found, urls, asked, records, self._gone)
        for key, shown in expected["listings"].items():
            (listing,) = stage.api.listings.all([key])
            links = [medium for medium in listing.media if medium.link is not None]
            if links:
                shown["links"] = [_link_entry(medium) for medium in links]
        return expected

    def _picture_url(self, listing: Listing, medium: Medium) -> str:
        path = self._stage.url(listing, medium).removeprefix(f"/{self._stage.style.name}/")
        stem, dot, ending = path.rpartition(".")
        return f"{stem}{self._stage.style.suffix}{dot}{ending}"

    def _fetch(self, listing: Listing, medium: Medium, name: str) -> None:
        params = {"URL": self._picture_url(listing, medium)}
        answer = self._stage.api.answer("Media", params)
        assert answer
        assert answer.status == 200
        self._write("Media", params, name, answer)

    def _ask(self, question: Question) -> None:
        """The question's pages; those behind the first are found by their links."""
        target, params = self._root + question.target, question.params
        for number in count(1):
            answer = self._answer(target)
            name = f"{question.name}.http" if number == 1 else f"{question.name}-{number}.http"
            self._write("Get", params, name, answer)
            target = _link(answer).removeprefix(f"/{self._stage.style.name}/")
            if not target:
                return
            params = {"target": target}

    def _answer(self, target: str) -> RawAnswer:
        path, _, query = target.partition("?")
        params = {"path": path.removeprefix(self._root), **dict(parse_qsl(query)), "target": target}
        answer = self._stage.api.answer("Get", params)
        assert answer
        assert answer.status in {200, 404}, body_of(answer)
        return answer

    def _write_first(self, question: Question) -> None:
        for name, said in self._first:
            self._write("Get", question.params, name, said or self._cut(question))
            self._once.add(name)

    def _cut(self, question: Question) -> RawAnswer:
        whole = self._answer(self._root + question.target)
        body = body_of(whole)
        length = ("Content-Length", str(len(body)))
        return replace(whole, headers=(*whole.headers, length), body=body[: len(body) // 2])

    def _write(self, transaction: str, params: Mapping[str, str], name: str, answer: RawAnswer) -> None:
        write_answer(self._folder / name, answer)
        self._exchanges.append((transaction, params, name))

    @property
    def _root(self) -> str:
        return self._stage.style.dialect.root


def _medium(known: Medium | None, key: str, picture: bytes, moment: str) -> Medium:
    if known is None:
        return Medium(key, moment, moment, picture)
    if known.picture == picture:
        return replace(known, modified=moment)
    return replace(known, picture=picture, changed=moment, modified=moment)


def _link_entry(medium: Medium) -> dict[str, str | None]:
    return {"MediaKey": medium.key, "MediaCategory": medium.category, "MediaURL": medium.link}


def _link(answer: RawAnswer) -> str:
    page = json.loads(body_of(answer)) if answer.status == 200 else {}
    found: str = page.get("@odata.nextLink", page.get("@@odata.nextLink", ""))
    return found
