"""The files of a fixture as they are written: tables and objects in which an unknown key is a mistake."""

import json
import tomllib
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from service.errors import ConfigError
from service.simulator.front_desk import Account
from service.simulator.web_api.tokens import Access

REPLAY_KEYS = (
    *("login_url", "username", "password", "password_env", "password_file"),
    *("base_url", "token", "token_env", "token_file"),
    *("token_url", "client_id", "client_secret", "client_secret_env", "client_secret_file"),
)
"""Keys of a feed's configuration that the replay sets: a fixture must not."""


class Table(BaseModel):
    """A table or object of a fixture's files: an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _AccountTable(Table):
    username: str
    password: str

    def as_said(self) -> Account:
        return Account(self.username, self.password)


class _TokenTable(Table):
    token: str

    def as_said(self) -> Access:
        return Access(self.token)


class _ClientTable(Table):
    client_id: str
    client_secret: str

    def as_said(self) -> Access:
        return Access(client_id=self.client_id, client_secret=self.client_secret)


_AnyAccount = TypeVar("_AnyAccount", _AccountTable, _TokenTable, _ClientTable)


class FeedToml(Table, Generic[_AnyAccount]):
    """A feed.toml."""

    title: str
    about: str
    account: _AnyAccount
    feed: dict[str, Any]

    @field_validator("feed")
    @classmethod
    def _leaves_replay_keys_alone(cls, feed: dict[str, Any]) -> dict[str, Any]:
        for name in REPLAY_KEYS:
            if name in feed:
                raise ValueError(f"{name} is set by the replay; leave it out")
        return feed


def form_of(given: object) -> type[FeedToml[Any]]:
    """Which feed.toml this is, by the account that it names: that of a token, of a client, or of a login."""
    account = given.get("account") if isinstance(given, dict) else None
    if not isinstance(account, dict) or not {"token", "client_id"} & account.keys():
        return FeedToml[_AccountTable]
    return FeedToml[_TokenTable] if "token" in account else FeedToml[_ClientTable]


class ExchangeTable(Table):
    """One exchange of an exchanges.toml; `answer` is a file of the same folder."""

    transaction: Literal["Search", "GetObject", "Photo", "Get", "Media"]
    params: dict[str, str] = Field(default_factory=dict)
    answer: str
    once: bool = False


class ExchangesToml(Table):
    """An exchanges.toml."""

    about: str
    exchange: list[ExchangeTable] = Field(min_length=1)


_Model = TypeVar("_Model", bound=BaseModel)


def checked(model: type[_Model], given: object, path: Path) -> _Model:
    """The value of this model. Raises ConfigError, a line for each mistake."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        lines = (f"{path}: {_explain(detail)}" for detail in error.errors())
        raise ConfigError("\n".join(lines)) from error


def _explain(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    return f"{key}: {detail['msg'].removeprefix('Value error, ')}"


def read_toml(path: Path) -> object:
    """The file's value. Raises ConfigError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error


def read_json(path: Path) -> object:
    """The file's value. Raises ConfigError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
