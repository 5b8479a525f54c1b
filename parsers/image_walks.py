"""The way through each image format to its end mark.

A walk is a generator over a Source: it yields whenever it has used up the chunk at hand, goes on
with the next one, and returns when the end was found or can no longer be. Lengths are followed, not
searched for, so that a thumbnail's end mark inside a segment does not count. Only JPEG's picture
bytes carry no length: they are searched by a compiled pattern.
"""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from operator import add
from struct import calcsize, iter_unpack, unpack
from typing import TypeAlias, TypeVar

MAX_PIECES = 300_000
"""Segments, chunks, boxes or sub-blocks of one picture. A GIF of 64 MiB has 270,000 full sub-blocks, a
JPEG some hundred segments; made of empty ones it would cost a minute."""

T = TypeVar("T")
Step: TypeAlias = Generator[None, None, T]
Walk: TypeAlias = Step[None]


class TooManyPieces(Exception):  # noqa: N818 - named for what happened; the probe catches it
    """Nobody makes a picture of so many pieces."""


@dataclass(slots=True)
class Found:
    """What a walk has found so far: pixels, and whether the picture's end was seen."""

    width: int = 0
    height: int = 0
    complete: bool = False


class Source:
    """Forward reading over chunks, of which only the present one is kept."""

    def __init__(self) -> None:
        self.chunk = memoryview(b"")
        self.at = 0
        self._passed = 0
        self._pieces = 0

    def count_piece(self) -> None:
        """Once for each piece. Raises TooManyPieces."""
        self._pieces += 1
        if self._pieces > MAX_PIECES:
            raise TooManyPieces

    @property
    def position(self) -> int:
        """Bytes from the picture's start."""
        return self._passed + self.at

    def take(self, count: int) -> Step[bytes]:
        """The next `count` bytes, which must be few: they are copied."""
        taken = bytes(self.chunk[self.at : self.at + count])
        self.at += len(taken)
        while len(taken) < count:
            yield from self._next_chunk()
            more = bytes(self.chunk[: count - len(taken)])
            self.at = len(more)
            taken += more
        return taken

    def skip(self, count: int) -> Step[None]:
        """Past the next `count` bytes, all of which must come."""
        self.at += count
        while self.at > len(self.chunk):
            over = self.at - len(self.chunk)
            yield from self._next_chunk()
            self.at = over

    def skip_to(self, position: int) -> Step[None]:
        """Forward to a position; one that has passed already needs nothing."""
        yield from self.skip(max(0, position - self.position))

    def skip_sub_blocks(self) -> Step[None]:
        """Past GIF's sub-blocks: a byte of length, so many bytes, up to a length of 0."""
        while True:
            self.count_piece()
            yield from self.skip(1)
            length = self.chunk[self.at - 1]
            if length == 0:
                return
            self.at += length
            if self.at > len(self.chunk):
                yield from self.skip(0)

    def marker(self, pattern: re.Pattern[bytes]) -> Step[int]:
        """Past the next match of a pattern of two bytes, FF first; the second byte."""
        while True:
            match = pattern.search(self.chunk, self.at)
            if match:
                self.at = match.end()
                return self.chunk[self.at - 1]
            cut = self.at < len(self.chunk) and self.chunk[-1] == 0xFF
            yield from self._next_chunk()
            if cut and pattern.match(b"\xff" + self.chunk[:1]):
                self.at = 1
                return self.chunk[0]

    def _next_chunk(self) -> Step[None]:
        self._passed += len(self.chunk)
        yield
        self.at = 0


# JPEG, ITU-T T.81 annex B.

_EOI = 0xD9
_SOS = 0xDA
_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # TEM, RSTn, SOI: no length follows
_SOF = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}

# Between segments fill bytes and junk may stand, which decoders skip.
_ANY_MARKER = re.compile(rb"\xff[^\x00\xff]")

# What can end the bytes of a scan: DHT, DAC, EOI to DRI, APPn, COM. Stuffed zeros, restart markers
# and codes that nobody uses belong to the scan.
_SCAN_END = re.compile(rb"\xff[\xc4\xcc\xd9-\xdd\xe0-\xef\xfe]")


def _jpeg(source: Source, found: Found) -> Walk:
    yield from source.skip(2)
    scans, wanted = 0, _ANY_MARKER
    while (marker := (yield from source.marker(wanted))) != _EOI:
        source.count_piece()
        if marker in _STANDALONE:
            continue
        end = source.position + int.from_bytes((yield from source.take(2)), "big")
        if end < source.position:
            return
        if marker in _SOF and not found.width:
            found.height, found.width = unpack(">xHH", (yield from source.take(5)))
        yield from source.skip_to(end)
        scans += marker == _SOS
        wanted = _SCAN_END if marker == _SOS else _ANY_MARKER
    found.complete = scans > 0


# PNG, ISO/IEC 15948 5: chunks of length, type, bytes and check sum.


def _png(source: Source, found: Found) -> Walk:
    yield from source.skip(8)
    picture, kind = False, b""
    while kind != b"IEND":
        source.count_piece()
        length, kind = unpack(">I4s", (yield from source.take(8)))
        end = source.position + length + 4
        if not kind.isalpha():
            return
        if kind == b"IHDR":
            found.width, found.height = unpack(">II", (yield from source.take(8)))
        picture = picture or kind == b"IDAT"
        yield from source.skip_to(end)
    found.complete = picture


# GIF 89a.


