"""Writes down what a feed answers, exchange by exchange, while its photos are read.

An answer's file grows with the body, so a bundle of any size costs the memory of a chunk. What is
asked twice is kept as it was answered last: a fixture has one answer for a request.
"""

import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import OK, responses
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from parsers.mime import Headers, parse_content_type
from service.recording.lenses import BodyLens, DocumentLens, NoWords, ObjectLens
from service.recording.links import PhotoLinks
from service.recording.people import PeopleBlanker
from service.recording.scrub import Scrubber
from service.recording.words import ObjectWords
from service.rets_config import RetsFeed
from service.simulator.fixture import SINCE

TELLING = {
    "Search": ("Query", "Select", "Offset"),
    "GetObject": ("Type", "ID", "Location"),
    "Photo": ("URL",),
}
"""The params in which the requests of one cycle differ."""

FILES = {"Search": "search", "GetObject": "photos", "Photo": "picture"}


@dataclass
class Exchange:
    """One request and the file of its answer. `whole`: the body is there to its end."""

    transaction: str
    params: Mapping[str, str]
    path: Path
    head: bytes = field(default=b"", repr=False)
    whole: bool = False

    def open(self, status: int, headers: Headers) -> BinaryIO:
        """Begin the file, or begin it again."""
        lines = [f"HTTP/1.1 {status} {responses.get(status, 'Answered')}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.head = "\r\n".join(lines).encode("utf-8", "replace")
        self.whole = False
        file = self.path.open("wb")
        file.write(self.head + b"\r\n\r\n")
        return file

    def promise_more(self) -> None:
        """Announce a byte more than there is, so that the replay is cut where the answer was."""
        whole = self.path.with_suffix(".whole")
        body = self.path.stat().st_size - len(self.head) - len(b"\r\n\r\n")
        with self.path.open("rb") as old, whole.open("wb") as new:
            new.write(self.head + b"\r\nContent-Length: %d" % (body + 1))
            old.seek(len(self.head))
            shutil.copyfileobj(old, new)
        whole.replace(self.path)


class WrittenLens:
    """Passes a body through its lens and writes down what comes out."""

    def __init__(self, exchange: Exchange, lens: BodyLens, file: BinaryIO, *, may_be_cut: bool) -> None:
        self._exchange, self._lens, self._file, self._may_be_cut = exchange, lens, file, may_be_cut

    def receive_data(self, chunk: bytes) -> bytes:
        """What may be read, and is written."""
        seen = self._lens.receive_data(chunk)
        self._file.write(seen)
        return seen

    def close(self, *, vouched: bool) -> bytes:
        """The rest. A bundle for whose end nobody vouches counts as cut behind it.

        If its last delimiter is there, that takes nothing from it; if not, it was read as cut (Q7).
        """
        rest = self._lens.close()
        if rest:
            self._file.write(rest)
        self._file.close()
        self._exchange.whole = vouched or not self._may_be_cut
        return rest


class Recorder:
    """Observes one cycle of a feed (service/feeds/rets_client.py) and fills a step's folder."""

    def __init__(self, folder: Path, settings: RetsFeed, scrubber: Scrubber, *, people: bool) -> None:
        self._folder, self._settings, self._scrubber, self._people = folder, settings, scrubber, people
        self._links = PhotoLinks(scrubber)
        self._words = ObjectWords(scrubber, self._links, settings.fields, people=people)
        self._exchanges: dict[tuple[str, ...], Exchange] = {}
        self._requests: list[Exchange] = []
        self._numbers = Counter[str]()
        self._file: BinaryIO = BytesIO()
        # {since} is another one in every replay, and in every other client.
        self._since = re.compile(".*".join(map(re.escape, settings.query.split(SINCE))), re.DOTALL)

    @property
    def asked_ids(self) -> list[str]:
        """The ID of every GetObject that a replay will see."""
        return [one.params["ID"] for one in self._requests if one.transaction == "GetObject"]

    def asked(self, transaction: str, params: Mapping[str, str]) -> None:
        """A request; until an answer comes, it is one that the server fails at."""
        exchange = self._exchange(transaction, params)
        # Right after itself it is sent again with another Accept; the replay's first answer will do.
        if self._requests[-1:] != [exchange]:
            self._requests.append(exchange)
        self._begin(exchange, 500, Headers())
        self._file.close()
        exchange.whole = True

    def asked_photo(self, url: str) -> str:
        """The URL that a name stands for, whose picture is recorded under the name."""
        meant = self._links.meant_by(url)
        if meant is None:  # no HTTP, which nobody will send
            return url
        self.asked("Photo", {"URL": meant[0]})
        return meant[1]

    def answered(
        self, url: str, status: int, headers: Headers, secrets: Sequence[str] = ()
    ) -> tuple[Headers, WrittenLens]:
        """The answer to the last request: its headers and its body, as they may be read."""
        self._scrubber.learn(secrets)
        exchange = self._requests[-1]
        if exchange.transaction == "GetObject":
            self._links.base = url
        clean = self._clean_head(exchange.transaction, headers)
        self._begin(exchange, status, clean)
        if exchange.transaction == "Search":
            return clean, WrittenLens(exchange, self._search_lens(), self._file, may_be_cut=False)
        if exchange.transaction == "Photo" and status != OK:
            exchange.whole = True  # a client reads no further
            return clean, WrittenLens(exchange, NoWords(), self._file, may_be_cut=False)
        is_bundle = parse_content_type(clean.get("Content-Type")).media_type.startswith("multipart/")
        lens = ObjectLens(clean, self._words)
        return clean, WrittenLens(exchange, lens, self._file, may_be_cut=is_bundle)

    def _clean_head(self, transaction: str, headers: Headers) -> Headers:
        if transaction == "GetObject":
            return self._words.head(headers)
        clean = self._scrubber.clean_head(headers, people=self._people)
        # Redirects are behind us, and in a Location the path may be secret, too.
        return Headers((name, value) for name, value in clean if name.lower() != "location")

    def close(self) -> list[Exchange]:
        """The exchanges, in the order in which a replay is to try them."""
        self._file.close()
        for exchange in self._exchanges.values():
            if not exchange.whole:
                exchange.promise_more()
        return sorted(self._exchanges.values(), key=_place)

    def _exchange(self, transaction: str, params: Mapping[str, str]) -> Exchange:
        told = {name: params[name] for name in TELLING[transaction] if name in params}
        if "Query" in told:
            told["Query"] = self._told_query(told["Query"])
        key = (transaction, *told.values())
        if key not in self._exchanges:
            self._numbers[transaction] += 1
            name = f"{FILES[transaction]}-{self._numbers[transaction]}.http"
            self._exchanges[key] = Exchange(transaction, told, self._folder / name)
        return self._exchanges[key]

    def _told_query(self, query: str) -> str:
        if query != self._settings.keys_query and self._since.fullmatch(query):
            return self._settings.query
        return query

    def _begin(self, exchange: Exchange, status: int, headers: Headers) -> None:
        self._file.close()
        self._file = exchange.open(status, headers)

    def _search_lens(self) -> BodyLens:
        scrubber, settings = self._scrubber, self._settings
        if not self._people:
            return DocumentLens(scrubber.clean)
        blanker = PeopleBlanker(settings.fields, compact=settings.search_format != "STANDARD-XML")
        return DocumentLens(lambda piece: scrubber.clean(blanker.clean(piece)))


def _place(exchange: Exchange) -> tuple[int, bool]:
    """{since} stands for any text, so it comes after the queries that have a text of their own."""
    return [*TELLING].index(exchange.transaction), SINCE in exchange.params.get("Query", "")
