import gzip
import zlib
from collections.abc import Iterator

import brotli
import pytest

from service.feeds.unpacking import PIECE, UnpackError, unpacked

TEXT = bytes(range(256)) * 3000 + b"end"


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def bare(text: bytes) -> bytes:
    return zlib.compress(text, wbits=-15)


PACKED = {
    "gzip": ("gzip", gzip.compress(TEXT)),
    "its old name, in capitals": (" X-GZip ", gzip.compress(TEXT)),
    "gzip of nothing": ("gzip", gzip.compress(b"") + gzip.compress(TEXT)),
    "zlib": ("deflate", zlib.compress(TEXT)),
    "bare deflate": ("deflate", bare(TEXT)),
    "brotli": ("br", brotli.compress(TEXT, quality=4)),
    "identity beside it": ("identity, gzip", gzip.compress(TEXT)),
    "garbage behind it": ("gzip", gzip.compress(TEXT) + b"\r\ngarbage"),
    "garbage behind zlib": ("deflate", zlib.compress(TEXT) + b"garbage"),
    "nothing": (None, TEXT),
    "a name that nobody knows": ("rot13", TEXT),
}


@pytest.mark.parametrize("size", [1, 7, 1400, PIECE, 10**7])
@pytest.mark.parametrize(("encoding", "body"), PACKED.values(), ids=PACKED.keys())
def test_q21_a_body_is_unpacked_whatever_pieces_it_comes_in(
    encoding: str | None, body: bytes, size: int
) -> None:
    assert b"".join(unpacked(encoding, pieces(body, size))) == TEXT


@pytest.mark.parametrize("length", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE])
def test_members_may_end_anywhere(length: int) -> None:
    """Where a member ended just where a piece did, the library's own unpacking doubled what followed."""
    body = gzip.compress(TEXT[:length]) * 3
    for size in (5, 1400, 10**7):
        assert b"".join(unpacked("gzip", pieces(body, size))) == TEXT[:length] * 3


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_a_packed_body_that_is_cut_or_garbage_is_an_error(encoding: str) -> None:
    whole = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}[encoding](TEXT)
    for body in (whole[: len(whole) // 2], whole[:-1], b"\xffgarbage" * 100):
        with pytest.raises(UnpackError):
            list(unpacked(encoding, pieces(body, 1400)))


def test_an_empty_body_is_empty() -> None:
    for encoding in ("gzip", "deflate", "br", "identity", ""):
        assert list(unpacked(encoding, iter(()))) == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_no_piece_is_much_larger_than_the_others(encoding: str) -> None:
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}[encoding]
    assert max(map(len, unpacked(encoding, iter([pack(bytes(10**6))])))) <= 2 * PIECE
