"""Everything that decides what an answer to GetObject means for a photo lives here.

Three forms of answer meet: a part of a bundle, a single object (both have a head and a body), and a
table of URLs. Absent is the only outcome that may delete, so it needs a reply code of a whole RETS
element, or a part that is empty and names its photo. Whatever else is not an image is Unknown.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parsers.image import sniff_media_type
from parsers.mime import Headers, parse_content_type
from parsers.records import (
    WHOLE_SET,
    Absent,
    Denied,
    Image,
    ImageFacts,
    Outcome,
    PhotoRef,
    Redirect,
    Retryable,
    Unknown,
)
from parsers.rets.compact import CompactParser
from parsers.rets.reply import Reply, Verdict, is_whole, read_reply
from parsers.rets.search import SearchEnd, read_count
from parsers.rets.table import Row
from parsers.rets.text import printable

EVIDENCE = 1200
"""Characters of an answer that nobody can read which are handed on: 1 KB is kept, once it is scrubbed."""

NO_OBJECT = 20403
MISCELLANEOUS = 20413

# Columns of a table of URLs, by their usual spellings; case does not matter. RESO calls the listing's
# system key ResourceRecordKey; CREA has ResourceRecordID alone.
_LISTINGS = ("ResourceRecordKey", "ResourceRecordID")
_IDS = ("ObjectID", "Object-ID", "Order")
URL_COLUMNS = ("MediaURL",)
_STAMPS = ("MediaModificationTimestamp",)
TABLE_COLUMNS = (*_LISTINGS, *_IDS, *URL_COLUMNS, *_STAMPS)
"""What is read of a table of URLs; other columns may stand in it."""

_COLUMNS = re.compile(rb"<COLUMNS\b[^>]*+>([^<]*+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ObjectHead:
    """The headers of a part, or of a single answer, in the field's terms.

    `listing` is Content-ID, `id` Object-ID ("*" on an answer for all photos, Q33; any text, Q39);
    None where missing or empty (Q32). `media_type`: lower case, "" when none. `location`: None when
    missing or empty (Q46), else as sent, maybe relative (Q41). `object_data`: names in lower case.
    `error`: the sender says that this is no object, whatever its type (Q28). `content_length`: what
    was announced, never what came (Q15). `transfer_encoding`: lower case, "" when none (Q19).
    """

    listing: str | None
    id: str | None
    media_type: str
    location: str | None
    caption: str | None
    preferred: bool
    object_data: Mapping[str, str]
    error: bool
    content_length: int | None
    transfer_encoding: str


def read_object_head(headers: Headers) -> ObjectHead:
    """Read the head of a part or of a single answer."""
    caption = _said(headers, "Content-Description") or _said(headers, "Description")  # Q53
    pairs = (line.partition("=") for line in headers.get_all("ObjectData"))  # at the first `=` only: Q54
    location = _said(headers, "Location")
    return ObjectHead(
        listing=_said(headers, "Content-ID"),
        id=_said(headers, "Object-ID"),
        media_type=parse_content_type(headers.get("Content-Type")).media_type,
        location=location.replace("&amp;", "&") if location else None,  # once: Q42
        caption=caption if caption and caption.lower() != "null" else None,
        preferred=_said(headers, "Preferred") in {"1", "true", "True"},
        object_data={name.strip().lower(): value.strip().replace("&amp;", "&") for name, _, value in pairs},
        error=_said(headers, "RETS-Error") not in {None, "0"},
        content_length=read_count(headers.get("Content-Length")),
        transfer_encoding=(_said(headers, "Content-Transfer-Encoding") or "").lower(),
    )


def _said(headers: Headers, name: str) -> str | None:
    return (headers.get(name) or "").strip() or None


def photo_order(id_: str, position: int) -> int:
    """Photos are sorted by the number that their id is (Q37), else by their place in the answer (Q39)."""
    number = read_count(id_)
    return position if number is None else number


def is_image_start(head: ObjectHead, first: bytes) -> bool:
    """Whether a body that begins so is to be kept as a picture.

    Magic bytes decide, not the type (Q26, Q30); RETS-Error wins over both (Q28).
    """
    return not head.error and sniff_media_type(first) is not None


def judge_image(facts: ImageFacts | None, length: int, sha256: str, head_bytes: bytes) -> Outcome:
    """A body that was read to its end: `length` bytes, `facts` as ImageProbe saw them."""
    if facts is None:
        return Unknown(f"no image: {printable(head_bytes, EVIDENCE)!r}")
    if not facts.complete:
        return Retryable(f"the {facts.media_type} is cut after {length} bytes")
    return Image(sha256, length, facts.media_type, facts.width, facts.height)


def judge_text(
    head: ObjectHead,
    body: bytes,
    url_keys: Sequence[str] = ("PropMediaURL",),
    stamp_keys: Sequence[str] = ("PropMediaModificationTimestamp",),
) -> Outcome:
    """What a body that is no image means; its first 64 KB are enough.

    `head` is the head as it was sent: an answer to a single request that names nothing (Q32) must
    not be given the ids of the request first, or an empty answer (Q22) would look like an absence.
    """
    reply = read_reply(body)
    if reply is None:
        return _judge_without_reply(head, body, url_keys, stamp_keys)
    if reply.verdict is Verdict.FINE and not head.error:
        return _redirect(head, url_keys, stamp_keys) or Unknown(f"{_words(reply)}, but neither image nor URL")
    if reply.code == NO_OBJECT and not is_whole(body):
        return Unknown(f"a reply that is cut: {printable(body, EVIDENCE)!r}")
    return outcome_of_reply(reply)


def outcome_of_reply(reply: Reply) -> Outcome:
    """What a reply code says of the photo, or of all photos, that it answers for.

    A reply that is fine decides nothing, and one that stops the feed (`stops_feed`) says nothing
    of this photo: both are Unknown.
    """
    if reply.code == NO_OBJECT:
        return Absent(_words(reply))
    if reply.verdict is Verdict.SKIP or reply.code == MISCELLANEOUS:
        return Denied(_words(reply))
    if reply.verdict in {Verdict.RETRY_LATER, Verdict.LOGIN_AGAIN, Verdict.ASK_LESS}:
        return Retryable(_words(reply))
    return Unknown(_words(reply))


def location_refused(reply: Reply) -> bool:
    """Whether the server will not give URLs: `20413 Location=1 is disabled` (Q44). Ask for bytes instead."""
    return reply.code == MISCELLANEOUS and "location" in reply.text.lower()


def _judge_without_reply(
    head: ObjectHead, body: bytes, url_keys: Sequence[str], stamp_keys: Sequence[str]
) -> Outcome:
    redirect = None if head.error else _redirect(head, url_keys, stamp_keys)
    if redirect:
        return redirect
    if body.strip():
        return Unknown(f"no image: {printable(body, EVIDENCE)!r}")
    if head.listing is None or head.id in {None, WHOLE_SET}:
        return Unknown("an empty answer that names no photo")  # Q22
    if head.error or head.content_length or head.media_type.startswith("image/"):
        return Unknown("an image was announced and no bytes came")
    return Absent("an empty part")  # Q31, Q46


def _redirect(head: ObjectHead, url_keys: Sequence[str], stamp_keys: Sequence[str]) -> Redirect | None:
    """The URL in Location (Q25), else in ObjectData (Q105)."""
    url = head.location or _first(head.object_data, url_keys)
    return Redirect(url, _first(head.object_data, stamp_keys)) if url else None


def _first(object_data: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((value for name in names if (value := object_data.get(name.lower()))), None)


def _words(reply: Reply) -> str:
    return f"{reply.code} {reply.text}".strip()


def is_url_table(head: bytes) -> bool:
    """Whether an answer is a table of URLs; `head` is its first 4 KB, or all of it."""
    reply, columns = read_reply(head), _COLUMNS.search(head)
    if reply is None or reply.verdict is not Verdict.FINE or columns is None:
        return False
    return any(name.lower().encode() in columns[1].lower() for name in URL_COLUMNS)


@dataclass(frozen=True, slots=True)
class UrlRow:
    """One row of a table of URLs; `listing` is "" where the table has no column for it."""

    listing: str
    ref: PhotoRef
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class UrlTableEnd:
    """`outcome` speaks for all that was asked when no row came, else None.

    `complete`: the answer came to its end and contradicts itself nowhere; nothing may be removed
    without it.
    """

    end: SearchEnd
    complete: bool
    outcome: Outcome | None


class UrlTable:
    r"""The third form of answer to GetObject: a COMPACT table of URLs (CREA DDF).

    <RETS ReplyCode="0" ReplyText="ok"><COUNT Records="1"/><DELIMITER value="09"/>
    <COLUMNS>\tResourceRecordID\tOrder\tMediaUrl\tMediaModificationTimestamp\t</COLUMNS>
    <DATA>\t20270724\t1\thttps://host/1.jpg\t2019-01-22T22:17:29Z\t</DATA></RETS>
    """

    def __init__(self) -> None:
        self._parser = CompactParser(TABLE_COLUMNS)
        self._rows = 0
        self._nameless = 0

    def receive_data(self, chunk: bytes) -> list[UrlRow]:
        """The rows that this chunk completes. Raises LimitExceeded for a row that does not end."""
        return [found for row in self._parser.receive_data(chunk) if (found := self._read(row))]

    def close(self) -> UrlTableEnd:
        """What the table as a whole says. Raises Malformed or Truncated when there was no RETS answer."""
        end = self._parser.close()
        whole = end.ended and not end.quarantined and not self._nameless and not end.max_rows
        complete = whole and end.reply.code == 0 and end.count in {None, end.rows}
        if end.rows:
            return UrlTableEnd(end, complete, None)
        if end.reply.verdict is Verdict.FINE or not end.ended:
            return UrlTableEnd(end, False, Unknown("a table of URLs without rows"))
        return UrlTableEnd(end, whole, outcome_of_reply(end.reply))

    def _read(self, row: Row) -> UrlRow | None:
        self._rows += 1
        cells = iter([(cell or "").strip() for cell in row])
        listing, id_, url, stamp = (
            next(filter(None, [next(cells) for _ in names]), "")
            for names in (_LISTINGS, _IDS, URL_COLUMNS, _STAMPS)
        )
        if not id_:
            self._nameless += 1
            return None
        ref = PhotoRef(id_, photo_order(id_, self._rows), stamp or None, url or None)
        return UrlRow(listing, ref, Redirect(url, stamp or None) if url else Unknown("a row without a URL"))
