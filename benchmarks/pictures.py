"""Photos and bundles as a server sends them, made on the fly so that nobody has to hold them.

A picture is a true JPEG up to its scan: markers with their lengths, then bytes that are as hard to
search as compressed ones (every value, 0xFF stuffed), then the end marker. Each has other bytes.
"""

import random
from collections.abc import Iterable, Iterator
from functools import cache

from service.simulator.bundles import BundledPhoto, Framing

CHUNK = 64 * 1024
"""Bytes per read from a socket, as the ingest reads."""

PHOTO = 250_000
"""Bytes of a usual listing photo."""

FRAMING = Framing()
CONTENT_TYPE = FRAMING.content_type.format(boundary=FRAMING.boundary)
BOUNDARY = FRAMING.boundary.encode()

# ITU T.81: a comment (filled in), a frame of 1024 x 768 in three components, a scan of them.
_COMMENT = b"\xff\xd8\xff\xfe\x00\x0a%08d"
_FRAME = bytes.fromhex("ffc0 0011 08 0300 0400 03 012200 021101 031101 ffda 000c 03 0100 0211 0311 00 3f 00")
_END = b"\xff\xd9"
_LEAST = len(_COMMENT % 0) + len(_FRAME) + len(_END)
_LARGEST = 5_000_000


@cache
def _scan() -> bytes:
    noise = random.Random(0).randbytes(_LARGEST)  # noqa: S311 - the same pictures every time
    return noise.replace(b"\xff", b"\xff\x00")


def picture(number: int, size: int = PHOTO) -> bytes:
    """Picture `number`, of `size` bytes."""
    return b"%b%b%b%b" % (_COMMENT % number, _FRAME, _scan()[: size - _LEAST], _END)


def size_of(number: int, photos: int, smallest: int, largest: int) -> int:
    """Bytes of photo `number` of a set whose sizes go evenly from the smallest to the largest."""
    return smallest + (largest - smallest) * number // max(photos - 1, 1)


def bundle(sizes: Iterable[int]) -> Iterator[bytes]:
    """The body of a GetObject answer, in the pieces in which it is written."""
    photos = (BundledPhoto(str(n), picture(n, size)) for n, size in enumerate(sizes, 1))
    body = FRAMING.bundle(FRAMING.image_part("R000000", photo) for photo in photos).body
    return iter([body]) if isinstance(body, bytes) else iter(body)


def in_chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes as they come off a socket, CHUNK at a time."""
    held = bytearray()
    for piece in pieces:
        held += piece
        whole = len(held) - len(held) % CHUNK
        for at in range(0, whole, CHUNK):
            yield bytes(held[at : at + CHUNK])
        del held[:whole]
    if held:
        yield bytes(held)
