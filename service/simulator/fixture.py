"""A fixture folder as values, and its recorded answers as a feed's `Answers`.

fixtures/README.md describes the format. Whatever is wrong with a fixture is a ConfigError that names
the file and the key.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import field_validator

from service.errors import ConfigError
from service.simulator.answers import RawAnswer
from service.simulator.fixture_tables import ExchangesToml, Table, checked, form_of, read_json, read_toml
from service.simulator.front_desk import Account
from service.simulator.metadata import Metadata
from service.simulator.web_api.tokens import Access

SINCE = "{since}"
"""Stands for any text in the value of a param."""

MediaValue = str | int | bool | None

MEDIA_NAMES = (
    "MediaKey",
    "SequenceID",
    "Order",
    "PreferredPhotoYN",
    "MediaType",
    "ImageWidth",
    "ImageHeight",
    "MediaModificationTimestamp",
    "Sha256",
    "Bytes",
)
"""What an expected media entry holds; the names are the manifest's own."""


class ExpectedCycle(Table):
    """The counts of one cycle."""

    listings: int
    downloaded: int
    uploaded: int
    unchanged: int
    moved: int
    removed: int
    failed: int


class ExpectedListing(Table):
    """What a listing's manifest shows: the default photo's MediaKey, and the media in order.

    `links` holds, of each link, what is to be compared.
    """

    default: str | None
    media: tuple[Mapping[str, MediaValue], ...]
    links: tuple[Mapping[str, MediaValue], ...] = ()

    @field_validator("media")
    @classmethod
    def _has_every_name(
        cls, media: tuple[Mapping[str, MediaValue], ...]
    ) -> tuple[Mapping[str, MediaValue], ...]:
        for entry in media:
            odd = set(entry) ^ set(MEDIA_NAMES)
            if odd:
                raise ValueError(f"{', '.join(sorted(odd))}: missing or unknown (allowed: {MEDIA_NAMES})")
        return media


class Expected(Table):
    """What must be true after a step.

    `asked` are the GetObject IDs of the cycle, and the URLs of media, sorted; `owed` maps each
    listing that stays owed to a word of its reason; `listings` holds every listing that has a manifest.
    """

    cycle: ExpectedCycle
    asked: tuple[str, ...]
    owed: Mapping[str, str]
    listings: Mapping[str, ExpectedListing]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A recorded answer and the requests that it answers: those in which every param is equal.

    The one param of `Photo`, a picture that an answer points to, is `URL`, as the answer says it.
    `once`: it answers one request of the step, and then no more.
    """

    transaction: str
    params: Mapping[str, str]
    answer: Path
    once: bool = False

    def matches(self, transaction: str, params: Mapping[str, str]) -> bool:
        """Whether this is the answer to that request."""
        return transaction == self.transaction and all(
            name in params and _pattern(wanted).fullmatch(params[name])
            for name, wanted in self.params.items()
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One cycle of a client: what the server answers meanwhile, and what must come of it."""

    name: str
    about: str
    exchanges: tuple[Exchange, ...]
    expected: Expected


@dataclass(frozen=True, slots=True)
class Fixture:
    """A recorded feed. `settings` are the keys of its [feeds.X] table without those of the replay."""

    name: str
    title: str
    about: str
    credentials: Account | Access
    settings: Mapping[str, Any]
    steps: tuple[Step, ...]

    @property
    def account(self) -> Account:
        """Of a RETS feed: who logs in."""
        if not isinstance(self.credentials, Account):
            raise ConfigError(f"fixture {self.name} is of no RETS feed")
        return self.credentials


class FixtureAnswers:
    """Plays one step of a fixture at a time, the first to begin with. First match wins.

    GetMetadata is not recorded: its answers follow from the feed's settings.
    """

    def __init__(self, fixture: Fixture) -> None:
        self._step = fixture.steps[0]
        self._settings = fixture.settings
        self._used: set[int] = set()
        self._lock = threading.Lock()

    def play(self, step: Step) -> None:
        """Answer from this step from now on."""
        with self._lock:
            self._step = step
            self._used.clear()

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        """The recorded answer; None when this step has none."""
        if transaction == "GetMetadata":
            return Metadata.of_feed(self._settings).answer(params)
        exchange = self._matching(transaction, params)
        return read_answer(exchange.answer) if exchange else None

    def _matching(self, transaction: str, params: Mapping[str, str]) -> Exchange | None:
        with self._lock:
            for number, exchange in enumerate(self._step.exchanges):
                if number not in self._used and exchange.matches(transaction, params):
                    self._used |= {number} if exchange.once else set()
                    return exchange
        return None


def load_fixture(path: Path) -> Fixture:
    """Read and check a whole fixture folder. Raises ConfigError."""
    said = read_toml(path / "feed.toml")
    about = checked(form_of(said), said, path / "feed.toml")
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir())
    if not folders:
        raise ConfigError(f"{path}: has no step", hint="a step is a folder with an exchanges.toml")
    steps = tuple(_load_step(folder) for folder in folders)
    return Fixture(path.resolve().name, about.title, about.about, about.account.as_said(), about.feed, steps)


def read_answer(path: Path) -> RawAnswer:
    """A raw answer file: status line, header lines, empty line, body bytes. Raises ConfigError."""
    try:
        head, separator, body = path.read_bytes().partition(b"\r\n\r\n")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    status, *lines = head.decode("latin-1").split("\r\n")
    match = re.fullmatch(r"HTTP/1\.[01] (\d{3}) ?(.*)", status)
    if not match or not separator:
        raise ConfigError(
            f"{path}: does not begin with an HTTP answer",
            hint="allowed: HTTP/1.1 200 OK, header lines, an empty line, the body; lines end in CRLF",
        )
    headers = tuple(_header(line, path) for line in lines)
    return RawAnswer(int(match[1]), match[2], headers, body)


def _header(line: str, path: Path) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ConfigError(f"{path}: header line {line!r} has no colon")
    return name.strip(), value.strip()


def _pattern(wanted: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, wanted.split(SINCE))), re.DOTALL)


def _load_step(folder: Path) -> Step:
    path = folder / "exchanges.toml"
    recorded = checked(ExchangesToml, read_toml(path), path)
    exchanges = tuple(
        Exchange(
            table.transaction,
            table.params,
            _answer_file(folder, table.answer, f"exchange.{number}"),
            table.once,
        )
        for number, table in enumerate(recorded.exchange)
    )
    expected = folder / "expected.json"
    return Step(folder.name, recorded.about, exchanges, checked(Expected, read_json(expected), expected))


def _answer_file(folder: Path, name: str, key: str) -> Path:
    path = folder / name
    if path.parent != folder or not path.is_file():
        raise ConfigError(f"{folder / 'exchanges.toml'}: {key}.answer: no file {name!r} in this folder")
    read_answer(path)
    return path
