"""The three forms of a GetObject answer, read into photos: a bundle, a single object, a table of URLs.

What a photo's answer means is decided in parsers/rets/objects.py, whose it is in asked.py. A part
that cannot be understood is an outcome of its own photo and never loses the rest (Q30).
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from parsers.errors import ParseError, Truncated
from parsers.mime import decode_body
from parsers.records import Outcome, PhotoRef, Redirect, Unknown
from parsers.rets.objects import (
    UrlRow,
    UrlTable,
    is_image_start,
    is_url_table,
    judge_text,
    photo_order,
    read_object_head,
)
from service.core.ports import IncomingPhoto
from service.errors import RetryLater, TransferCut
from service.feeds.answer import Answer
from service.feeds.asked import Asked
from service.feeds.bundle import Bundle, Part, find_boundary
from service.feeds.endless import Flow
from service.feeds.hosts import resolve
from service.feeds.rets_client import read_head_reply, text_head
from service.rets_config import RetsFields

MAGIC_BYTES = 32
"""Bytes by which every kind of image is known."""

ROWS_A_LISTING = 10_000
"""Rows of a table of URLs: twenty times what any feed allows a listing."""

USUAL_FIELDS = RetsFields()

TEXT_BYTES = 64 * 2**10
"""Bytes of a text that are judged: what matters stands at its head, and a page of HTML has no end."""


def read_objects(
    feed: str, answer: Answer, asked: Asked, fields: RetsFields = USUAL_FIELDS
) -> Iterator[IncomingPhoto]:
    """The photos of one answer, which is read to its end. Redirects are absolute, and not followed.

    `fields` names what ObjectData holds. Raises TransferCut for an answer that is not whole, after
    the photos that are.
    """
    boundary = find_boundary(answer) if answer.status == 200 else None
    if boundary is not None:
        parts = Bundle(feed, answer, boundary).parts()
        came = (_photo(part, answer.url, number, fields) for number, part in enumerate(parts, 1))
        yield from asked.assign(came)
    elif is_url_table(text_head(answer, is_url_table)):
        yield from _read_table(feed, answer, asked)
    else:
        yield from _read_single(answer, asked, fields)


def _read_single(answer: Answer, asked: Asked, fields: RetsFields) -> Iterator[IncomingPhoto]:
    """A picture, or a text that speaks for everything that was asked (Q27)."""
    if not answer.head(bool) and not (asked.is_one_photo and answer.vouched):  # Q22
        yield from asked.all_get(Unknown(f"an empty answer with HTTP {answer.status}"))
        return
    if answer.status != 200 and not read_head_reply(answer):
        yield from asked.all_get(Unknown(f"HTTP {answer.status}"))
        return
    photo = _photo(Part(answer.headers, iter(answer.read, b"")), answer.url, 1, fields)
    if photo.outcome is None or isinstance(photo.outcome, Redirect):
        yield from asked.assign([photo], alone=True)
    else:
        yield from asked.all_get(photo.outcome)


def _read_table(feed: str, answer: Answer, asked: Asked) -> Iterator[IncomingPhoto]:
    """The rows of a COMPACT table of URLs."""
    table = UrlTable()
    rows = _table_rows(table, answer, Flow(feed, f"the table of {answer.place}"), ROWS_A_LISTING * asked.size)
    try:
        yield from asked.assign(
            IncomingPhoto(row.listing, row.ref, _resolved(row.outcome, answer.url)) for row in rows
        )
        end = table.close()
    except Truncated as error:
        raise TransferCut(f"the table of {answer.place}: {error}", feed=feed) from error
    except ParseError as error:
        raise RetryLater(f"the table of {answer.place}: {error}", feed=feed) from error
    if end.outcome is not None:
        yield from asked.all_get(end.outcome)
    elif not end.end.ended:
        raise TransferCut(f"the table of {answer.place} stops before its closing tag", feed=feed)
    elif not end.complete:
        why = f"COUNT says {end.end.count}, {end.end.rows} rows could be read"
        raise RetryLater(f"the table of {answer.place} is not whole: {why}", feed=feed)


def _table_rows(table: UrlTable, answer: Answer, flow: Flow, most: int) -> Iterator[UrlRow]:
    for chunk in iter(answer.read, b""):
        rows = table.receive_data(chunk)
        yield from rows
        flow.note(len(rows), len(chunk), most)


def _photo(part: Part, url: str, position: int, fields: RetsFields) -> IncomingPhoto:
    """One part as a photo under its own words for listing and id, "" where it has none."""
    head = read_object_head(part.headers)
    id_ = (head.id or "").strip()
    ref = PhotoRef(id_, photo_order(id_, position), preferred=head.preferred, caption=head.caption)
    photo = IncomingPhoto(head.listing or "", ref)
    try:
        first, photo.chunks = _first(decode_body(head.transfer_encoding, part.chunks), MAGIC_BYTES)
        if not is_image_start(head, first):
            text, _ = _first(photo.chunks, TEXT_BYTES)
            outcome = judge_text(head, text, (fields.photo_url,), (fields.photo_stamp,))
            photo.outcome = _resolved(outcome, url)
            if isinstance(outcome, Redirect):
                photo.ref = ref._replace(stamp=outcome.stamp)
    except ParseError as error:
        photo.outcome = Unknown(str(error))
    return photo


def _first(chunks: Iterator[bytes | memoryview], size: int) -> tuple[bytes, Iterator[bytes | memoryview]]:
    """The first `size` bytes, and all the chunks, these included."""
    taken: list[bytes | memoryview] = []
    for chunk in chunks:
        taken.append(chunk)
        if sum(map(len, taken)) >= size:
            break
    return b"".join(bytes(chunk[:size]) for chunk in taken)[:size], chain(taken, chunks)


def _resolved(outcome: Outcome, url: str) -> Outcome:
    """A Location may be relative, to its host or to its scheme (Q41)."""
    return replace(outcome, url=resolve(url, outcome.url)) if isinstance(outcome, Redirect) else outcome
