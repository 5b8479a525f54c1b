"""The configuration file: TOML in, checked values out; every error names its key."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_args

from pydantic import Field, SecretStr, ValidationError, field_validator

from service.errors import ConfigError
from service.reso_config import (
    Constellation1Feed,
    RealtracsFeed,
    ResoFeed,
    SparkPhotosFeed,
    SparkReplicationFeed,
)
from service.rets_config import RetsFeed
from service.sections import CaFile, Duration, FeedSection, Section

FeedConfig: TypeAlias = Annotated[
    RetsFeed | RealtracsFeed | Constellation1Feed | SparkReplicationFeed | ResoFeed | SparkPhotosFeed,
    Field(discriminator="kind"),
]
"""A table [feeds.NAME], by its kind."""

KINDS: Mapping[str, type[FeedSection]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in get_args(get_args(FeedConfig)[0])
}


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
    ca_file: CaFile | None = None
    """A PEM file of certificate authorities that are trusted beside the public ones."""
    uploaders: int = Field(default=16, ge=1, le=256)
    """Uploads at once, for all feeds: about photos per second times the seconds that a put takes."""

    @field_validator("url")
    @classmethod
    def _known_store(cls, url: str) -> str:
        if not re.match(r"embedded:.+|s3://[^/]+/[^/?]+(\?.*)?$", url):
            raise ValueError("allowed: embedded:DIR or s3://HOST[:PORT]/BUCKET?secure=true&region=us-east-1")
        return url


class WebConfig(Section):
    """Health, metrics and the status page, over plain HTTP. Who can reach the address can look."""

    listen: str
    """`HOST:PORT` to listen on; 127.0.0.1:8080 keeps it to this machine. Port 0 takes any free one, which
    the log tells."""
    token: SecretStr | None = None
    """Who signs in with it may retry parked listings; without it the page only shows. At least 16
    characters."""

    @field_validator("listen")
    @classmethod
    def _is_address(cls, listen: str) -> str:
        match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@]+):(\d{1,5})", listen)
        if not match or int(match[2]) > 65535:
            raise ValueError("allowed: HOST:PORT such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080")
        return listen

    @field_validator("token")
    @classmethod
    def _is_long(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < 16:
            raise ValueError("too short to keep anybody out; allowed: 16 characters or more")
        return token

    @property
    def address(self) -> tuple[str, int]:
        """Host, without brackets, and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class Config(Section):
    """The whole file."""

    catalog: CatalogConfig = CatalogConfig()
    """Table [catalog]."""
    store: StoreConfig = StoreConfig()
    """Table [store]."""
    feeds: dict[str, FeedConfig] = Field(min_length=1)
    """A table [feeds.NAME] per feed; NAME is the first segment of its object keys."""
    web: WebConfig | None = None
    """Table [web]; without it nothing listens."""
    grace: Duration = timedelta(seconds=30)
    """How long SIGTERM waits for what is in flight."""
    lease: Duration = Field(default=timedelta(seconds=30), ge=timedelta(seconds=1))
    """How long a feed is kept from other processes after the one that worked on it was killed."""

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
    location = _place(detail["loc"])
    path = ".".join(location)
    match detail["type"]:
        case "extra_forbidden":
            return f"{path}: unknown key{_allowed(location[-1], _allowed_keys(detail['loc']))}"
        case "missing":
            secret = location[-1] in _model_at(detail["loc"]).secrets()
            return f"{path}{'_env or ' + path + '_file' if secret else ''}: missing"
        case "union_tag_not_found":
            return f"{path}.kind: missing (allowed: {', '.join(KINDS)})"
        case "union_tag_invalid":
            kind = detail["ctx"]["tag"]
            return f"{path}.kind: {kind!r} is no kind of feed{_allowed(kind, list(KINDS))}"
        case "literal_error":
            return f"{path}: {detail['input']!r} is not allowed (allowed: {detail['ctx']['expected']})"
    message = detail["msg"].removeprefix("Value error, ")
    # A validator's own text says what is allowed. The value is shown beside it, except where it may
    # hold somebody's password (user:password@host).
    value = detail["input"]
    shown = f"{value!r}: " if isinstance(value, str | int | float) and "@" not in str(value) else ""
    return f"{path}: {shown}{message}" if path else message


def _allowed(given: str, allowed: list[str]) -> str:
    near = difflib.get_close_matches(given, allowed, 1)
    guess = f"; did you mean {near[0]}?" if near else ""
    return f"{guess} (allowed: {', '.join(allowed)})"


def _place(location: tuple[Any, ...]) -> list[str]:
    """Where it stands in the file: the models' own location names a feed's kind behind its name."""
    parts = [str(part) for part in location]
    return parts[:2] + parts[3:] if parts[:1] == ["feeds"] else parts


def _model_at(location: tuple[Any, ...]) -> type[Section]:
    """The table that holds the key of a mistake."""
    model: type[Section] = KINDS[location[2]] if location[0] == "feeds" and len(location) > 3 else Config
    for name in location[3 if model is not Config else 0 : -1]:
        inner = next((f for n, f in model.model_fields.items() if name in (n, f.alias)), None)
        tables = [kind for kind in _members(inner.annotation if inner else None) if _is_table(kind)]
        model = tables[0] if tables else model
    return model


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) or (annotation,)


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _allowed_keys(location: tuple[Any, ...]) -> list[str]:
    model = _model_at(location)
    names = [field.alias or name for name, field in model.model_fields.items()]
    secrets = model.secrets()
    return sorted(
        key for name in names for key in ((f"{name}_env", f"{name}_file") if name in secrets else (name,))
    )