def _gif(source: Source, found: Found) -> Walk:
    found.width, found.height, flags = unpack("<6xHHBxx", (yield from source.take(13)))
    yield from source.skip(_colour_table(flags))
    picture = False
    while (kind := (yield from source.take(1))) != b";":
        if kind == b",":
            flags = (yield from source.take(9))[8]
            yield from source.skip(_colour_table(flags) + 1)
            picture = True
        elif kind == b"!":
            yield from source.skip(1)
        else:
            return
        yield from source.skip_sub_blocks()
    found.complete = picture


def _colour_table(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


# WebP, RFC 9649 2: one RIFF file; the first chunk tells the size of the picture.


def _webp(source: Source, found: Found) -> Walk:
    length, kind, first = unpack("<4xI4x4sI", (yield from source.take(20)))
    head = yield from source.take(min(first, 10))
    if kind == b"VP8X" and len(head) == 10:
        found.width = int.from_bytes(head[4:7], "little") + 1
        found.height = int.from_bytes(head[7:], "little") + 1
    elif kind == b"VP8L" and head[:1] == b"\x2f":
        bits = int.from_bytes(head[1:5], "little")
        found.width, found.height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 " and head[3:6] == b"\x9d\x01\x2a" and len(head) == 10:
        width, height = unpack("<HH", head[6:])
        found.width, found.height = width & 0x3FFF, height & 0x3FFF
    if length + 8 >= source.position:
        yield from source.skip_to(length + 8)
        found.complete = True


# BMP: the file header says how long the file is.


def _bmp(source: Source, found: Found) -> Walk:
    head = yield from source.take(26)
    length, header = unpack("<2xI8xI", head[:18])
    if header == 12:
        found.width, found.height = unpack("<HH", head[18:22])
    else:
        width, height = unpack("<ii", head[18:])
        found.width, found.height = abs(width), abs(height)  # negative: rows go from top to bottom
    if length > len(head):
        yield from source.skip_to(length)
        found.complete = True


# TIFF 6.0 has no end mark. It is complete when the first directory and the strips or tiles that it
# lists were passed. A list that stands before its directory cannot be read in one pass; writers that
# put it there write the directory last, so then nothing more is awaited.

_WIDTH, _HEIGHT = 256, 257
_OFFSETS = (273, 324)  # of strips, of tiles
_LENGTHS = (279, 325)
_FORMS = {3: "H", 4: "I"}
_MOST_ENTRIES = 1000  # of a directory; some thirty are usual
_MOST_STRIPS = 64 * 1024  # what is read of a list, in bytes


def _tiff(source: Source, found: Found) -> Walk:
    order = "<" if (yield from source.take(4)).startswith(b"I") else ">"
    yield from source.skip_to(unpack(order + "I", (yield from source.take(4)))[0])
    (entries,) = unpack(order + "H", (yield from source.take(2)))
    if entries > _MOST_ENTRIES:
        return
    values: dict[int, tuple[int, ...]] = {}
    lists: list[tuple[int, int, str]] = []
    for tag, kind, count, raw in iter_unpack(order + "HHI4s", (yield from source.take(12 * entries))):
        if tag not in (_WIDTH, _HEIGHT, *_OFFSETS, *_LENGTHS) or kind not in _FORMS:
            continue
        form = f"{order}{min(count, _MOST_STRIPS)}{_FORMS[kind]}"
        if calcsize(form) <= len(raw):
            values[tag] = unpack(form, raw[: calcsize(form)])
        else:
            lists.append((unpack(order + "I", raw)[0], tag, form))
    found.width, found.height = (sum(values.get(tag, ())[:1]) for tag in (_WIDTH, _HEIGHT))
    for position, tag, form in sorted(lists):
        if position < source.position or calcsize(form) > _MOST_STRIPS:
            found.complete = position < source.position
            return
        yield from source.skip_to(position)
        values[tag] = unpack(form, (yield from source.take(calcsize(form))))
    offsets, lengths = (sum((values.get(tag, ()) for tag in tags), ()) for tags in (_OFFSETS, _LENGTHS))
    if offsets and len(offsets) == len(lengths):
        yield from source.skip_to(max(map(add, offsets, lengths)))
        found.complete = True


# AVIF and HEIC, ISO/IEC 14496-12 4.2: boxes in boxes. `meta` describes the picture, `mdat` holds it.


def _boxes(source: Source, found: Found) -> Walk:
    seen: set[bytes] = set()
    end = 0
    while source.position < end or not {b"meta", b"mdat"} <= seen:
        source.count_piece()
        start = source.position
        size, kind = unpack(">I4s", (yield from source.take(8)))
        if size == 1:
            (size,) = unpack(">Q", (yield from source.take(8)))
        if size == 0:  # the box goes on to the end of the file, wherever that is
            break
        if start + size < source.position:
            return
        seen.add(kind)
        end = max(end, start + size)
        if kind == b"meta":
            yield from source.skip(4)
        elif kind == b"ispe":
            width, height = unpack(">4xII", (yield from source.take(12)))
            # The largest is the picture; thumbnails and tiles have their own.
            found.width, found.height = max((found.width, found.height), (width, height))
        if kind not in (b"meta", b"iprp", b"ipco"):
            yield from source.skip_to(start + size)
    found.complete = b"meta" in seen


WALKS: dict[str, Callable[[Source, Found], Walk]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/gif": _gif,
    "image/webp": _webp,
    "image/bmp": _bmp,
    "image/tiff": _tiff,
    "image/avif": _boxes,
    "image/heic": _boxes,
}
