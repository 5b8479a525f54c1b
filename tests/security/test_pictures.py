"""Pictures as a weapon: none is ever decoded, none takes long, whatever its head announces."""

import ast
import zlib
from collections.abc import Callable
from pathlib import Path
from struct import pack

import pytest

from parsers.image import ImageProbe
from parsers.records import ImageFacts
from service.core.photos import EXTENSIONS
from tests.security.servers import within

MEGABYTE = 2**20


def chunk(kind: bytes, body: bytes) -> bytes:
    return pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *more: bytes) -> bytes:
    head = chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


def jpeg(width: int, height: int, *more: bytes) -> bytes:
    frame = b"\xff\xc0" + pack(">HBHHB", 11, 8, height, width, 1) + b"\1\x11\0"
    return b"\xff\xd8" + b"".join(more) + frame + b"\xff\xda" + pack(">H", 8) + b"\1\1\0\0\x3f\0x\xff\xd9"


def webp(kind: bytes, body: bytes) -> bytes:
    inner = b"WEBP" + kind + pack("<I", len(body)) + body
    return b"RIFF" + pack("<I", len(inner)) + inner


def bmp(width: int, height: int, length: int) -> bytes:
    return (
        b"BM"
        + pack("<IHHI", length, 0, 0, 54)
        + pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    )


