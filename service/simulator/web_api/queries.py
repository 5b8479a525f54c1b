"""The options of a query, read and held against what the server takes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from service.simulator.web_api.dialects import Dialect, Entity
from service.simulator.web_api.filters import BadQueryError, Filter, read_filter
from service.simulator.web_api.rows import FIELDS, Row

KEY_FIELDS: Mapping[Entity, frozenset[str]] = {
    "Property": frozenset({"ListingKey"}),
    "Media": frozenset({"ListingKey", "ResourceRecordKey"}),
}
"""Which fields of an entity hold a listing's key."""

_EXPAND = re.compile(r"Media(?:\((?P<inner>[^()]*)\))?")


@dataclass(frozen=True, slots=True)
class Expansion:
    """The media that come inside a Property: how many at most, and which of their fields."""

    top: int | None = None
    select: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was read. `options` are as they were sent, for the next link."""

    entity: Entity
    options: Mapping[str, str]
    filter: Filter
    size: int
    order: tuple[tuple[str, bool], ...] = ()
    expansion: Expansion | None = None

    def shown(self, row: Row) -> Row:
        """A row with the fields that were asked for. Raises BadQueryError."""
        picked = _picked(row, _names(self.options.get("$select", "")))
        return without_nulls(picked) if self.ignores_nulls else picked

    def shown_expanded(self, row: Row) -> Row:
        """A row of media inside a Property. Raises BadQueryError."""
        picked = _picked(row, self.expansion.select if self.expansion else ())
        return without_nulls(picked) if self.ignores_nulls else picked

    @property
    def ignores_nulls(self) -> bool:
        """$ignorenulls (C6)."""
        return self.options.get("$ignorenulls", "").lower() == "true"


def read_query(entity: Entity, options: Mapping[str, str], dialect: Dialect) -> Query:
    """Read the options of a query to an entity. Raises BadQueryError for whatever is not taken."""
    odd = sorted(set(options) - dialect.options)
    if odd:
        raise BadQueryError(f"{', '.join(odd)}: not supported")
    found = read_filter(options["$filter"], KEY_FIELDS[entity]) if "$filter" in options else Filter()
    barred = sorted(found.fields - dialect.filterable.get(entity, FIELDS[entity]))
    if barred:
        raise BadQueryError(f"$filter: {', '.join(barred)} cannot be filtered by")
    expansion = _expansion(options, entity)
    most = dialect.most_rows if expansion is None else dialect.most_expanded
    size = _number(options, "$top", dialect.top)
    if size > most:
        raise BadQueryError(f"$top: at most {most}")
    return Query(entity, options, found, size, _order(options.get("$orderby", ""), entity), expansion)


def without_nulls(row: Row) -> Row:
    """The row without its null fields (C6)."""
    return {name: value for name, value in row.items() if value is not None}


def _expansion(options: Mapping[str, str], entity: Entity) -> Expansion | None:
    if "$expand" not in options:
        return None
    match = _EXPAND.fullmatch(options["$expand"])
    if match is None or entity != "Property":
        raise BadQueryError(f"$expand: {options['$expand']!r} is not known")
    inner = dict(pair.partition("=")[::2] for pair in (match["inner"] or "").split(";") if pair)
    if set(inner) - {"$top", "$select"}:
        raise BadQueryError(f"$expand: {options['$expand']!r} is not known")
    top = _number(inner, "$top", 0) if "$top" in inner else None
    return Expansion(top, _names(inner.get("$select", "")))


def _order(text: str, entity: Entity) -> tuple[tuple[str, bool], ...]:
    """Pairs of a field and whether it descends."""
    pairs = [one.split() for one in text.split(",") if one.strip()]
    if any(len(pair) > 2 or pair[1:] not in ([], ["asc"], ["desc"]) for pair in pairs):
        raise BadQueryError(f"$orderby: {text!r} cannot be read")
    odd = sorted({pair[0] for pair in pairs} - FIELDS[entity])
    if odd:
        raise BadQueryError(f"$orderby: no field {', '.join(odd)}")
    return tuple((pair[0], pair[1:] == ["desc"]) for pair in pairs)


def _number(options: Mapping[str, str], name: str, usual: int) -> int:
    text = options.get(name, str(usual))
    if not text.isdecimal():
        raise BadQueryError(f"{name}: {text!r} is no number")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _picked(row: Row, names: tuple[str, ...]) -> Row:
    missing = [name for name in names if name not in row]
    if missing:
        raise BadQueryError(f"$select: no field {', '.join(missing)}")
    return {name: row[name] for name in names} if names else row
