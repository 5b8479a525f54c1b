"""The files of a fixture, written: raw answers and TOML (which the standard library only reads)."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from service.simulator.answers import RawAnswer


def body_of(answer: RawAnswer) -> bytes:
    """The whole body."""
    return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)


def write_answer(path: Path, answer: RawAnswer) -> None:
    """Status line, header lines, empty line, body."""
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    path.write_bytes("\r\n".join([*lines, "", ""]).encode("latin-1") + body_of(answer))


def write_feed(
    path: Path, title: str, about: str, account: Mapping[str, str], feed: Mapping[str, Any]
) -> None:
    """A feed.toml; a table inside `feed` becomes a table of its own."""
    plain = {key: value for key, value in feed.items() if not isinstance(value, Mapping)}
    blocks = [_pairs({"title": title, "about": about}), _table("account", account), _table("feed", plain)]
    blocks += [_table(f"feed.{key}", value) for key, value in feed.items() if isinstance(value, Mapping)]
    _write_text(path, "\n".join(blocks))


def write_exchanges(
    path: Path,
    about: str,
    exchanges: Iterable[tuple[str, Mapping[str, str], str]],
    once: Collection[str] = (),
) -> None:
    """An exchanges.toml: (transaction, params, answer file) in the order in which they are tried.

    The answers `once` are given once.
    """
    blocks = [_pairs({"about": about})]
    for transaction, params, answer in exchanges:
        inline = ", ".join(f"{_key(name)} = {_value(value)}" for name, value in params.items())
        blocks.append(
            f"[[exchange]]\ntransaction = {_value(transaction)}\nparams = {{ {inline} }}\n"
            f"answer = {_value(answer)}\n" + "once = true\n" * (answer in once)
        )
    _write_text(path, "\n".join(blocks))


def write_expected(path: Path, expected: Mapping[str, Any]) -> None:
    """An expected.json."""
    _write_text(path, json.dumps(expected, indent=2, ensure_ascii=False) + "\n")


def _table(name: str, values: Mapping[str, Any]) -> str:
    return f"[{name}]\n{_pairs(values)}"


def _pairs(values: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in values.items())


def _key(name: str) -> str:
    """A name as TOML has it: `$filter` stands in quotes."""
    return name if name.isidentifier() else _value(name)


def _value(value: float | str | list[str]) -> str:
    """A string, a number or a list of strings, which TOML spells as JSON does."""
    return json.dumps(value, ensure_ascii=False)


def _write_text(path: Path, text: str) -> None:
    path.write_bytes(text.encode())
