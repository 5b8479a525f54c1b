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


class Section(BaseModel):
    """One table of the file. Names in `secrets` are given as NAME_env or NAME_file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @classmethod
    def secrets(cls) -> tuple[str, ...]:
        """The names of the keys that hold secrets."""
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


class CatalogConfig(Section):
    """Where the record of what was synchronised is kept: an SQLAlchemy URL."""

    url: str = "sqlite:///data/catalog.db"
    """An SQLAlchemy URL: sqlite:///PATH, or postgresql+psycopg://USER@HOST/DATABASE."""
    password: SecretStr | None = None
    """The database's password, where it wants one."""

    @field_validator("url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("allowed: sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE")
        return url


class StoreConfig(Section):
    """Where the objects are kept. `embedded:DIR` runs an S3 server of its own on loopback."""

    url: str = "embedded:data/objects"
    """`embedded:DIR`, or `s3://HOST[:PORT]/BUCKET?secure=true&region=us-east-1`."""
    access_key: SecretStr | None = None
    """The S3 access key; an embedded store makes its own."""
    secret_key: SecretStr | None = None
    """The S3 secret key; an embedded store makes its own."""
    public_url: str | None = None
    """Where readers find the bucket; makes the manifests' MediaURLs absolute."""
    uploaders: int = Field(default=16, ge=1, le=256)
    """Uploads at once, for all feeds: about photos per second times the seconds that a put takes."""

    @field_validator("url")
    @classmethod
    def _known_store(cls, url: str) -> str:
        if not re.match(r"embedded:.+|s3://[^/]+/[^/?]+(\?.*)?$", url):
            raise ValueError("allowed: embedded:DIR or s3://HOST[:PORT]/BUCKET?secure=true&region=us-east-1")
        return url


class RetsFields(Section):
    """The names that this server uses, for COMPACT columns and for STANDARD-XML elements alike."""

    listing: str = "ListingKey"
    """The listing's key, as GetObject wants it: on some servers the system key, not the MLS number (Q51)."""
    photos_changed: str = "PhotosChangeTimestamp"
    """The time that moves when the listing's photos do; "" where the server has none (Q103)."""
    photos_count: str = "PhotosCount"
    """How many photos the listing has; "" where the server has none, or where it is wrong."""
    modified: str = "ModificationTimestamp"
    """The time that {since} is compared with; the cursor is made of it."""
    photo_url: str = "PropMediaURL"
    """The name in ObjectData that holds a photo's URL, for answers with neither image nor Location (Q105)."""
    photo_stamp: str = "PropMediaModificationTimestamp"
    """The name in ObjectData that holds the time of that photo (Q105)."""


class RetsFeed(Section):
    """One RETS account and the photos it is to follow."""

    kind: Literal["rets"]
    """The protocol."""
    login_url: str
    """The server's login URL, http:// or https://."""
    username: str
    """The account."""
    password: SecretStr
    """Its password."""
    user_agent: str = "listing-photos/1.0"
    """Sent with every request; some servers know their clients by it."""
    user_agent_password: SecretStr | None = None
    """For servers with user-agent authentication; without it no such header is sent (Q93)."""
    rets_version: Literal["RETS/1.5", "RETS/1.7", "RETS/1.7.2", "RETS/1.8"] = "RETS/1.7.2"
    """Sent with every request (Q94), and part of the user-agent digest (Q95)."""
    hosts: tuple[str, ...] = ()
    """Other hosts that capability URLs may name and that may be sent credentials (Q87)."""
    use_login_host: bool = False
    """Ask the login URL's host whatever host a capability URL names: behind a proxy some servers name an
    inner host that nobody else can reach (Q87). Off, since elsewhere the URL is right."""
    sessions: int = Field(default=1, ge=1)
    """Sessions that the account may have open at once, shared by all feeds with its host and user name.
    Most servers allow one, and lock out who opens more (Q99)."""
    session_cookie: str = "RETS-Session-ID"
    """The cookie whose value goes into the user-agent digest (Q91)."""
    user_agent_digest_version: bool = True
    """Whether the user-agent digest holds the RETS version, as the standard says; some servers leave it
    out (Q93)."""

    search_format: Literal["STANDARD-XML", "COMPACT", "COMPACT-DECODED"] = "STANDARD-XML"
    """STANDARD-XML lists every photo with its own stamp (by sequence); COMPACT does not (by whole set)."""
    resource: str = "Property"
    """SearchType and Resource."""
    class_: str = Field(alias="class")
    """The class within the resource."""
    query: str
    """DMQL2 that finds what changed; {since} stands for the cursor. `(ModificationTimestamp={since}+)`
    on most servers, `(LastUpdated={since})` on CREA."""
    since_start: str = "1970-01-01T00:00:00Z"
    """What stands for {since} before anything was synchronised."""
    since_format: str = "%Y-%m-%dT%H:%M:%SZ"
    """The server's own form of {since} (Q104), as strftime writes it."""
    timezone: str = "UTC"
    """The zone of time stamps that carry none (Q102)."""
    keys_query: str | None = None
    """Finds every listing, for removals; default (ID=*) for STANDARD-XML, else (<listing field>=*)."""
    keys_interval: Duration = timedelta(hours=1)
    """How often every key is compared, for removals and for listings that no search gave."""
    limit: int | None = Field(default=None, ge=1, le=100_000)
    """Rows asked for per Search (Q64). Without it 100, all that CREA allows; NONE with `paging = "none"`."""
    paging: Literal["offset", "keys", "none"] = "offset"
    """How a long result is read: by Offset, which most servers know; or, without Offset (Q63) or where rows
    move between pages (Q65), first its keys, then records by lists of keys; or all in one answer."""

    object_types: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=("Photo",), min_length=1)
    """GetObject Types, the best first: what a listing has not in one is asked for in the next. Names and
    sizes differ per server: `Photo` may be 128 pixels wide (Q52). `object_type = "Photo"` is the
    short form for one."""
    location: Literal[0, 1] = 0
    """0 asks for the pictures, many in one answer; 1 for their URLs, which are fetched one by one, without
    credentials. Where a server serves only the other, that is found out and kept (Q44, Q45)."""
    batch_listings: int = Field(default=1, ge=1, le=1000)
    """Listings per GetObject. More saves round trips where the server allows it, as CREA does not (Q48)."""
    batch_objects: int = Field(default=200, ge=1)
    """Photos per GetObject of several listings, as far as they are counted: what a cut can cost, and the
    length of a URL (Q48). A single listing may have more."""
    photos: Literal["all", "default"] = "all"
    """`default` keeps SequenceID 0 alone (seed 002)."""
    interval: Duration = timedelta(minutes=15)
    """From the end of one cycle to the start of the next."""
    delete_after: Duration = timedelta(hours=24)
    """How long the bytes of a removed photo stay in the bucket."""
    purge_share: float = Field(default=0.2, ge=0, le=1)
    """The largest share of listings that may vanish at once."""
    max_photo_bytes: int = Field(default=64 * 2**20, ge=1024)
    """A larger photo is no listing photo; the largest originals seen are near 30 MB."""
    timeout: Duration = timedelta(seconds=60)
    """How long the server may stay silent."""
    fields: RetsFields = RetsFields()
    """A table of its own; see below."""

    @model_validator(mode="before")
    @classmethod
    def _one_object_type(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "object_type" not in given:
            return given
        if "object_types" in given:
            raise ValueError("object_type and object_types are both given; allowed: one of them")
        rest = {key: value for key, value in given.items() if key != "object_type"}
        return rest | {"object_types": [given["object_type"]]}

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


class Config(Section):
    """The whole file."""

    catalog: CatalogConfig = CatalogConfig()
    """Table [catalog]."""
    store: StoreConfig = StoreConfig()
    """Table [store]."""
    feeds: dict[str, RetsFeed] = Field(min_length=1)
    """A table [feeds.NAME] per feed; NAME is the first segment of its object keys."""
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


def _model_at(location: tuple[Any, ...]) -> type[Section]:
    sections: dict[str, type[Section]] = {"catalog": CatalogConfig, "store": StoreConfig}
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
