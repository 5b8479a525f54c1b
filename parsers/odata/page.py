"""One page of an OData answer: rows, the way to the next page, and what the server counts.

Numbers stay text, as the server spelled them: keys may be numbers, and none may lose a digit.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from parsers.errors import LimitExceeded, Malformed, Truncated

Row: TypeAlias = Mapping[str, Any]
"""A JSON object. Numbers are text, everything else is as JSON has it."""

MOST_BYTES = 64 * 2**20
"""A page of 1,000 listings with 25 photos each has some 15 MB; a page is read whole."""


# A NUL, or one half of a character beyond U+FFFF: JSON can spell both, and no database can hold either.
_ODD = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


class Page(NamedTuple):
    """`counted` is the count as annotated: of this page (C4) or of the whole answer (OData 4.01, $count).

    `total`: the whole answer has at least so many rows, where the server says so.
    """

    rows: tuple[Row, ...]
    next_link: str | None = None
    counted: int | None = None
    total: int | None = None

    @property
    def is_last(self) -> bool:
        """No link, or a page that counts nothing (C7: then the chain has ended, whatever it links to)."""
        return self.next_link is None or self.counted == 0


def read_json(document: bytes) -> Any:
    """The document's value. Malformed, Truncated or LimitExceeded."""
    if len(document) > MOST_BYTES:
        raise LimitExceeded(f"a page of {len(document)} bytes is larger than {MOST_BYTES}")
    try:
        answer = json.loads(
            document.decode("utf-8-sig"), parse_int=str, parse_float=str, parse_constant=_no_number
        )
        return _storable(answer) if _ODD.search(document) else answer
    except json.JSONDecodeError as error:
        # Where the text ends inside a value, more was to come; anywhere else it is no JSON.
        kind = Truncated if error.pos >= len(error.doc.rstrip()) or "Unterminated" in error.msg else Malformed
        raise kind(f"not JSON: {error.msg} at character {error.pos}") from None
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise LimitExceeded("JSON nested too deeply") from None


def read_page(document: bytes) -> Page:
    """A page in the OData envelope: `{"value": [...], "@odata.nextLink": ..., "@odata.count": ...}`.

    Annotations are read with one `@` or two (C4).
    """
    answer = read_json(document)
    if not isinstance(answer, dict) or not isinstance(answer.get("value"), list):
        raise Malformed("no list of rows under 'value'")
    rows = answer["value"]
    if not all(isinstance(row, dict) for row in rows):
        raise Malformed("a row that is no object")
    count, total = (_whole(_annotation(answer, name)) for name in ("count", "totalCount"))
    link = _annotation(answer, "nextLink")
    return Page(
        tuple(rows),
        link if isinstance(link, str) and link else None,
        count,
        count if total is None else total,
    )


def read_failure(document: bytes) -> str:
    """What an error answer says, in a line: OData's `error`, Spark's `D`, OAuth's `error`; "" if nothing."""
    try:
        answer = read_json(document)
    except (Malformed, Truncated, LimitExceeded):
        return ""
    if not isinstance(answer, dict):
        return ""
    inner = answer.get("error", answer.get("D", answer))
    if isinstance(inner, str):  # OAuth 2 (RFC 6749 5.2): a code, and a description beside it
        return _line(inner, answer.get("error_description"))
    if not isinstance(inner, dict):
        return ""
    return _line(inner.get("code", inner.get("Code")), inner.get("message", inner.get("Message")))


def text(row: Row, name: str) -> str | None:
    """A value as text; None where it is absent, null or no single value (C6)."""
    value = row.get(name)
    return value if isinstance(value, str) else None


def whole(row: Row, name: str) -> int | None:
    """A value as a whole number; None where it is none."""
    return _whole(row.get(name))


def flag(row: Row, name: str) -> bool:
    """Whether a value is true. `PreferredPhotoYN` comes as a boolean, or as text."""
    value = row.get(name)
    return value is True or (isinstance(value, str) and value.lower() in ("true", "y", "yes", "1"))


def rows_of(row: Row, name: str) -> Sequence[Row] | None:
    """An expanded collection; None where it is absent, null or no list of objects."""
    value = row.get(name)
    if not isinstance(value, list) or not all(isinstance(inner, dict) for inner in value):
        return None
    return value


def _storable(value: Any) -> Any:
    """The value with a question mark in the place of every character that is none."""
    if isinstance(value, str):
        return value.replace("\0", "?").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(inner) for name, inner in value.items()}
    return value


def _annotation(answer: Row, name: str) -> Any:
    return answer.get(f"@odata.{name}", answer.get(f"@@odata.{name}"))


def _whole(value: Any) -> int | None:
    # No count and no order has more digits than a 64-bit number.
    if not isinstance(value, str) or len(value) > 19 or not value.lstrip("-").isdecimal():
        return None
    return int(value)


def _line(code: object, message: object) -> str:
    parts = (" ".join(part.split()) for part in (code, message) if isinstance(part, str) and part)
    return ": ".join(parts)[:300]


def _no_number(name: str) -> Any:
    raise Malformed(f"not JSON: {name} is no number")
