"""The configuration file: TOML in, checked values out; every error names its key.

Secrets never stand in the text: a key `password` is given as `password_env` (the name of an
environment variable) or `password_file` (a path), and is read once, at start.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from service.errors import ConfigError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: object) -> object:
    """`90s`, `15m`, `24h`, `7d`."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d+)\s*([smhd])", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("allowed: a number with s, m, h or d, such as 90s, 15m or 24h")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


Duration = Annotated[timedelta, BeforeValidator(_duration)]


class _Section(BaseModel):
    """One table of the file. Names in `secrets` are given as NAME_env or NAME_file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def secrets(cls) -> tuple[str, ...]:
        return tuple(name for name, f in cls.model_fields.items() if SecretStr in _members(f.annotation))

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        values = dict(given)
        for name in cls.secrets():
            if isinstance(values.get(name), str):
                raise ValueError(f"{name} must not stand in the file; allowed: {name}_env or {name}_file")
            secret = _secret(name, values.pop(f"{name}_env", None), values.pop(f"{name}_file", None))
            if secret is not None:
                values[name] = secret
        return values


def _members(annotation: Any) -> tuple[Any, ...]:
    return (annotation, *getattr(annotation, "__args__", ()))


def _secret(name: str, env: str | None, file: str | None) -> SecretStr | None:
    if env and file:
        raise ValueError(f"{name}_env and {name}_file are both given; allowed: one of them")
    if env:
        if env not in os.environ:
            raise ValueError(f"{name}_env: the environment variable {env} is not set")
        return SecretStr(os.environ[env])
    if file:
        try:
            return SecretStr(Path(file).read_text(encoding="utf-8").rstrip("\r\n"))
        except OSError as error:
            raise ValueError(f"{name}_file: {file} cannot be read: {error.strerror}") from error
    return None


class CatalogConfig(_Section):
    """Where the record of what was synchronised is kept: an SQLAlchemy URL."""

    url: str = "sqlite:///data/catalog.db"
    password: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("allowed: sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE")
        return url


class StoreConfig(_Section):
    """Where the objects are kept. `embedded:DIR` runs an S3 server of its own on loopback."""

    url: str = "embedded:data/objects"
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    public_url: str | None = None
    uploaders: int = Field(default=16, ge=1, le=256)

    @field_validator("url")
    @classmethod
    def _known_store(cls, url: str) -> str:
        if not re.match(r"embedded:.+|s3://[^/]+/[^/?]+(\?.*)?$", url):
            raise ValueError("allowed: embedded:DIR or s3://HOST[:PORT]/BUCKET?secure=true&region=us-east-1")
        return url


class RetsFields(_Section):
    """The names that this server uses, for COMPACT columns and for STANDARD-XML elements alike."""

    listing: str = "ListingKey"
    photos_changed: str = "PhotosChangeTimestamp"
    photos_count: str = "PhotosCount"
    modified: str = "ModificationTimestamp"


class RetsFeed(_Section):
    """One RETS account and the photos it is to follow."""

    kind: Literal["rets"]
    login_url: str
    username: str
    password: SecretStr
    user_agent: str = "listing-photos/1.0"
    user_agent_password: SecretStr | None = None
    rets_version: Literal["RETS/1.5", "RETS/1.7", "RETS/1.7.2", "RETS/1.8"] = "RETS/1.7.2"
    hosts: tuple[str, ...] = ()
    """Other hosts that capability URLs may name and that may be sent credentials (Q87)."""
    session_cookie: str = "RETS-Session-ID"
    """The cookie whose value goes into the user-agent digest (Q91)."""

    search_format: Literal["STANDARD-XML", "COMPACT", "COMPACT-DECODED"] = "STANDARD-XML"
    resource: str = "Property"
    class_: str = Field(alias="class")
    query: str
    since_start: str = "1970-01-01T00:00:00Z"
    """What stands for {since} before anything was synchronised."""
    since_format: str = "%Y-%m-%dT%H:%M:%SZ"
    """The server's own form of {since} (Q104), as strftime writes it."""
    timezone: str = "UTC"
    """The zone of time stamps that carry none (Q102)."""
    keys_query: str | None = None
    """Finds every listing, for removals; default (ID=*) for STANDARD-XML, else (<listing field>=*)."""
    keys_interval: Duration = timedelta(hours=1)
    limit: int = Field(default=100, ge=1, le=100_000)
    """Rows asked for per Search; CREA allows 100."""

    object_type: str = "Photo"
    photos: Literal["all", "default"] = "all"
    interval: Duration = timedelta(minutes=15)
    delete_after: Duration = timedelta(hours=24)
    """How long the bytes of a removed photo stay in the bucket."""
    purge_share: float = Field(default=0.2, ge=0, le=1)
    """The largest share of listings that may vanish at once."""
    max_photo_bytes: int = Field(default=64 * 2**20, ge=1024)
    """A larger photo is no listing photo; the largest originals seen are near 30 MB."""
    timeout: Duration = timedelta(seconds=60)
    """How long the server may stay silent."""
    fields: RetsFields = RetsFields()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("allowed: an IANA zone such as UTC or America/Toronto") from error
        return name

    @field_validator("login_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if not re.match(r"https?://[^/\s@]+(/\S*)?$", url):
            raise ValueError("allowed: an http:// or https:// URL without a user name in it")
        return url


class Config(_Section):
    """The whole file."""

    catalog: CatalogConfig = CatalogConfig()
    store: StoreConfig = StoreConfig()
    feeds: dict[str, RetsFeed] = Field(min_length=1)
    grace: Duration = timedelta(seconds=30)
    """How long SIGTERM waits for what is in flight."""

    @field_validator("feeds", mode="before")
    @classmethod
    def _feed_names(cls, feeds: Any) -> Any:
        for name in feeds if isinstance(feeds, dict) else ():
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
                raise ValueError(f"feed name {name!r}; allowed: letters, digits, - and _, up to 64")
        return feeds


def load_config(path: Path) -> Config:
    """Read and check the file. Raises ConfigError with one line per mistake."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="pass --config FILE") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    return check_config(given, str(path))


def check_config(given: Mapping[str, Any], where: str) -> Config:
    """The checked configuration. Raises ConfigError with one line per mistake."""
    try:
        return Config.model_validate(given)
    except ValidationError as error:
        lines = [_explain(detail) for detail in error.errors()]
        raise ConfigError("\n".join(f"{where}: {line}" for line in lines)) from error


def _explain(detail: Any) -> str:
    path = ".".join(str(part) for part in detail["loc"])
    match detail["type"]:
        case "extra_forbidden":
            allowed = _allowed_keys(detail["loc"])
            near = difflib.get_close_matches(str(detail["loc"][-1]), allowed, 1)
            guess = f"; did you mean {near[0]}?" if near else ""
            return f"{path}: unknown key{guess} (allowed: {', '.join(allowed)})"
        case "missing":
            secret = detail["loc"][-1] in _model_at(detail["loc"]).secrets()
            return f"{path}{'_env or ' + path + '_file' if secret else ''}: missing"
        case "literal_error":
            return f"{path}: {detail['input']!r} is not allowed (allowed: {detail['ctx']['expected']})"
    message = detail["msg"].removeprefix("Value error, ")
    # A validator's own text says what is allowed. The value is shown beside it, except where it may
    # hold somebody's password (user:password@host).
    value = detail["input"]
    shown = f"{value!r}: " if isinstance(value, str | int | float) and "@" not in str(value) else ""
    return f"{path}: {shown}{message}" if path else message


def _model_at(location: tuple[Any, ...]) -> type[_Section]:
    sections: dict[str, type[_Section]] = {"catalog": CatalogConfig, "store": StoreConfig}
    if location[0] == "feeds" and len(location) > 2:
        return RetsFields if location[2] == "fields" and len(location) > 3 else RetsFeed
    return sections.get(str(location[0]), Config) if len(location) > 1 else Config


def _allowed_keys(location: tuple[Any, ...]) -> list[str]:
    model = _model_at(location)
    names = [field.alias or name for name, field in model.model_fields.items()]
    secrets = model.secrets()
    return sorted(
        key for name in names for key in ((f"{name}_env", f"{name}_file") if name in secrets else (name,))
    )
