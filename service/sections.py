"""What every table of the configuration file is made of: keys, secrets, durations, and what all feeds share.

Secrets never stand in the text: a key `password` is given as `password_env` (the name of an
environment variable) or `password_file` (a path), and is read once, at start.
"""

import os
import re
import ssl
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

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


def _network(value: object) -> object:
    """`10.1.0.0/16`, or one address."""
    if not isinstance(value, str):
        return value
    try:
        return ip_network(value)
    except ValueError as error:
        raise ValueError("allowed: an IP network such as 10.1.0.0/16, or an IP address") from error


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]


def _certificates(path: Path) -> Path:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise ValueError(f"{path} holds no certificate; allowed: a PEM file") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    return path


CaFile = Annotated[Path, AfterValidator(_certificates)]


def _http_url(url: str) -> str:
    if not re.match(r"https?://[^/\s@]+(/\S*)?$", url):
        raise ValueError("allowed: an http:// or https:// URL without a user name in it")
    return url


HttpUrl = Annotated[str, AfterValidator(_http_url)]


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


class FeedSection(Section):
    """What every kind of feed has."""

    user_agent: str = "listing-photos/1.0"
    """Sent with every request; some servers know their clients by it."""
    photo_networks: tuple[Network, ...] = ()
    """Networks that are not public and that photo URLs may lead to all the same, such as 10.1.0.0/16. Any
    other private, loopback or link-local address is refused, but for that of a feed's own URL without a
    name."""
    ca_file: CaFile | None = None
    """A PEM file of certificate authorities that are trusted beside the public ones, for the server and
    for photo URLs."""
    sessions: int = Field(default=1, ge=1)
    """Sessions that the account may have open at once, shared by all feeds with its host and its user name,
    token or client. Most RETS servers allow one, and lock out who opens more (Q99)."""
    photos: Literal["all", "default"] = "all"
    """`default` keeps the default photo alone: SequenceID 0 (seed 002), or the preferred one."""
    interval: Duration = timedelta(minutes=15)
    """From the end of one cycle to the start of the next."""
    keys_interval: Duration = timedelta(hours=1)
    """How often every key is compared, for removals and for listings that no search gave."""
    delete_after: Duration = timedelta(hours=24)
    """How long the bytes of a removed photo stay in the bucket."""
    purge_share: float = Field(default=0.2, ge=0, le=1)
    """The largest share of listings, and of photos, that may vanish within a day."""
    max_photo_bytes: int = Field(default=64 * 2**20, ge=1024)
    """A larger photo is no listing photo; the largest originals seen are near 30 MB."""
    timeout: Duration = timedelta(seconds=60)
    """How long the server may stay silent."""


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
