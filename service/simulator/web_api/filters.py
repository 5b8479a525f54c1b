"""$filter, as much of it as feeds need: comparisons of fields, `in`, `and`, `or`, `not`, parentheses.

Times are compared in ticks of 100 ns whatever their form (X5); everything else as it stands.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from parsers.timestamps import read_stamp

Row: TypeAlias = Mapping[str, Any]
Test: TypeAlias = Callable[[Row], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<sign>[(),])|(?P<word>[^\s(),']+))\s*",
)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\S+")
_LITERALS = {"true": True, "false": False, "null": None}


class BadQueryError(ValueError):
    """A query that the server does not take; it is answered with HTTP 400."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that was read: what it names, what it lets through, and which listings that can be.

    `keys` are the only values of the field that it was read for (`read_filter`), None if any will do.
    """

    fields: frozenset[str] = frozenset()
    matches: Test = field(default=lambda _row: True)
    keys: frozenset[str] | None = None


def read_filter(text: str, key_fields: frozenset[str]) -> Filter:
    """Read a filter. `key_fields` hold a listing's key. Raises BadQueryError.

    >>> read_filter("ListingKey eq '1' and Order gt 2", frozenset({"ListingKey"})).keys
    frozenset({'1'})
    """
    reader = _Reader(_tokens(text), key_fields)
    found = reader.either()
    reader.end()
    return found


def value_of(raw: Any) -> Any:
    """A field's value as it is compared and sorted."""
    if isinstance(raw, str) and _MOMENT.fullmatch(raw):
        ticks = read_stamp(raw).ticks
        return raw if ticks is None else ticks
    return raw


def sort_key(raw: Any) -> tuple[bool, Any]:
    """What a field's value is sorted by; null comes first."""
    return raw is not None, value_of(raw)


def _tokens(text: str) -> list[str]:
    found, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise BadQueryError(f"$filter cannot be read at {text[place : place + 20]!r}")
        found.append(match[match.lastgroup or 0])
        place = match.end()
    return found


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: bool(left == right),
    "ne": lambda left, right: bool(left != right),
    "gt": lambda left, right: bool(left > right),
    "ge": lambda left, right: bool(left >= right),
    "lt": lambda left, right: bool(left < right),
    "le": lambda left, right: bool(left <= right),
}


class _Reader:
    """Recursive descent: `or` binds least, then `and`, then `not` (OData 4.01 URL conventions 5.1.1.16)."""

    def __init__(self, tokens: list[str], key_fields: frozenset[str]) -> None:
        self._tokens, self._place, self._key_fields = tokens, 0, key_fields

    def either(self) -> Filter:
        left = self._both()
        while self._take("or"):
            left = _or(left, self._both())
        return left

    def end(self) -> None:
        if self._place < len(self._tokens):
            raise BadQueryError(f"$filter: {self._tokens[self._place]!r} is too much")

    def _both(self) -> Filter:
        left = self._one()
        while self._take("and"):
            left = _and(left, self._one())
        return left

    def _one(self) -> Filter:
        if self._take("not"):
            inner = self._one()
            return Filter(inner.fields, lambda row: not inner.matches(row))
        if self._take("("):
            inner = self.either()
            self._need(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Filter:
        name, word = self._next(), self._next()
        if word == "in":
            values = self._list()
            return self._filter(name, values, lambda said: said in values)
        compare = _COMPARISONS.get(word)
        if compare is None or not name.isidentifier():
            raise BadQueryError(f"$filter: {name} {word} is no comparison")
        wanted = self._literal()
        return self._filter(name, [wanted] if word == "eq" else None, _comparing(compare, wanted))

    def _filter(self, name: str, values: list[Any] | None, passes: Callable[[Any], bool]) -> Filter:
        keyed = name in self._key_fields and values is not None
        return Filter(
            frozenset({name}),
            lambda row: passes(value_of(row.get(name))),
            frozenset(map(str, values or ())) if keyed else None,
        )

    def _list(self) -> list[Any]:
        self._need("(")
        values = [self._literal()]
        while self._take(","):
            values.append(self._literal())
        self._need(")")
        return values

    def _literal(self) -> Any:
        token = self._next()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token in _LITERALS:
            return _LITERALS[token]
        moment = value_of(token)
        if isinstance(moment, int):
            return moment
        try:
            return float(token)
        except ValueError:
            # Where an unquoted + was read as a space (X6), what is left of a time lands here, too.
            raise BadQueryError(f"$filter: {token!r} is no value") from None

    def _take(self, token: str) -> bool:
        if self._place < len(self._tokens) and self._tokens[self._place] == token:
            self._place += 1
            return True
        return False

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise BadQueryError(f"$filter: a {token} is missing")

    def _next(self) -> str:
        if self._place == len(self._tokens):
            raise BadQueryError("$filter: it ends too early")
        self._place += 1
        return self._tokens[self._place - 1]


def _comparing(compare: Callable[[Any, Any], bool], wanted: Any) -> Callable[[Any], bool]:
    def passes(said: Any) -> bool:
        try:
            return compare(said, wanted)
        except TypeError:  # null is neither before nor after anything
            return False

    return passes


def _and(left: Filter, right: Filter) -> Filter:
    both = [one.keys for one in (left, right) if one.keys is not None]
    keys = frozenset.intersection(*both) if both else None
    return Filter(left.fields | right.fields, lambda row: left.matches(row) and right.matches(row), keys)


def _or(left: Filter, right: Filter) -> Filter:
    keys = None if left.keys is None or right.keys is None else left.keys | right.keys
    return Filter(left.fields | right.fields, lambda row: left.matches(row) or right.matches(row), keys)
