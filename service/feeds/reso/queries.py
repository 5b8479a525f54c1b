"""The questions that a RESO feed asks, as URLs: for changes, for keys, for records, for media."""

from collections.abc import Iterable, Sequence

from parsers.odata.query import instant, literal, options
from service.feeds.reso.dialect import Clock, Dialect
from service.reso_config import ODataFeed


class Queries:
    """Writes the URLs of one feed."""

    def __init__(self, dialect: Dialect, config: ODataFeed) -> None:
        self._dialect, self._config = dialect, config
        self._base = config.base_url.rstrip("/")
        system = config.originating_system
        self._system = f"OriginatingSystemName eq {literal(system)}" if system else ""

    def everything(self) -> str:
        """Every listing (C7, P2)."""
        more = [("$orderby", self._dialect.order)] if self._dialect.order else []
        return self._property(self._dialect.clocks[0].expands, [], more)

    def since(self, clock: Clock, mark: str) -> str:
        """The rows that a clock has moved since its mark, the overlap before it included (P3)."""
        back = self._dialect.overlap
        after = self._dialect.after if clock.entity == "Property" else "gt"  # C12
        moved = f"{clock.field} {after} {instant(mark, back)}"
        if clock.entity == "Property":
            return self._property(clock.expands, [moved], [])
        names = self._dialect.names
        select = ("$select", f"{names.key},{names.listing},{clock.field}")
        return self._url("Media", self._dialect.page, [self._system, moved], [select, *self._count()])

    def keys(self) -> str:
        """The key of every listing (C10, P5)."""
        select = ("$select", self._dialect.listing)
        filters = [self._system, self._narrowed]
        return self._url("Property", self._dialect.page, filters, [select, *self._count()])

    def listings(self, keys: Sequence[str]) -> str:
        """These listings, without their media."""
        return self._property(False, [_any_of(self._dialect.listing, keys)], [])

    def media(self, keys: Sequence[str]) -> str:
        """The media of these listings (R1); photos alone, where nothing else is wanted."""
        names, config = self._dialect.names, self._config
        photos_only = names.category and not (config.documents or config.links)
        kind = f"{names.category} eq 'Photo'" if photos_only else ""
        filters = [_any_of(names.listing, keys), kind]
        return self._url("Media", self._dialect.page, filters, self._count())

    @property
    def _narrowed(self) -> str:
        return f"({self._config.filter})" if self._config.filter else ""

    def _count(self) -> list[tuple[str, str]]:
        return [("$count", "true")] if self._dialect.counted else []

    def _property(self, expands: bool, filters: list[str], more: Iterable[tuple[str, str]]) -> str:  # noqa: FBT001 - private
        dialect = self._dialect
        clocks = (clock.field for clock in dialect.clocks if clock.entity == "Property")
        select = dict.fromkeys((dialect.listing, dialect.count, *clocks, *dialect.stamps))
        asked = [("$select", ",".join(filter(None, select))), *self._count(), *more]
        if expands:
            asked.append(("$expand", "Media"))
        page = dialect.expanded_page if expands else dialect.page
        return self._url("Property", page, [self._system, self._narrowed, *filters], asked)

    def _url(self, entity: str, page: int, filters: Iterable[str], more: Iterable[tuple[str, str]]) -> str:
        said = " and ".join(filter(None, filters))
        asked = [
            *self._dialect.always,
            *([("$filter", said)] if said else []),
            *more,
            ("$top", str(min(self._config.page_size or page, page))),
        ]
        return f"{self._base}/{entity}?{options(asked)}"


def _any_of(field: str, keys: Sequence[str]) -> str:
    said = " or ".join(f"{field} eq {literal(key)}" for key in keys)
    return f"({said})" if len(keys) > 1 else said
