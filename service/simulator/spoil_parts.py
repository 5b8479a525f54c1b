"""Faults inside an answer: the parts of a bundle, the rows of a search.

Both are found in the bytes as they go out, whichever feed made them.
"""

import re
from collections.abc import Callable

from parsers.mime import boundaries, parse_content_type
from service.simulator import documents

REFUSALS = {
    20407: "Unauthorized Retrieval.",
    20409: "Object Unavailable.",
    20411: "Timeout.",
    20412: "Too Many Outstanding Requests.",
}
"""What a part may say in the place of its picture, beside 20403."""

FOREIGN_LISTING = b"0000000"
"""A listing that nobody has."""

_ROWS = re.compile(
    rb"<DATA>.*?</DATA>\s*|<PropertyDetails\b[^>]*/>\s*|<PropertyDetails\b.*?</PropertyDetails>\s*", re.DOTALL
)
_CONTENT_ID = re.compile(rb"(?i)^(Content-ID:[ \t]*)[^\r\n]+", re.MULTILINE)
_IDS = re.compile(rb"(?i)^(?:Content|Object)-ID:[^\r\n]+", re.MULTILINE)
_HEAD_END = b"\r\n\r\n"


def rows(body: bytes) -> list[re.Match[bytes]]:
    """The rows of a search answer, in either format, each with the line end behind it."""
    return list(_ROWS.finditer(body))


def repeat_row(body: bytes, at: float) -> bytes | None:
    """The same row twice in a row; None where there is none."""
    found = rows(body)
    if not found:
        return None
    row = found[int(at * len(found))]
    return body[: row.end()] + body[row.start() :]


def drop_rows(body: bytes) -> bytes | None:
    """COUNT and everything else but the rows (Q57); None where there is none."""
    return _ROWS.sub(b"", body) if rows(body) else None


def change_part(
    content_type: str, body: bytes, at: float, change: Callable[[list[bytes], int], list[bytes]]
) -> bytes | None:
    """The bundle with its parts changed around the one at `at`; None where the answer is no bundle."""
    found = boundaries(parse_content_type(content_type))
    if not found or not content_type.lower().startswith("multipart/"):
        return None
    delimiter = b"--" + found[0]
    preamble, *parts, end = body.split(delimiter)
    if not parts:
        return None
    return delimiter.join([preamble, *change(parts, int(at * len(parts))), end])


def swapped(parts: list[bytes], _index: int) -> list[bytes]:
    """The last one first; each keeps its ids (Q37)."""
    return parts[::-1]


def repeated(parts: list[bytes], index: int) -> list[bytes]:
    """One of them twice."""
    return [*parts[: index + 1], *parts[index:]]


def missing(parts: list[bytes], index: int) -> list[bytes]:
    """One of them not at all."""
    return parts[:index] + parts[index + 1 :]


def emptied(parts: list[bytes], index: int) -> list[bytes]:
    """One announces a picture and brings none."""
    return _with(parts, index, parts[index].partition(_HEAD_END)[0] + _HEAD_END + b"\r\n")


def refused(parts: list[bytes], index: int) -> list[bytes]:
    """One brings a reply code in the place of its picture (Q24)."""
    code = sorted(REFUSALS)[index % len(REFUSALS)]
    return _with(parts, index, _error(parts[index], code, REFUSALS[code]))


def absent(parts: list[bytes], index: int) -> list[bytes]:
    """One says that there is no such photo, which is not true."""
    return _with(parts, index, _error(parts[index], 20403, "No Object Found."))


def foreign(parts: list[bytes], index: int) -> list[bytes]:
    """One belongs to another listing, or says so (Q38)."""
    head, end, picture = parts[index].partition(_HEAD_END)
    return _with(parts, index, _CONTENT_ID.sub(rb"\g<1>" + FOREIGN_LISTING, head) + end + picture)


def _error(part: bytes, code: int, text: str) -> bytes:
    ids = _IDS.findall(part.partition(_HEAD_END)[0])
    head = b"\r\n".join([b"", b"Content-Type: text/xml", *ids])
    return head + _HEAD_END + documents.reply(code, text)


def _with(parts: list[bytes], index: int, part: bytes) -> list[bytes]:
    return [*parts[:index], part, *parts[index + 1 :]]
