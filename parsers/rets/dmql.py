"""What a request says to a RETS server: the ID of GetObject, the Query of Search."""

import re
from collections.abc import Sequence

from parsers.errors import Malformed
from parsers.records import WHOLE_SET


def object_ids(wanted: Sequence[tuple[str, tuple[str, ...] | None]]) -> str:
    """The ID argument of GetObject (RETS 1.7.2 section 5.3): listings with their photo ids, None for all.

    A listing with no ids asks for nothing and is left out. Raises Malformed for a key or id that
    the grammar cannot say.

    >>> object_ids([("111", None), ("222", ("0", "3"))])
    '111:*,222:0:3'
    """
    asked = ((key, (WHOLE_SET,) if ids is None else ids) for key, ids in wanted)
    return ",".join(":".join((_sayable(key), *map(_sayable, ids))) for key, ids in asked if ids)


def _sayable(name: str) -> str:
    if not name or any(mark in name for mark in ":,"):
        raise Malformed(f"{name!r} cannot be asked for: it is empty or holds a colon or comma")
    return name


def fill_query(template: str, since: str) -> str:
    """The query with its {since} in place.

    >>> fill_query("(LastUpdated={since})", "2011-05-08T22:00:17Z")
    '(LastUpdated=2011-05-08T22:00:17Z)'
    """
    return template.replace("{since}", since)


def query_of_keys(field: str, keys: Sequence[str]) -> str:
    """The query for records by their keys (DMQL2, RETS 1.7.2 section 7.7: string-list).

    What is not plainly letters and digits stands in quotes, where a quote is written twice.

    >>> query_of_keys("ListingKey", ["111", "A-7"])
    '(ListingKey=111,"A-7")'
    """
    return f"({field}={','.join(map(_string, keys))})"


def _string(text: str) -> str:
    return text if re.fullmatch("[A-Za-z0-9]+", text) else '"' + text.replace('"', '""') + '"'
