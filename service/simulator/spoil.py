"""A good answer made into a bad one: what each fault does to what the client gets.

A spoilt body is gathered in memory first. A fault that finds nothing to spoil does nothing.
"""

import gzip
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import TypeAlias

from service.simulator import documents, spoil_parts
from service.simulator.answers import (
    RawAnswer,
    RefuseConnections,
    ResetConnection,
    StallConnection,
    text_answer,
)
from service.simulator.faults import Fault, Faults, Injected, Kind

REFUSED_SECONDS = 0.2
"""Longer than quick retries take that do not wait, shorter than anybody's patience."""

SLOW_SECONDS, SLOW_PIECES = 0.3, 30
"""A slow body takes so long, in so many pieces: no single silence is long."""

LOGIN_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>"
    b'<form method="post" action="/signin"><input name="user"><input name="password" type="password">'
    b"</form></body></html>\n"
)

_STATUSES = {
    Kind.HTTP_401: (401, "Unauthorized"),
    Kind.HTTP_403: (403, "Forbidden"),
    Kind.HTTP_412: (412, "Precondition Failed"),
    Kind.HTTP_429: (429, "Too Many Requests"),
    Kind.HTTP_500: (500, "Internal Server Error"),
    Kind.HTTP_502: (502, "Bad Gateway"),
    Kind.HTTP_503: (503, "Service Unavailable"),
}

_REPLIES = {
    Kind.REPLY_20403: (20403, "No Object Found."),
    Kind.REPLY_20407: (20407, spoil_parts.REFUSALS[20407]),
    Kind.REPLY_20409: (20409, spoil_parts.REFUSALS[20409]),
    Kind.REPLY_20411: (20411, spoil_parts.REFUSALS[20411]),
    Kind.REPLY_20412: (20412, spoil_parts.REFUSALS[20412]),
    Kind.REPLY_20701: (20701, "Not Logged In."),
}

