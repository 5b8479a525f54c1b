"""Numbers and times as people read them; the templates' filters."""

from datetime import datetime, timedelta

_UNITS = (("d", 86400), ("h", 3600), ("min", 60))


def span(length: timedelta) -> str:
    """`42 s`, `5 min`, `3 h`, `12 d`: one unit, rounded down, and never negative.

    >>> span(timedelta(minutes=90))
    '90 min'
    """
    seconds = max(0, int(length.total_seconds()))
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def ago(time: datetime, now: datetime) -> str:
    """`5 min ago`, or `in 5 min`."""
    return f"in {span(time - now)}" if time > now else f"{span(now - time)} ago"


def size(amount: int) -> str:
    """Bytes, as `245 KB`."""
    if amount < 1000:
        return f"{amount} B"
    return f"{amount / 1000:.0f} KB" if amount < 999_500 else f"{amount / 1e6:.1f} MB"


def number(amount: int) -> str:
    """`12,345`."""
    return f"{amount:,}"


def moment(time: datetime) -> str:
    """`2026-01-31 14:05:09`, in UTC as everything is."""
    return f"{time:%Y-%m-%d %H:%M:%S}"
