"""A fixture's files, written; fixtures/README.md describes them, service/simulator/fixture.py reads them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from service.recording.recorder import Exchange
from service.rets_config import RetsFeed

ACCOUNT = {"username": "reader", "password": "loopback-only"}
"""Made up."""

PRIVATE = frozenset(
    {
        "ca_file",
        "hosts",
        "login_url",
        "photo_networks",
        "session_cookie",
        "sessions",
        "use_login_host",
        "user_agent",
        "user_agent_digest_version",
        "username",
        *RetsFeed.secrets(),
    }
)
"""Settings of the account and its server; the feed itself is the same without them."""


def feed_table(settings: RetsFeed) -> dict[str, Any]:
    """What the configuration file says of the feed, without PRIVATE, as TOML spells it."""
    given = settings.model_dump(by_alias=True, exclude=set(PRIVATE), exclude_unset=True)
    return {**_plain(given), "keys_interval": "0s"}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in values.items() if value is not None}


def _plain_value(value: Any) -> Any:
    if isinstance(value, timedelta):
        return f"{round(value.total_seconds())}s"
    return _plain(value) if isinstance(value, Mapping) else value


def write_feed(path: Path, title: str, about: str, table: Mapping[str, Any]) -> None:
    """A feed.toml; a table inside `table` becomes a table of its own."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    tables = {f"feed.{key}": value for key, value in table.items() if isinstance(value, Mapping)}
    blocks = [_pairs({"title": title, "about": about})]
    for name, values in {"account": ACCOUNT, "feed": plain, **tables}.items():
        blocks.append(f"[{name}]\n{_pairs(values)}")
    path.write_text("\n".join(blocks), encoding="utf-8")


def write_exchanges(path: Path, about: str, exchanges: Iterable[Exchange]) -> None:
    """An exchanges.toml."""
    blocks = [_pairs({"about": about}), *map(_exchange, exchanges)]
    path.write_text("\n".join(blocks), encoding="utf-8")


def write_expected(path: Path, expected: Mapping[str, Any]) -> None:
    """An expected.json."""
    path.write_text(json.dumps(expected, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _exchange(exchange: Exchange) -> str:
    params = ", ".join(_lines(exchange.params))
    told = _pairs({"transaction": exchange.transaction}) + f"params = {{ {params} }}\n"
    return f"[[exchange]]\n{told}{_pairs({'answer': exchange.path.name})}"


def _pairs(values: Mapping[str, Any]) -> str:
    return "".join(f"{line}\n" for line in _lines(values))


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    """`key = value`: strings, numbers, booleans and lists of them, which TOML spells as JSON does."""
    return (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
