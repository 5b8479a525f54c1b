"""A multipart body in chunks, out come its parts: RFC 2046 5.1 as real RETS servers bend it.

A delimiter counts only at a line start and only when CRLF, LF, `--` or a blank follows (Q16).
What could still become one at a chunk's end is held back, a few bytes; everything else is handed
on at once as views of the chunk. Nothing is searched byte by byte in Python.
"""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from parsers.errors import LimitExceeded, Malformed, Truncated
from parsers.mime import Headers, parse_header_block

MAX_HEADER_BYTES = 64 * 1024
"""A part's header block: the longest caption and ObjectData seen together stay under 8 KiB."""

MAX_PARTS = 10_000
"""Parts of one body: a listing has up to some hundred photos, an answer up to some ten listings."""

MAX_BOUNDARY_BYTES = 1000
"""RFC 2046 allows 70; this bounds what is held back at a chunk's end."""

# What may stand behind the boundary text: the closing mark, transport padding, a line end.
_FOLLOW = re.compile(rb"(--)|[ \t]|\r?\n")

# The line end of the last header line: before a blank line, before a body that begins without one
# (Q10; both are group 1), or before what may be a delimiter (Q9).
_HEAD_END = re.compile(rb"\n(?:(\r?\n|(?=<))|(?=--))")

_CR = 0x0D
_HYPHEN = 0x2D

# Header blocks are collected in pieces of this size, so that no chunk is copied for their sake.
_PIECE = 1024

_FIRST_LINE = re.compile(rb"\s*--([!-~](?:[ -~]*[!-~])?)[ \t]*\r?\n")


@dataclass(frozen=True, slots=True)
class PartStart:
    """A part begins; its headers are complete."""

    headers: Headers


