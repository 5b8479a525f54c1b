"""Small real pictures, and what tempts a parser to cut them in the wrong place.

They are made once. Each is followed byte for byte from the builder to what was accepted.
"""

import re
from base64 import encodebytes
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from struct import pack
from zlib import crc32

from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from tests.parsers.pictures import exif_with_thumbnail, heic, jpeg_segment, noise, saved


@dataclass(frozen=True)
class Picture:
    """A whole file. Its picture is over at `end`; what stands behind is its sender's junk (Q17)."""

    body: bytes
    end: int
    media_type: str

    def _repr_pretty_(self, printer: RepresentationPrinter, _cycle: bool) -> None:  # noqa: FBT001 - IPython's protocol
        printer.text(f"<{self.media_type} of {len(self.body)} bytes>")

    @cached_property
    def sha256(self) -> str:
        return sha256(self.body).hexdigest()

    @property
    def base64(self) -> bytes:
        return encodebytes(self.body)

    def is_whole_in(self, body: bytes) -> bool:
        """Whether the body begins with the picture, its end mark included."""
        return body.startswith(self.body[: self.end])


def _picture(body: bytes, media_type: str) -> Picture:
    return Picture(body, len(body), media_type)


_GREY = noise(8, 6).convert("L")
JPEGS = [
    _picture(saved(noise(9, 5).convert("L"), "JPEG", quality=40), "image/jpeg"),
    _picture(saved(_GREY, "JPEG", progressive=True), "image/jpeg"),
    _picture(saved(noise(16, 8).convert("L"), "JPEG", quality=60, restart_marker_blocks=1), "image/jpeg"),
    _picture(saved(_GREY, "JPEG", exif=exif_with_thumbnail()), "image/jpeg"),
]
PNGS = [_picture(saved(noise(5, 4), "PNG"), "image/png"), _picture(saved(_GREY, "PNG"), "image/png")]
GIFS = [_picture(saved(_GREY.quantize(4), "GIF"), "image/gif")]
LENGTH_FIRST = [
    _picture(saved(_GREY, "WEBP", quality=20), "image/webp"),
    _picture(saved(_GREY, "BMP"), "image/bmp"),
    _picture(saved(_GREY, "TIFF"), "image/tiff"),
    _picture(saved(_GREY, "AVIF"), "image/avif"),
    _picture(heic(), "image/heic"),
]
"""Their headers say where they end."""

ALBUM = [*JPEGS * 2, *PNGS, *GIFS, *LENGTH_FIRST]


# Files of the right form from their first byte to their end mark, with no picture in them.
HOLLOW = [
    JPEGS[0].body[: JPEGS[0].body.index(b"\xff\xda")] + b"\xff\xd9",
    b"\xff\xd8\xff\xd9",
    PNGS[0].body[:33] + b"\0\0\0\0IEND\xaeB`\x82",
    b"GIF89a\x08\0\x06\0\0\0\0;",
]


def look_alikes(boundary: bytes) -> list[bytes]:
    """Nearly delimiters: not at a line start, not followed by a line end, `--` or a blank (Q16)."""
    return [
        b"--" + boundary + b"\r\n",
        b"\r--" + boundary + b"\r\n",
        b"\n-" + boundary + b"--",
        b"\r\n--" + boundary,
        b"\r\n--" + boundary + b"-",
        b"\r\n--" + boundary + b"x\r\n\r\n",
        b"\r\n--" + boundary + b"\r",
        b"\r\n--" + boundary[:-1] + b"\r\n",
        b"\r\n--" + boundary + boundary + b"--\r\n",
        b"\n\r\n--",
        b"\r\n\r\n",
        b"\r",
    ]


def is_framed(body: bytes, boundary: bytes, line_end: bytes) -> bool:
    """Whether a bundle can carry the body at all: no delimiter is in it, none forms at its end."""
    if line_end == b"\n" and body.endswith(b"\r"):
        return False
    mark = re.compile(rb"\n--" + re.escape(boundary) + rb"(?:\r?\n|--|[ \t])")
    return not mark.search(b"\n" + body + line_end + b"--")


@st.composite
def pictures(draw: st.DrawFn, boundary: bytes, line_end: bytes) -> Picture:
    """Plain ones, and ones with look-alikes in a comment, among the pixels or behind the end mark."""
    picture = draw(st.sampled_from(ALBUM))
    text = b"".join(draw(st.lists(st.sampled_from(look_alikes(boundary)), max_size=3)))
    places = [_behind] * 2 + [_in_comment, _among_pixels] * (picture not in LENGTH_FIRST)
    tempting = draw(st.sampled_from(places))(picture, text)
    return tempting if is_framed(tempting.body, boundary, line_end) else picture


def _behind(picture: Picture, text: bytes) -> Picture:
    return Picture(picture.body + text, picture.end, picture.media_type)


def _in_comment(picture: Picture, text: bytes) -> Picture:
    body = picture.body
    match picture.media_type:
        case "image/jpeg":
            body = body[:2] + jpeg_segment(0xFE, text) + body[2:]
        case "image/png":
            chunk = b"tEXt" + text
            body = body[:33] + pack(">I", len(text)) + chunk + pack(">I", crc32(chunk)) + body[33:]
        case _:
            body = body[: _gif_blocks(body)] + b"!\xfe" + _sub_blocks(text) + body[_gif_blocks(body) :]
    return _picture(body, picture.media_type)


def _among_pixels(picture: Picture, text: bytes) -> Picture:
    """A JPEG's scan has no length: whatever holds no marker may stand in it."""
    if picture.media_type != "image/jpeg":
        return _in_comment(picture, text)
    return _picture(picture.body[:-2] + text + picture.body[-2:], picture.media_type)


def _gif_blocks(body: bytes) -> int:
    """Where the blocks begin: behind the header and the colour table."""
    return 13 + (6 << (body[10] & 7))


def _sub_blocks(text: bytes) -> bytes:
    parts = [text[at : at + 255] for at in range(0, len(text), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
