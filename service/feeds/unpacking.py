"""A body that was packed for its transfer (Q21), unpacked piece by piece: nothing of it is ever whole.

The HTTP library's own unpacking of gzip goes in circles, with ever more memory, where a member ends
just where a piece does; so it is done here. A small body that unpacks without an end is refused.
"""

import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain

import brotli

PIECE = 64 * 2**10
"""Bytes unpacked at once."""

FREE = 64 * 2**20
"""Bytes that any body may unpack to: more than a page of listings has."""

MAX_RATIO = 200
"""Beyond it, how many times its size: tables of listings pack 30 to 1, pictures hardly at all."""


class UnpackError(ValueError):
    """The body is not packed as its header says, or is a bomb."""


def unpacked(encoding: str | None, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The body by its Content-Encoding (RFC 9110 8.4); as it came where that names nothing known."""
    names = [name.strip().lower() for name in (encoding or "").split(",")]
    packings = [name for name in names if name not in {"", "identity"}]
    if len(packings) > 1:
        raise UnpackError(f"it was packed {len(packings)} times over")
    unpack = _UNPACKERS.get(packings[0]) if packings else None
    first = next(chunks, b"")  # an answer without a body may say how it would have been packed
    if not first:
        return
    body = chain([first], chunks)
    try:
        yield from body if unpack is None else _bounded(unpack, body)
    except (zlib.error, brotli.error) as error:
        raise UnpackError(f"it cannot be unpacked: {error}") from error


def _bounded(
    unpack: Callable[[Iterable[bytes]], Iterator[bytes]], chunks: Iterator[bytes]
) -> Iterator[bytes]:
    came = went = 0

    def counted() -> Iterator[bytes]:
        nonlocal came
        for chunk in chunks:
            came += len(chunk)
            yield chunk

    for piece in unpack(counted()):
        went += len(piece)
        if went > max(FREE, came * MAX_RATIO):
            raise UnpackError(f"{came} bytes unpack to more than {went}")
        if piece:
            yield piece


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Members one after the other (RFC 1952 2.2); what follows them and is none is passed over."""
    member = zlib.decompressobj(31)
    for chunk in chunks:
        rest = chunk
        while rest:
            if member.eof:
                if not _GZIP.startswith(rest[:2]):
                    return
                member = zlib.decompressobj(31)
            rest = yield from _feed(member, rest)
    _check_ended(member.eof)


def _inflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """`deflate` means the zlib format (RFC 1950); some send the bare one (RFC 1951)."""
    stream = None
    for chunk in chunks:
        if stream is None:
            stream = zlib.decompressobj(15 if chunk[0] & 15 == zlib.DEFLATED else -15)
        rest = chunk
        while rest and not stream.eof:
            rest = yield from _feed(stream, rest)
    _check_ended(stream is None or stream.eof)


def _feed(stream: "zlib._Decompress", chunk: bytes) -> Generator[bytes, None, bytes]:
    """What these bytes unpack to; comes back with those behind the stream's end."""
    rest, full = chunk, True
    while (rest or full) and not stream.eof:
        piece = stream.decompress(rest, PIECE)
        rest, full = stream.unconsumed_tail, len(piece) == PIECE
        yield piece
    return stream.unused_data


def _unbrotli(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """RFC 7932."""
    stream = brotli.Decompressor()
    for chunk in chunks:
        piece = stream.process(chunk, output_buffer_limit=PIECE)
        while piece:
            yield piece
            piece = stream.process(b"", output_buffer_limit=PIECE)
    _check_ended(stream.is_finished())


def _check_ended(ended: bool) -> None:  # noqa: FBT001 - it is the subject
    if not ended:
        raise UnpackError("it ends before what it was packed from does")


_GZIP = b"\x1f\x8b"

_UNPACKERS: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    "br": _unbrotli,
    "deflate": _inflate,
    "gzip": _gunzip,
    "x-gzip": _gunzip,
}