_FRAMING = ("content-length", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class _Whole:
    """An answer that is all here: headers without those that frame the body."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def media_type(self) -> str:
        return next((value for name, value in self.headers if name.lower() == "content-type"), "")

    def sent_as(self, body: bytes | Iterator[bytes], *more: tuple[str, str]) -> RawAnswer:
        return RawAnswer(self.status, self.reason, self.headers + more, body)


_Spoiler: TypeAlias = Callable[[_Whole, Fault[Kind]], RawAnswer | None]
_Ending: TypeAlias = Callable[[bytes, int], Iterator[bytes]]


def under_faults(
    faults: Faults[Kind] | None,
    transaction: str,
    params: Mapping[str, str],
    answer: Callable[[], RawAnswer],
    lose_session: Callable[[], None] = lambda: None,
) -> RawAnswer:
    """The answer to a request that has just come, under the fault that befalls it, if any does."""
    fault = faults.next(transaction) if faults else None
    if faults is None or fault is None:
        return answer()
    met = Injected(transaction, params, fault)
    # From a login on there is a session; the login itself cannot lose it.
    lost = fault.kind is Kind.SESSION_LOST and transaction not in {"Login", "Photo", "Token", "Media"}
    if lost:
        lose_session()
    if lost or fault.kind is Kind.REFUSED:
        faults.note(met)
    spoilt, changed = spoil(answer(), fault)
    if changed:
        faults.note(met)
    return spoilt


def spoil(answer: RawAnswer, fault: Fault[Kind]) -> tuple[RawAnswer, bool]:
    """The answer under this fault, and whether the fault has changed it.

    Raises RefuseConnections for the fault that lets no connection in.
    """
    body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
    head = tuple((name, value) for name, value in answer.headers if name.lower() not in _FRAMING)
    whole = _Whole(answer.status, answer.reason, head, body)
    spoilt = _SPOILERS[fault.kind](whole, fault)
    return spoilt or whole.sent_as(body), spoilt is not None


def _refuse(_whole: _Whole, _fault: Fault[Kind]) -> RawAnswer:
    raise RefuseConnections(REFUSED_SECONDS)


# Other answers in its place.


def _status(code: int, reason: str, _whole: _Whole, fault: Fault[Kind]) -> RawAnswer:
    wait = () if fault.retry_after is None else (("Retry-After", str(fault.retry_after)),)
    body = b"" if code == 401 else b"<html><body>Sorry.</body></html>\n"
    return RawAnswer(code, reason, (("Content-Type", "text/html"), *wait), body)


def _reply(code: int, text: str, _whole: _Whole, _fault: Fault[Kind]) -> RawAnswer:
    return text_answer(documents.reply(code, text))


def _login_page(_whole: _Whole, _fault: Fault[Kind]) -> RawAnswer:
    return text_answer(LOGIN_PAGE, "text/html")


def _empty(whole: _Whole, _fault: Fault[Kind]) -> RawAnswer | None:
    return whole.sent_as(b"") if whole.body else None


def _wrong_type(whole: _Whole, _fault: Fault[Kind]) -> RawAnswer:
    other = "image/jpeg" if whole.media_type.startswith("text/") else "text/html; charset=utf-8"
    head = [(name, value) for name, value in whole.headers if name.lower() != "content-type"]
    return RawAnswer(whole.status, whole.reason, (("Content-Type", other), *head), whole.body)


# Bodies that go out in their own way.


def _ending(ending: _Ending, whole: _Whole, fault: Fault[Kind], *, known: bool) -> RawAnswer | None:
    """The beginning of a body, and what the ending makes of the rest; `known`: its length is declared."""
    size = len(whole.body)
    if size < 2:
        return None
    cut = max(1, min(int(size * fault.at), size - 1))  # some of it comes, and some does not
    length = (("Content-Length", str(size)),) if known else ()
    return whole.sent_as(ending(whole.body, cut), *length)


def _reset(body: bytes, cut: int) -> Iterator[bytes]:
    yield body[:cut]
    raise ResetConnection


def _stall(body: bytes, cut: int) -> Iterator[bytes]:
    yield body[:cut]
    raise StallConnection


def _cut(body: bytes, cut: int) -> Iterator[bytes]:
    yield body[:cut]


def _slowly(body: bytes, _cut: int) -> Iterator[bytes]:
    step = -(-len(body) // SLOW_PIECES)
    for start in range(0, len(body), step):
        time.sleep(SLOW_SECONDS / SLOW_PIECES)
        yield body[start : start + step]


def _endlessly(body: bytes, cut: int) -> Iterator[bytes]:
    """Rows without end where there are rows, else bytes without end in whatever stands there."""
    found = spoil_parts.rows(body)
    if found:
        return chain((body[: found[-1].end()],), repeat(found[-1][0] * 100))
    return chain((body[:cut],), repeat(bytes(2**16)))


def _gzip_broken(whole: _Whole, fault: Fault[Kind]) -> RawAnswer | None:
    """No gzip at all, or gzip with a damaged middle."""
    packed = bytearray(gzip.compress(whole.body, mtime=0))
    packed[len(packed) // 2] ^= 0xFF
    body = whole.body if fault.at < 0.5 else bytes(packed)
    return whole.sent_as(body, ("Content-Encoding", "gzip")) if whole.body else None


def _gzip_cut(whole: _Whole, fault: Fault[Kind]) -> RawAnswer | None:
    """The transfer is whole; what was packed into it is not."""
    packed = gzip.compress(whole.body, mtime=0)
    cut = max(1, int(len(packed) * fault.at))
    return whole.sent_as(packed[:cut], ("Content-Encoding", "gzip")) if whole.body else None


# Parts and rows.


def _part(
    change: Callable[[list[bytes], int], list[bytes]], whole: _Whole, fault: Fault[Kind]
) -> RawAnswer | None:
    body = spoil_parts.change_part(whole.media_type, whole.body, fault.at, change)
    return None if body is None else whole.sent_as(body)


def _repeat_row(whole: _Whole, fault: Fault[Kind]) -> RawAnswer | None:
    body = spoil_parts.repeat_row(whole.body, fault.at)
    return None if body is None else whole.sent_as(body)


def _drop_rows(whole: _Whole, _fault: Fault[Kind]) -> RawAnswer | None:
    body = spoil_parts.drop_rows(whole.body)
    return None if body is None else whole.sent_as(body)


def _nothing(_whole: _Whole, _fault: Fault[Kind]) -> None:
    return None


_SPOILERS: Mapping[Kind, _Spoiler] = {
    Kind.REFUSED: _refuse,
    Kind.RESET: partial(_ending, _reset, known=True),
    Kind.STALL: partial(_ending, _stall, known=True),
    Kind.SLOW: partial(_ending, _slowly, known=True),
    Kind.CUT_KNOWN: partial(_ending, _cut, known=True),
    Kind.CUT_UNKNOWN: partial(_ending, _cut, known=False),
    Kind.ENDLESS: partial(_ending, _endlessly, known=False),
    **{kind: partial(_status, *status) for kind, status in _STATUSES.items()},
    Kind.SESSION_LOST: _nothing,
    **{kind: partial(_reply, *reply) for kind, reply in _REPLIES.items()},
    Kind.LOGIN_PAGE: _login_page,
    Kind.EMPTY_ANSWER: _empty,
    Kind.WRONG_TYPE: _wrong_type,
    Kind.GZIP_BROKEN: _gzip_broken,
    Kind.GZIP_CUT: _gzip_cut,
    Kind.PARTS_SWAPPED: partial(_part, spoil_parts.swapped),
    Kind.PART_REPEATED: partial(_part, spoil_parts.repeated),
    Kind.PART_MISSING: partial(_part, spoil_parts.missing),
    Kind.PART_EMPTY: partial(_part, spoil_parts.emptied),
    Kind.PART_REFUSED: partial(_part, spoil_parts.refused),
    Kind.PART_ABSENT: partial(_part, spoil_parts.absent),
    Kind.PART_FOREIGN: partial(_part, spoil_parts.foreign),
    Kind.ROW_REPEATED: _repeat_row,
    Kind.ROWS_GONE: _drop_rows,
}