def tiff(*entries: tuple[int, int, int, int]) -> bytes:
    rows = b"".join(pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + pack("<H", len(entries)) + rows + pack("<I", 0)


def box(kind: bytes, body: bytes = b"") -> bytes:
    return pack(">I", len(body) + 8) + kind + body


FTYP = box(b"ftyp", b"avif\0\0\0\0avif")
BOMB = zlib.compress(bytes(MEGABYTE))

# What the bytes announce, and what is told of them; None: no picture.
BOMBS = {
    "JPEG of 4 gigapixels": (jpeg(65535, 65535), ("image/jpeg", 65535, 65535)),
    "JPEG without a height": (jpeg(65535, 0), ("image/jpeg", 65535, None)),
    "JPEG with two frames": (jpeg(1, 1, jpeg(65535, 65535)[2:19]), ("image/jpeg", 65535, 65535)),
    "JPEG segment without a length": (b"\xff\xd8\xff\xe1\0\0" + jpeg(1, 1), ("image/jpeg", None, None)),
    "PNG of the greatest size": (png(2**31 - 1, 2**31 - 1), ("image/png", 2**31 - 1, 2**31 - 1)),
    "PNG beyond the greatest size": (png(2**32 - 1, 2**32 - 1), ("image/png", 2**32 - 1, 2**32 - 1)),
    "PNG with packed text": (png(1, 1, chunk(b"zTXt", b"a\0\0" + BOMB)), ("image/png", 1, 1)),
    "PNG with a packed profile": (png(1, 1, chunk(b"iCCP", b"a\0\0" + BOMB)), ("image/png", 1, 1)),
    "PNG of packed pixels": (png(30_000, 30_000, chunk(b"IDAT", BOMB * 20)), ("image/png", 30_000, 30_000)),
    "PNG chunk of 4 GB": (png(1, 1)[:33] + b"\xff\xff\xff\xffIDAT", ("image/png", 1, 1)),
    "GIF of the greatest size": (b"GIF89a\xff\xff\xff\xff\0\0\0" + b";", ("image/gif", 65535, 65535)),
    "GIF of 10,000 frames": (
        b"GIF89a\1\0\1\0\0\0\0" + b",\0\0\0\0\xff\xff\xff\xff\0\2\1x\0" * 10_000 + b";",
        ("image/gif", 1, 1),
    ),
    "GIF with a table of colours and no more": (b"GIF89a\1\0\1\0\xff\0\0", ("image/gif", 1, 1)),
    "WebP of the greatest canvas": (
        webp(b"VP8X", b"\0\0\0\0" + b"\xff" * 6),
        ("image/webp", 2**24, 2**24),
    ),
    "WebP, lossless": (webp(b"VP8L", b"\x2f\xff\xff\xff\xff\0"), ("image/webp", 16384, 16384)),
    "WebP of 4 GB": (b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff" + b"x" * 10, ("image/webp", None, None)),
    "BMP of the greatest size": (bmp(2**31 - 1, 2**31 - 1, 54), ("image/bmp", 2**31 - 1, 2**31 - 1)),
    "BMP of sizes below zero": (bmp(-(2**31), -(2**31), 54), ("image/bmp", 2**31, 2**31)),
    "BMP of 4 GB": (bmp(1, 1, 2**32 - 1), ("image/bmp", 1, 1)),
    "TIFF of the greatest size": (
        tiff((256, 4, 1, 2**32 - 1), (257, 4, 1, 2**32 - 1)),
        ("image/tiff", 2**32 - 1, 2**32 - 1),
    ),
    "TIFF of 4 billion strips": (
        tiff((256, 3, 1, 9), (257, 3, 1, 9), (273, 4, 2**32 - 1, 8), (279, 4, 2**32 - 1, 8)),
        ("image/tiff", 9, 9),
    ),
    "TIFF directory at 4 GB": (b"II*\0\xff\xff\xff\xff", ("image/tiff", None, None)),
    "TIFF directory in itself": (b"II*\0\0\0\0\0" + b"\xff" * 64, ("image/tiff", None, None)),
    "AVIF box of 16 exabytes": (FTYP + b"\0\0\0\1meta" + b"\xff" * 8, ("image/avif", None, None)),
    "AVIF boxes in boxes": (FTYP + box(b"meta", box(b"iprp" * 2) * 500), ("image/avif", None, None)),
    "SVG with a script": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", None),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file", None),
    "PDF": (b"%PDF-1.7\n1 0 obj", None),
    "HTML": (b"<html><script>alert(1)</script>", None),
    "ZIP": (b"PK\x03\x04" + bytes(60), None),
    "a command of ImageMagick": (b"push graphic-context\nfill 'url(https://x\"|ls \"-la)'", None),
    "ICO": (b"\0\0\1\0\1\0\0\0\0\0" + bytes(60), None),
}


def probe(body: bytes, size: int = 65536) -> ImageFacts | None:
    found = ImageProbe()
    for at in range(0, len(body), size):
        found.receive_data(body[at : at + size])
    return found.result()


@pytest.mark.parametrize(("body", "told"), BOMBS.values(), ids=BOMBS.keys())
def test_what_a_head_announces_is_told_and_not_made(
    body: bytes, told: tuple[str, int | None, int | None] | None
) -> None:
    for size in (65536, 7):
        with within(0.5):
            facts = probe(body, size)
        assert told == (facts and (facts.media_type, facts.width, facts.height))


PIECES = {
    "JPEG segments": (b"\xff\xd8", b"\xff\xfe\0\2"),
    "JPEG markers": (b"\xff\xd8\xff\xd8", b"\xff\xd8"),
    "JPEG scans": (b"\xff\xd8", b"\xff\xda\0\2\xff\xc4\0\2"),
    "PNG chunks": (b"\x89PNG\r\n\x1a\n", b"\0\0\0\0teXt\0\0\0\0"),
    "GIF sub-blocks": (b"GIF89a\1\0\1\0\0\0\0!\xfe", b"\1x"),
    "GIF frames": (b"GIF89a\1\0\1\0\0\0\0", b",\0\0\0\0\1\0\1\0\0\2\0"),
    "GIF extensions": (b"GIF89a\1\0\1\0\0\0\0", b"!\xfe\0"),
    "AVIF boxes": (FTYP, box(b"free")),
}


@pytest.mark.parametrize(("head", "piece"), PIECES.values(), ids=PIECES.keys())
def test_a_picture_of_endless_tiny_pieces_is_given_up(head: bytes, piece: bytes) -> None:
    """The largest photo that is taken, made of these, took up to a minute each."""
    probe_of = ImageProbe()
    probe_of.receive_data(head)
    block = piece * (MEGABYTE // len(piece))
    with within(2):
        for _ in range(4):
            probe_of.receive_data(block)
        facts = probe_of.result()
    assert facts is not None
    assert not facts.complete


POLYGLOTS: dict[str, Callable[[], bytes]] = {
    "HTML in a comment of a JPEG": lambda: jpeg(1, 1, b"\xff\xfe\0\x1b<script>alert(1)</script>"[:29]),
    "HTML behind a GIF": lambda: b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\1x\0;<script>alert(1)</script>",
    "an archive behind a PNG": lambda: png(1, 1) + b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("body", POLYGLOTS.values(), ids=POLYGLOTS.keys())
def test_a_picture_that_is_something_else_too_is_served_as_a_picture(body: Callable[[], bytes]) -> None:
    facts = probe(body())
    assert facts is not None
    assert facts.media_type in EXTENSIONS


@pytest.mark.parametrize("room", ["parsers", "service"])
def test_nothing_that_decodes_pictures_is_ever_imported(room: str) -> None:
    names = {
        name.split(".")[0]
        for path in Path(room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert "lxml" in names or room == "service"
    assert not names & {"PIL", "cv2", "imageio", "wand", "pyvips"}
