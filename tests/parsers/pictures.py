"""Pictures of every type, written by Pillow or by hand, and what the probe says of them."""

import random
from collections.abc import Iterable
from io import BytesIO
from struct import pack
from typing import Any

from PIL import Image

from parsers.image import ImageProbe
from parsers.records import ImageFacts


def probe(chunks: Iterable[bytes | memoryview]) -> ImageFacts | None:
    running = ImageProbe()
    for chunk in chunks:
        running.receive_data(chunk)
    return running.result()


def noise(width: int, height: int) -> Image.Image:
    dice = random.Random(width * height)  # noqa: S311 - a picture, the same each time
    return Image.frombytes("RGB", (width, height), dice.randbytes(width * height * 3))


def saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def exif_with_thumbnail() -> bytes:
    """An APP1 payload whose second directory holds a whole JPEG, its end mark included."""
    thumbnail = saved(noise(8, 6), "JPEG")
    first = pack("<HI", 0, 14)
    second = pack("<HHHIIHHIII", 2, 0x201, 4, 1, 44, 0x202, 4, 1, len(thumbnail), 0)
    return b"Exif\0\0" + b"II*\0" + pack("<I", 8) + first + second + thumbnail


def jpeg_segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload


def box(kind: bytes, *inside: bytes, size: int | None = None) -> bytes:
    payload = b"".join(inside)
    return pack(">I4s", len(payload) + 8 if size is None else size, kind) + payload


def ispe(width: int, height: int) -> bytes:
    return box(b"ispe", pack(">III", 0, width, height))


def heic(*, brands: bytes = b"heic\0\0\0\0mif1heic") -> bytes:
    sizes = box(b"ipco", ispe(8, 6), ispe(4032, 3024), ispe(512, 512))
    meta = box(b"meta", bytes(4), box(b"hdlr", bytes(25)), box(b"iprp", sizes, box(b"ipma", bytes(9))))
    return box(b"ftyp", brands) + meta + box(b"mdat", bytes(range(200)))


PLAIN = noise(40, 30)
JPEGS = {
    "baseline": saved(PLAIN, "JPEG", quality=90),
    "progressive": saved(PLAIN, "JPEG", progressive=True),
    "restart markers": saved(PLAIN, "JPEG", restart_marker_blocks=1),
    "grey": saved(PLAIN.convert("L"), "JPEG"),
    "exif thumbnail": saved(PLAIN, "JPEG", exif=exif_with_thumbnail()),
    "application segments": saved(PLAIN, "JPEG", icc_profile=b"\xff\xd9" * 700, comment=b"\xff\xd9\xff\xda"),
}
OTHERS = {
    "png": (saved(PLAIN, "PNG"), "image/png"),
    "png palette": (saved(PLAIN.convert("P"), "PNG"), "image/png"),
    "gif": (saved(PLAIN, "GIF"), "image/gif"),
    "gif animation": (
        saved(PLAIN, "GIF", save_all=True, append_images=[noise(40, 30).rotate(180)]),
        "image/gif",
    ),
    "webp lossy": (saved(PLAIN, "WEBP"), "image/webp"),
    "webp lossless": (saved(PLAIN, "WEBP", lossless=True), "image/webp"),
    "webp extended": (saved(PLAIN, "WEBP", exif=b"Exif\0\0II*\0"), "image/webp"),
    "bmp": (saved(PLAIN, "BMP"), "image/bmp"),
    "tiff": (saved(PLAIN, "TIFF"), "image/tiff"),
    "tiff strips": (saved(PLAIN, "TIFF", compression="tiff_lzw", strip_size=500), "image/tiff"),
    "avif": (saved(PLAIN, "AVIF"), "image/avif"),
}
PICTURES = {name: (picture, "image/jpeg") for name, picture in JPEGS.items()} | OTHERS
