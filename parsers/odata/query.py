"""What is sent to an OData server: literals, options, and marks of time, so that none is misread.

Spaces go as %20 and instants with `Z`: a `+` in a URL is a space to many servers (X6).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from parsers.timestamps import read_stamp

TICKS = 10_000_000
"""Ticks of 100 ns in a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What stands in a query as it is: OData's own signs, and those that a value keeps.
_PLAIN = "$,'()=:/@*;!"


def literal(value: str) -> str:
    """A string in a filter (OData 4.01 URL conventions 5.1.1.14.1: quotes are doubled).

    >>> literal("O'Hare")
    "'O''Hare'"
    """
    return "'" + value.replace("'", "''") + "'"


def options(pairs: Iterable[tuple[str, str]]) -> str:
    """The query part of a URL, without the `?`; spaces are %20.

    >>> options([("$filter", "ListingKey eq '1 & 2'"), ("$top", "1000")])
    "$filter=ListingKey%20eq%20'1%20%26%202'&$top=1000"
    """
    return "&".join(f"{quote(name, safe='$')}={quote(value, safe=_PLAIN)}" for name, value in pairs)


def instant(raw: str, back: timedelta = timedelta(0)) -> str | None:
    """A server's time as an OData literal in UTC, `back` earlier; None when it cannot be read.

    Of a time that is sent on unchanged every digit stays: servers have up to seven (C9, X5).

    >>> instant("2026-03-01T12:00:00.1234567+01:00")
    '2026-03-01T11:00:00.1234567Z'
    """
    ticks = read_stamp(raw).ticks
    if ticks is None:
        return None
    seconds, part = divmod(ticks - round(back.total_seconds() * TICKS), TICKS)
    try:
        whole = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    except OverflowError:
        return None
    fraction = f".{part:07}".rstrip("0") if part else ""
    return f"{whole}{fraction}Z"