@dataclass(frozen=True, slots=True)
class PartData:
    """The next bytes of the open part: a view of the chunk that was received, valid while kept."""

    data: memoryview


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The open part is complete."""


Event: TypeAlias = PartStart | PartData | PartEnd


# Strings, since reading an Enum's member costs as much as scanning a kilobyte.
_State: TypeAlias = Literal["preamble", "headers", "body", "epilogue"]


class _Delimiter(NamedTuple):
    """A delimiter in some bytes: the line end before it begins at `start`, it is over at `end`.

    `last` is its last byte, a line feed or a blank; `closing` when `--` follows the boundary.
    """

    start: int
    end: int
    last: bytes
    closing: bool
    needle: bytes


class _HeadEnd(NamedTuple):
    """Header lines end before `start`, what comes next begins at `end`; `delimiter` if one ended them."""

    start: int
    end: int
    delimiter: _Delimiter | None


class MultipartParser:
    r"""Push parser of one multipart body.

    >>> parser = MultipartParser(b"x")
    >>> events = parser.receive_data(b"--x\r\nContent-ID: 1\r\n\r\nbytes\r\n--x--\r\n")
    >>> [type(event).__name__ for event in events], parser.close()
    (['PartStart', 'PartData', 'PartEnd'], [])

    Raises Malformed at construction for a boundary that cannot be one, LimitExceeded when a part's
    header block or the number of parts passes its limit.
    """

    def __init__(
        self, boundary: bytes, *, max_header_bytes: int = MAX_HEADER_BYTES, max_parts: int = MAX_PARTS
    ) -> None:
        if not 0 < len(boundary) <= MAX_BOUNDARY_BYTES:
            raise Malformed(f"a boundary of {len(boundary)} bytes (allowed: 1 to {MAX_BOUNDARY_BYTES})")
        if b"\n" in boundary or b"\r" in boundary:
            raise Malformed("a boundary with a line end in it")
        self._max_header_bytes = max_header_bytes
        self._max_parts = max_parts
        self._parts = 0
        self._is_blank = True  # no byte of the open part's body has come that says anything
        self._state: _State = "preamble"
        self._block = b""  # the end of the delimiter line, then the header lines
        self._searched = 0  # where in the block the search goes on
        # A server may count the leading hyphens into the boundary that it declares. The first
        # delimiter of the body shows which way it is, unless there is nothing but hyphens.
        forms = (b"\n--" + boundary, b"\n" + boundary)
        both = boundary.startswith(b"--") and boundary.strip(b"-")
        self._look_for(*forms if both else forms[:1])
        self._begin_at_line_start()

    def receive_data(self, chunk: bytes) -> list[Event]:
        """What the next bytes of the body complete. The views in PartData keep the chunk alive."""
        events: list[Event] = []
        pos, end = 0, len(chunk)
        # Most chunks hold no delimiter, which one search tells; bytes.rfind goes through picture
        # data twice as fast as bytes.find.
        last = chunk.rfind(self._probe)
        while pos < end and self._state != "epilogue":
            if self._state == "headers":
                pos = self._read_headers(chunk, pos, events)
            elif self._held:
                pos = self._decide_held(chunk, pos, events)
            else:
                pos = self._read_lines(chunk, pos, last, events)
        return events

    def close(self, *, vouched: bool = False) -> list[Event]:
        """The end of the body.

        Without its closing delimiter the body is Truncated, unless the transport vouches that it
        ended where its sender said: then the open part ends here (Q7). A part of which nothing but
        blanks has come is Truncated all the same: empty, it would say that there is no such photo. A
        vouched body that never held a delimiter is Malformed: it was no multipart of this boundary.
        """
        if self._state == "epilogue":
            return []
        if not vouched:
            raise Truncated(f"multipart body ends without its closing delimiter, in part {self._parts}")
        if self._state == "preamble":
            raise Malformed(f"multipart body without any delimiter {self._needles[0][1:80]!r}")
        events = self._last_headers() if self._state == "headers" else self._last_bytes()
        self._state = "epilogue"
        return events

    # Bodies and the preamble, which is a body that nobody wants (Q6).

    def _read_lines(self, chunk: bytes, pos: int, last: int, events: list[Event]) -> int:
        """Up to the next delimiter, else to the end of the chunk; `last` is where one may still be."""
        found = self._find(chunk, pos, last + len(self._probe)) if last >= pos else None
        end = found.start if found else self._settled_end(chunk, pos)
        if pos < end and self._state == "body":
            self._give(memoryview(chunk)[pos:end], events)
        if found:
            self._pass(found, events)
            return found.end
        self._held = chunk[end:]
        return len(chunk)

    def _find(self, chunk: bytes, pos: int, end: int) -> _Delimiter | None:
        first = None
        for needle in self._needles:
            at = chunk.find(needle, pos, end)
            while at >= 0:
                found = _delimiter_at(chunk, at, needle, pos)
                if found:
                    first = found if first is None or found.start < first.start else first
                    break
                at = chunk.find(needle, at + 1, end)
        return first

    def _settled_end(self, chunk: bytes, pos: int) -> int:
        """Where the bytes begin that may turn out to be a delimiter; the chunk's end if none may."""
        at = chunk.rfind(b"\n", max(pos, len(chunk) - self._reach))
        if at >= 0:
            start = at - 1 if at > pos and chunk[at - 1] == _CR else at
            if self._may_begin(chunk[start:]):
                return start
        return len(chunk) - chunk.endswith(b"\r")

    def _decide_held(self, chunk: bytes, pos: int, events: list[Event]) -> int:
        """Look at the held-back bytes with the few behind them that tell what they are."""
        text = self._held + chunk[pos : pos + self._reach]
        if self._may_begin(text):
            self._held = text
            return len(chunk)
        found = self._delimiter_first(text)
        if found:
            pos += found.end - len(self._held)
            self._held, self._not_sent = b"", 0
            self._pass(found, events)
        else:
            self._release(events)
        return pos

    def _delimiter_first(self, text: bytes) -> _Delimiter | None:
        at = 1 if text.startswith(b"\r") else 0
        for needle in self._needles:
            found = _delimiter_at(text, at, needle, 0)
            if found:
                return found
        return None

    def _may_begin(self, text: bytes) -> bool:
        """Whether the text is the beginning of a delimiter that lies on both sides of a border."""
        line = text.removeprefix(b"\r")
        for needle in self._needles:  # a loop, since any() would double the time of a small part
            if needle.startswith(line) or line in (needle + b"\r", needle + b"-"):
                return True
        return False

    def _release(self, events: list[Event]) -> None:
        """What was held back is no delimiter."""
        if len(self._held) > self._not_sent and self._state == "body":
            self._give(memoryview(self._held)[self._not_sent :], events)
        self._held, self._not_sent = b"", 0

    def _give(self, data: memoryview, events: list[Event]) -> None:
        events.append(PartData(data))
        # Its first byte decides nearly always, without a copy of the rest.
        self._is_blank = self._is_blank and bytes(data[:1]).isspace() and bytes(data).isspace()

    def _begin_at_line_start(self) -> None:
        """A body's first byte stands at a line start (Q5): hold back a line end that nobody sent."""
        self._held = b"\n"
        self._not_sent = 1

    # Delimiters.

    def _look_for(self, *needles: bytes) -> None:
        self._needles = needles
        self._probe = needles[0] if len(needles) == 1 else needles[-1][1:]  # stands in each of them
        self._reach = len(needles[0]) + 2  # a CR before it, and the first of two bytes behind it

    def _pass(self, delimiter: _Delimiter, events: list[Event]) -> None:
        if self._state == "body":
            events.append(PartEnd())
        elif self._state == "preamble":
            self._look_for(delimiter.needle)
        self._state = "epilogue" if delimiter.closing else "headers"
        self._block = delimiter.last
        self._searched = 0

    # Header blocks.

    def _read_headers(self, chunk: bytes, pos: int, events: list[Event]) -> int:
        """Collect a piece of the header block; where the block ends, begin the part."""
        piece = chunk[pos : pos + _PIECE]
        self._block += piece
        end = self._head_end()
        size = (end.start if end else len(self._block) - self._reach) - 1  # the delimiter's own byte
        if size > self._max_header_bytes:
            raise LimitExceeded(f"header block of part {self._parts + 1} over {self._max_header_bytes} bytes")
        pos += len(piece)
        if end:
            # The byte that showed the end came with this piece: going back stays within the chunk.
            pos -= len(self._block) - end.end
            self._end_headers(end, events)
        return pos

    def _head_end(self) -> _HeadEnd | None:
        at = self._searched
        while match := _HEAD_END.search(self._block, at):
            if match[1] is not None:
                return _HeadEnd(match.start(), match.end(), None)
            found = _delimiter_at(self._block, match.start(), self._needles[0], 0)
            if found:
                return _HeadEnd(found.start, found.end, found)
            at = match.start() + 1
        self._searched = max(0, len(self._block) - self._reach)
        return None

    def _end_headers(self, end: _HeadEnd, events: list[Event]) -> None:
        lines = self._header_lines(end.start)
        if end.delimiter is None:
            self._begin_part(lines, events)
            if end.end == len(self._block) or self._block[end.end] == _HYPHEN:
                self._begin_at_line_start()
            return
        if lines:
            self._begin_part(lines, events)
        else:  # two delimiters in a row hold no part between them, but may go on for ever
            self._count_part()
        self._pass(end.delimiter, events)

    def _header_lines(self, end: int) -> bytes:
        """The block up to `end` without its first line, which is the rest of the delimiter's."""
        return self._block[self._block.index(b"\n") + 1 : end]

    def _count_part(self) -> None:
        self._parts += 1
        if self._parts > self._max_parts:
            raise LimitExceeded(f"multipart body of more than {self._max_parts} parts")

    def _begin_part(self, lines: bytes, events: list[Event]) -> None:
        self._count_part()
        events.append(PartStart(parse_header_block(lines)))
        self._state = "body"
        self._is_blank = True

    # The end of a body without a closing delimiter: it also ends the last line.

    def _last_headers(self) -> list[Event]:
        self._block += b"\n"
        end = self._head_end()
        lines = self._header_lines(end.start if end else len(self._block))
        events: list[Event] = []
        if lines.strip():
            if end is None or end.delimiter is None:
                raise Truncated(f"multipart body ends in the header block of part {self._parts + 1}")
            self._begin_part(lines, events)
            events.append(PartEnd())
        return events

    def _last_bytes(self) -> list[Event]:
        events: list[Event] = []
        if not self._delimiter_first(self._held + b"\n"):
            self._release(events)
            if self._is_blank:
                raise Truncated(f"multipart body ends before the body of part {self._parts}")
        events.append(PartEnd())
        return events


def _delimiter_at(text: bytes, at: int, needle: bytes, begin: int) -> _Delimiter | None:
    """The delimiter whose line feed is at `at`, if the needle stands there and goes on as it must."""
    if not text.startswith(needle, at):
        return None
    follow = _FOLLOW.match(text, at + len(needle))
    if not follow:
        return None
    start = at - 1 if at > begin and text[at - 1] == _CR else at
    return _Delimiter(start, follow.end(), follow[0][-1:], follow[1] is not None, needle)


def sniff_boundary(head: bytes) -> bytes | None:
    r"""The boundary that a body's first line names, where its Content-Type does not (Q4).

    Leading blank lines are skipped; None also while the first line has not ended.

    >>> sniff_boundary(b"\r\n--xyz\r\nContent-ID: 1")
    b'xyz'
    """
    match = _FIRST_LINE.match(head)
    return match[1] if match and len(match[1]) <= MAX_BOUNDARY_BYTES else None
