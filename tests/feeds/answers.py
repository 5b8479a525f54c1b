"""GetObject answers as a server writes them, and what was read of them, in a form to compare."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import pytest

from parsers.records import Outcome
from service.core.ports import IncomingPhoto, PhotoSource, Wanted
from service.errors import ServiceError

PARALLEL = "multipart/parallel; boundary=xyz"

Came: TypeAlias = list[tuple[str, str, Outcome | bytes]]
"""Listing, photo id, and what was said of it or its bytes."""

Photos: TypeAlias = Callable[..., Iterator[IncomingPhoto]]
Read: TypeAlias = Callable[..., Came]
"""One answer read for what was asked: `(reply, wanted)`."""


def jpeg(text: str) -> bytes:
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + text.encode() * 50 + b"\r\n--xy\r\n\xff\xd9"


def part(body: bytes | str, *headers: str, id_: str = "", listing: str = "100") -> bytes:
    ids = [f"Content-ID: {listing}"] * bool(listing) + [f"Object-ID: {id_}"] * bool(id_)
    data = body.encode() if isinstance(body, str) else body
    return "\r\n".join([*ids, *headers, "", ""]).encode() + data


def bundle(*parts: bytes, boundary: str = "xyz", end: str = "--\r\n") -> bytes:
    mark = f"\r\n--{boundary}".encode()
    return b"".join(mark + b"\r\n" + part for part in parts) + mark + end.encode()


def reply(code: int, text: str = "said") -> str:
    return f'<RETS ReplyCode="{code}" ReplyText="{text}"/>\r\n'


def table(*rows: str, count: int | None = None, end: str = "</RETS>") -> str:
    counted = f'<COUNT Records="{len(rows) if count is None else count}"/>'
    columns = "<COLUMNS>\tResourceRecordID\tOrder\tMediaUrl\tMediaModificationTimestamp\t</COLUMNS>"
    lines = "".join(f"<DATA>\t{row}\t</DATA>" for row in rows)
    return f'<RETS ReplyCode="0" ReplyText="ok">{counted}<DELIMITER value="09"/>{columns}{lines}{end}'


ROWS = [f"100\t{n}\thttps://cdn.example/{n}.jpg\t2024-01-0{n}T00:00:00Z" for n in (1, 2, 3)]


def until_trouble(photos: Iterable[IncomingPhoto]) -> tuple[Came, ServiceError]:
    """What comes before the error, and the error."""
    came: Came = []
    with pytest.raises(ServiceError) as raised:
        came.extend(map(read_photo, photos))
    return came, raised.value


def read_photo(photo: IncomingPhoto) -> tuple[str, str, Outcome | bytes]:
    return photo.listing, photo.ref.id, photo.outcome or b"".join(photo.chunks)


def ask(source: PhotoSource, *wanted: Wanted) -> Came:
    """What a source gives; a whole listing if nothing else is said."""
    return [read_photo(photo) for photo in source.open_photos(wanted or [Wanted("100")])]


THREE = [part(jpeg(str(n)), "Content-Type: image/jpeg", id_=str(n)) for n in (1, 2, 3)]
ALL_THREE: Came = [("100", str(n), jpeg(str(n))) for n in (1, 2, 3)]
