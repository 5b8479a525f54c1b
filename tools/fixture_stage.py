"""A stage for one feed's story: an MLS that changes, and the files that a client's cycle would see.

    with stage.step("03-photo-replaced", "...") as step:
        stage.put("20270724", {0: 1, 1: 1, 2: 12})     SequenceID -> number of the picture
        step.ask("20270724:2")                         what a good client asks now

The search answers are whatever the MLS finds; what is asked, and what goes wrong, the story says.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from service.rets_config import RetsFields
from service.simulator.answers import RawAnswer, text_answer
from service.simulator.bundles import Framing
from service.simulator.mls import Listing, Mls, Photo, iso, rfc1123
from tools.fixture_files import body_of, write_answer, write_exchanges, write_expected, write_feed
from tools.fixture_ledger import Asked, Ledger, Row
from tools.fixture_pictures import jpeg, png

FIRST_DAY = datetime(2024, 5, 1, 9, 0, tzinfo=UTC)
"""The day of the first step; each later one plays a day after the one before."""

FIRST_PNG = 900
"""Pictures from this number on are PNGs."""

ACCOUNT = {"username": "reader", "password": "loopback-only"}
"""The account of every fixture: good for a server on loopback and for nothing else."""

Exchange = tuple[str, Mapping[str, str], str]
"""Transaction, params, answer file."""


@dataclass(frozen=True)
class FeedStyle:
    """What distinguishes one feed from another. `feed` is the [feed] table of its feed.toml."""

    name: str
    title: str
    about: str
    feed: Mapping[str, Any]
    delimiter: str = "\t"
    captions: Mapping[int, str] = field(default_factory=dict)
    comments: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def fields(self) -> RetsFields:
        """The names of its queries and rows."""
        return RetsFields(**self.feed.get("fields", {}))

    @property
    def limit(self) -> int:
        """Rows per page."""
        return int(self.feed["limit"])

    @property
    def by_sequence(self) -> bool:
        """Whether records list their photos."""
        return bool(self.feed["search_format"] == "STANDARD-XML")

    @property
    def by_url(self) -> bool:
        """Whether answers point to pictures; each then comes with a time of its own."""
        return self.feed.get("location") == 1

    @property
    def default_only(self) -> bool:
        """Whether only the default photo is kept."""
        return self.feed.get("photos") == "default"


class Stage:
    """One feed between its first step and its last."""

    def __init__(self, root: Path, style: FeedStyle) -> None:
        self.style = style
        self.folder = root / style.name
        self.mls = Mls(fields=style.fields, delimiter=style.delimiter)
        self.now = FIRST_DAY - timedelta(days=1)
        self.cursor = datetime(1970, 1, 1, tzinfo=UTC)
        self.ledger = Ledger(style.by_sequence)
        self.folder.mkdir(parents=True)
        write_feed(self.folder / "feed.toml", style.title, style.about, ACCOUNT, style.feed)

    @contextmanager
    def step(self, name: str, about: str) -> Iterator["StepDraft"]:
        """One cycle; its files are written at the end of the block."""
        self.now = (self.now + timedelta(days=1)).replace(hour=9, minute=0)
        draft = StepDraft(self, self.folder / name, about)
        yield draft
        draft.write()

    def put(self, key: str, pictures: Mapping[int, int], *, preferred: int | None = None) -> None:
        """The listing has these pictures under these numbers now; those that differ are stamped."""
        self.now += timedelta(minutes=7)
        old = self.mls.listing(key)
        photos = tuple(
            self._photo(str(number), picture, old, preferred=number == preferred)
            for number, picture in pictures.items()
        )
        self.mls.put(Listing(key, self.now, self.now, photos))

    def touch(self, key: str) -> None:
        """The listing changes, but none of its photos."""
        self.now += timedelta(minutes=7)
        old = self.mls.listing(key)
        assert old
        self.mls.put(Listing(key, self.now, old.photos_changed, old.photos))

    def rows(self, key: str) -> tuple[Row, ...]:
        """The photos that a client of this feed is to hold of a listing."""
        listing = self.mls.listing(key)
        assert listing
        if self.style.default_only:
            default = listing.photo("0")
            return (self._row("0", default),) if default else ()
        return tuple(self._row(photo.id, photo) for photo in listing.photos)

    def _row(self, id_: str, photo: Photo) -> Row:
        """A photo as a ledger enters it. A STANDARD-XML record marks no photo as preferred."""
        assert isinstance(photo.picture, bytes)
        preferred = photo.preferred and not self.style.by_sequence
        return Row(id_, self._stamp(photo), photo.caption, preferred, photo.picture)

    def _stamp(self, photo: Photo) -> str | None:
        if self.style.by_sequence:
            return rfc1123(photo.changed)
        return iso(photo.changed) if self.style.by_url else None

    def _photo(self, id_: str, number: int, old: Listing | None, *, preferred: bool) -> Photo:
        picture = png(number) if number >= FIRST_PNG else self._jpeg(number)
        known = next((photo for photo in old.photos if photo.id == id_), None) if old else None
        changed = known.changed if known and known.picture == picture else self.now
        media_type = "image/png" if number >= FIRST_PNG else "image/jpeg"
        return Photo(id_, picture, changed, self.style.captions.get(number), preferred, media_type)

    def _jpeg(self, number: int) -> bytes:
        return jpeg(number, comment=self.style.comments.get(number, b""))


class StepDraft:
    """One step while the story tells it."""

    def __init__(self, stage: Stage, folder: Path, about: str) -> None:
        self._stage = stage
        self._folder = folder
        self._about = about
        self._answers: list[tuple[str, RawAnswer]] = []
        self._pictures: list[tuple[str, RawAnswer]] = []
        self._asked: list[Asked] = []
        self._gone: list[str] = []
        self._nothing: bytes | None = None

    def ask(self, ids: str, framing: Framing | None = None, *, reverse: bool = False) -> None:
        """A GetObject that is answered well: a bundle in this framing, else as the MLS does it."""
        parts = list(self._stage.mls.parts(ids, framing)) if framing else []
        answer = framing.bundle(reversed(parts) if reverse else parts) if framing else self._plain(ids)
        self.ask_answered(ids, answer)

    def ask_answered(
        self, ids: str, answer: RawAnswer, *, lost: Collection[str] = (), owed: str = ""
    ) -> None:
        """A GetObject with this answer, which brings everything but the `lost` Object-IDs."""
        self._answers.append((ids, answer))
        self._expect(ids, lost, owed)

    def fetch(self, url: str, answer: RawAnswer) -> None:
        """A picture that an answer points to, and what its host answers."""
        self._pictures.append((url, answer))

    def ask_batch(
        self,
        ids: str,
        answer: RawAnswer | None = None,
        *,
        lost: Mapping[str, Collection[str]] = MappingProxyType({}),
        owed: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """A GetObject for several listings, of which an empty one is not spoken of; what each has lost."""
        self._answers.append((ids, answer or self._plain(ids)))
        for one in ids.split(","):
            key = one.partition(":")[0]
            if self._wanted(one):
                self._expect(one, lost.get(key, ()), owed.get(key, ""))

    def ask_in_vain(self, ids: str, refusal: RawAnswer) -> None:
        """A GetObject that is refused as a whole, so that it is asked in another way."""
        self._answers.append((ids, refusal))

    def ask_spoilt(self, ids: str, framing: Framing, spoilt: Mapping[str, bytes], *, owed: str) -> None:
        """A bundle in which some parts (by Object-ID) are something else than the picture."""
        parts = self._stage.mls.parts(ids, framing)
        mixed = [spoilt.get(row.id, part) for row, part in zip(self._wanted(ids), parts, strict=True)]
        self.ask_answered(ids, framing.bundle(mixed), lost=spoilt.keys(), owed=owed)

    def ask_cut(self, ids: str, framing: Framing | None, *, owed: str) -> None:
        """An answer that ends inside its last picture."""
        self.ask_answered(ids, self.cut(ids, framing), lost={self._wanted(ids)[-1].id}, owed=owed)

    def cut(self, ids: str, framing: Framing | None) -> RawAnswer:
        """An answer that ends inside its last picture: fewer bytes than its Content-Length says."""
        whole = framing.bundle(self._stage.mls.parts(ids, framing)) if framing else self._plain(ids)
        assert whole.header("Transfer-Encoding") is None, "a chunked answer has no Content-Length to miss"
        body, last = body_of(whole), self._wanted(ids.rpartition(",")[2])[-1]
        end = body.rindex(last.picture) + len(last.picture) // 2
        headers = (*whole.headers, ("Content-Length", str(len(body))))
        return RawAnswer(200, "OK", headers, body[:end])

    def remove(self, key: str) -> None:
        """The listing is gone from the feed."""
        self._stage.mls.remove(key)
        self._gone.append(key)

    def find_nothing(self, document: bytes) -> None:
        """The search is answered with this document, which holds no listing."""
        self._nothing = document

    def write(self) -> None:
        """Write the step's files."""
        self._folder.mkdir()
        found, exchanges = self._write_searches()
        location = {"Location": "1"} if self._stage.style.by_url else {}
        exchanges += self._write(
            "GetObject", "photos", [({"ID": ids, **location}, answer) for ids, answer in self._answers]
        )
        exchanges += self._write(
            "Photo", "picture", [({"URL": url}, answer) for url, answer in self._pictures]
        )
        write_exchanges(self._folder / "exchanges.toml", self._about, exchanges)
        worked = dict.fromkeys([*found, *(asked.listing for asked in self._asked)])
        records = {key: self._stage.rows(key) for key in worked}
        requests = (ids for ids, _ in self._answers)
        expected = self._stage.ledger.close_step(found, requests, self._asked, records, self._gone)
        write_expected(self._folder / "expected.json", expected)

    def _write(
        self, transaction: str, file: str, answers: Sequence[tuple[Mapping[str, str], RawAnswer]]
    ) -> Iterator[Exchange]:
        for number, (params, answer) in enumerate(answers, start=1):
            name = f"{file}-{number}.http"
            write_answer(self._folder / name, answer)
            yield transaction, params, name

    def _expect(self, ids: str, lost: Collection[str], owed: str) -> None:
        wanted = self._wanted(ids)
        came = frozenset(row.id for row in wanted if row.id not in lost)
        self._asked.append(Asked(ids, wanted, came, owed))

    def _write_searches(self) -> tuple[list[str], list[Exchange]]:
        """The keys that the search finds, and the exchanges of its pages and of the scan of all keys."""
        stage, exchanges = self._stage, list[Exchange]()
        query = stage.style.feed["query"]
        asked = query.replace("{since}", stage.cursor.strftime("%Y-%m-%dT%H:%M:%SZ"))
        listings = [] if self._nothing else stage.mls.found(asked)
        assert listings is not None
        for offset in range(1, max(len(listings), 1) + 1, stage.style.limit):
            page = {"Query": asked, "Offset": str(offset), "Limit": str(stage.style.limit)}
            name = "changes.http" if offset == 1 else f"changes-from-{offset}.http"
            answer = text_answer(self._nothing) if self._nothing else self._found(page)
            write_answer(self._folder / name, answer)
            exchanges.append(("Search", {"Query": query, "Offset": str(offset)}, name))
        keys = f"({stage.style.fields.listing}=*)"
        write_answer(self._folder / "keys.http", self._found({"Query": keys}))
        exchanges.append(("Search", {"Query": keys}, "keys.http"))
        stage.cursor = max([stage.cursor, *(listing.modified for listing in listings)])
        return [listing.key for listing in listings], exchanges

    def _found(self, params: Mapping[str, str]) -> RawAnswer:
        answer = self._stage.mls.answer(
            "Search", {"Format": self._stage.style.feed["search_format"], "Count": "1", **params}
        )
        assert answer
        return answer

    def _plain(self, ids: str) -> RawAnswer:
        answer = self._stage.mls.answer("GetObject", {"ID": ids})
        assert answer
        return answer

    def _wanted(self, ids: str) -> tuple[Row, ...]:
        key, _, numbers = ids.partition(":")
        rows = {row.id: row for row in self._stage.rows(key)}
        if numbers == "*" or self._stage.style.default_only:
            return tuple(rows.values())
        return tuple(rows[id_] for id_ in numbers.split(":"))
