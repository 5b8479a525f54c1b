"""A fixture folder as values, and its recorded answers as a feed's `Answers`.

fixtures/README.md describes the format. Whatever is wrong with a fixture is a ConfigError that names
the file and the key.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from service.errors import ConfigError
from service.simulator.answers import RawAnswer
from service.simulator.front_desk import Account
from service.simulator.metadata import Metadata

SINCE = "{since}"
"""Stands for any text in the value of a param."""

REPLAY_KEYS = ("login_url", "username", "password", "password_env", "password_file")
"""Keys of a feed's configuration that the replay sets: a fixture must not."""

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


class _Table(BaseModel):
    """A table or object of a fixture's files: an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectedCycle(_Table):
    """The counts of one cycle."""

    listings: int
    downloaded: int
    uploaded: int
    unchanged: int
    moved: int
    removed: int
    failed: int


class ExpectedListing(_Table):
    """What a listing's manifest shows: the default photo's MediaKey, and the media in order."""

    default: str | None
    media: tuple[Mapping[str, MediaValue], ...]

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


class Expected(_Table):
    """What must be true after a step.

    `asked` are the GetObject IDs of the cycle, sorted; `owed` maps each listing that stays owed to
    a word of its reason; `listings` holds every listing that has a manifest.
    """

    cycle: ExpectedCycle
    asked: tuple[str, ...]
    owed: Mapping[str, str]
    listings: Mapping[str, ExpectedListing]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A recorded answer and the requests that it answers: those in which every param is equal."""

    transaction: str
    params: Mapping[str, str]
    answer: Path

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
    account: Account
    settings: Mapping[str, Any]
    steps: tuple[Step, ...]


class FixtureAnswers:
    """Plays one step of a fixture at a time, the first to begin with. First match wins.

    GetMetadata is not recorded: its answers follow from the feed's settings.
    """

    def __init__(self, fixture: Fixture) -> None:
        self._step = fixture.steps[0]
        self._settings = fixture.settings

    def play(self, step: Step) -> None:
        """Answer from this step from now on."""
        self._step = step

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        """The recorded answer; None when this step has none."""
        if transaction == "GetMetadata":
            return Metadata.of_feed(self._settings).answer(params)
        for exchange in self._step.exchanges:
            if exchange.matches(transaction, params):
                return read_answer(exchange.answer)
        return None


def load_fixture(path: Path) -> Fixture:
    """Read and check a whole fixture folder. Raises ConfigError."""
    about = _checked(_FeedToml, _toml(path / "feed.toml"), path / "feed.toml")
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir())
    if not folders:
        raise ConfigError(f"{path}: has no step", hint="a step is a folder with an exchanges.toml")
    account = Account(about.account.username, about.account.password)
    steps = tuple(_load_step(folder) for folder in folders)
    return Fixture(path.resolve().name, about.title, about.about, account, about.feed, steps)


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


# The files as they are written.


class _AccountTable(_Table):
    username: str
    password: str


class _FeedToml(_Table):
    title: str
    about: str
    account: _AccountTable
    feed: dict[str, Any]

    @field_validator("feed")
    @classmethod
    def _leaves_replay_keys_alone(cls, feed: dict[str, Any]) -> dict[str, Any]:
        for name in REPLAY_KEYS:
            if name in feed:
                raise ValueError(f"{name} is set by the replay; leave it out")
        return feed


class _ExchangeTable(_Table):
    transaction: Literal["Search", "GetObject"]
    params: dict[str, str] = Field(default_factory=dict)
    answer: str


class _ExchangesToml(_Table):
    about: str
    exchange: list[_ExchangeTable] = Field(min_length=1)


def _load_step(folder: Path) -> Step:
    path = folder / "exchanges.toml"
    recorded = _checked(_ExchangesToml, _toml(path), path)
    exchanges = tuple(
        Exchange(table.transaction, table.params, _answer_file(folder, table.answer, f"exchange.{number}"))
        for number, table in enumerate(recorded.exchange)
    )
    expected = folder / "expected.json"
    return Step(folder.name, recorded.about, exchanges, _checked(Expected, _json(expected), expected))


def _answer_file(folder: Path, name: str, key: str) -> Path:
    path = folder / name
    if path.parent != folder or not path.is_file():
        raise ConfigError(f"{folder / 'exchanges.toml'}: {key}.answer: no file {name!r} in this folder")
    read_answer(path)
    return path


_Model = TypeVar("_Model", bound=BaseModel)


def _checked(model: type[_Model], given: object, path: Path) -> _Model:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        lines = (f"{path}: {_explain(detail)}" for detail in error.errors())
        raise ConfigError("\n".join(lines)) from error


def _explain(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    return f"{key}: {detail['msg'].removeprefix('Value error, ')}"


def _toml(path: Path) -> object:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error


def _json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
