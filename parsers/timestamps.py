"""Time stamps as feeds write them (Q102): the raw text decides equality, ticks decide order.

Ticks are 100 ns, the finest unit that servers send (.NET), and whole numbers throughout: a float
cannot hold a present-day time to 100 ns.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

TICKS_PER_SECOND = 10_000_000

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are counted from it before their offset is known

# Years outside are the least and the greatest that some database can hold (0001, 9999): they say
# "never", and as a time they would stop a cursor for good.
_YEARS = range(1900, 9999)

_TIME = r"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
_OFFSET = r"(?P<offset>Z|GMT|UTC|UT|[+-]\d\d(?::?\d\d)?)"

_FORMS = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        # ISO 8601 and RFC 3339: 2019-01-22T22:17:29.1234567Z
        rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)(?:(?:T| +){_TIME})? *{_OFFSET}?",
        # RFC 1123: Tue, 22 Jan 2019 22:17:29 GMT
        rf"(?:[a-z]{{3}}, *)?(?P<day>\d\d?) +(?P<month>[a-z]{{3}}) +(?P<year>\d{{4}}) +{_TIME} *{_OFFSET}?",
        # American and, where the first number is the day, British: 1/3/2017 11:03:56 AM
        rf"(?P<first>\d\d?)/(?P<other>\d\d?)/(?P<year>\d{{4}})(?: +{_TIME}(?: *(?P<half>AM|PM))?)?",
    )
)

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class Stamp:
    """`raw` exactly as sent; `ticks` since 1970-01-01T00:00:00Z in 100 ns, None where unreadable."""

    raw: str
    ticks: int | None


def read_stamp(raw: str, zone: tzinfo = UTC, *, day_first: bool = False) -> Stamp:
    """Read any of the forms above; `zone` is that of times that carry none.

    In the hour that daylight saving repeats, the first of the two is meant. `day_first` reads
    3/1/2017 as the third of January; a first number over 12 is always the day. Digits finer than a
    tick are dropped. Never raises.

    >>> read_stamp("1970-01-01 00:00:01.5").ticks
    15000000
    """
    for form in _FORMS:
        match = form.fullmatch(raw.strip())
        if match:
            return Stamp(raw, _ticks(match.groupdict(), zone, day_first=day_first))
    return Stamp(raw, None)


def latest(stamps: Iterable[Stamp]) -> Stamp | None:
    """The stamp with the greatest ticks, the first of equals; unreadable ones do not count."""
    return max((stamp for stamp in stamps if stamp.ticks is not None), key=_order, default=None)


def render_stamp(stamp: Stamp, form: str, zone: tzinfo) -> str:
    """The stamp in a server's own form (Q104), as strftime writes it in that zone.

    What the form does not hold is cut off, never rounded up, so that nothing is missed when the
    text asks for what came since. An unreadable stamp is given back as it was sent.
    """
    if stamp.ticks is None:
        return stamp.raw
    moment = _EPOCH.replace(tzinfo=UTC) + timedelta(microseconds=stamp.ticks // 10)
    return moment.astimezone(zone).strftime(form)


def _order(stamp: Stamp) -> int:
    return stamp.ticks or 0


def _ticks(said: dict[str, str | None], zone: tzinfo, *, day_first: bool) -> int | None:
    try:
        local = datetime(*_date(said, day_first=day_first), *_time_of_day(said))  # noqa: DTZ001 - its offset comes next
    except ValueError:  # no such month, day, hour, ...
        return None
    offset = _offset(said.get("offset"), local, zone)
    if local.year not in _YEARS or offset is None:
        return None
    since = local - _EPOCH - offset
    fraction = (said["fraction"] or "").ljust(7, "0")[:7]
    return (since.days * 86400 + since.seconds) * TICKS_PER_SECOND + int(fraction)


def _date(said: dict[str, str | None], *, day_first: bool) -> tuple[int, int, int]:
    year = int(said["year"] or 0)
    if "first" in said:
        first, other = int(said["first"] or 0), int(said["other"] or 0)
        return (year, other, first) if day_first or first > 12 else (year, first, other)
    month = said["month"] or ""
    return year, int(month) if month.isdigit() else _MONTHS.index(month.lower()) + 1, int(said["day"] or 0)


def _time_of_day(said: dict[str, str | None]) -> tuple[int, int, int]:
    hour, minute, second = (int(said[name] or 0) for name in ("hour", "minute", "second"))
    half = said.get("half")
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(f"hour {hour} {half}")
        hour = hour % 12 + (12 if half.upper() == "PM" else 0)
    return hour, minute, second


def _offset(text: str | None, local: datetime, zone: tzinfo) -> timedelta | None:
    """East of Greenwich; None where the text says what no clock shows."""
    if text is None:
        return local.replace(tzinfo=zone).utcoffset()
    if text[0] not in "+-":
        return timedelta()
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        return None
    east = timedelta(hours=hours, minutes=minutes)
    return -east if text[0] == "-" else east
