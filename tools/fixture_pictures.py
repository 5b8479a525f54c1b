"""Small pictures whose bytes are the same wherever they are made.

Everything is drawn with rectangles: a font's rasteriser may change, a rectangle does not.
"""

import colorsys
from io import BytesIO

from PIL import Image, ImageDraw

# Which of the seven segments of each digit are lit: top, upper left, upper right, middle, lower left,
# lower right, bottom.
_SEGMENTS = (
    "1110111", "0010010", "1011101", "1011011", "0111010",
    "1101011", "1101111", "1010010", "1111111", "1111011",
)  # fmt: skip
_BOXES = (
    (2, 0, 14, 3), (0, 2, 3, 14), (13, 2, 16, 14), (2, 13, 14, 16),
    (0, 15, 3, 27), (13, 15, 16, 27), (2, 26, 14, 29),
)  # fmt: skip


def jpeg(number: int, *, comment: bytes = b"") -> bytes:
    """A JPEG of 2 to 3 KB that shows its number; `comment` stands inside its bytes.

    Odd numbers lie, even ones stand, so that width and height cannot be mixed up.
    """
    out = BytesIO()
    size = (96, 72) if number % 2 else (72, 96)
    _drawing(number, size).save(out, "JPEG", quality=85, comment=comment)
    return out.getvalue()


def png(number: int) -> bytes:
    """A PNG that shows its number: two colours, stored rather than packed, so that no zlib differs."""
    out = BytesIO()
    _drawing(number, (96, 72)).convert("1", dither=Image.Dither.NONE).save(out, "PNG", compress_level=0)
    return out.getvalue()


def _drawing(number: int, size: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", size, _colour(number * 47, 0.45))
    draw = ImageDraw.Draw(image)
    for band in range(0, size[1], 6):  # stripes of many shades give the bytes a photo's weight
        draw.rectangle((0, band, size[0], band + 3), fill=_colour(number * 47 + band, 0.35))
    for place, digit in enumerate(f"{number:03d}"):
        for lit, (left, top, right, bottom) in zip(_SEGMENTS[int(digit)], _BOXES, strict=True):
            if lit == "1":
                x, y = 8 + 20 * place, size[1] // 2 - 15
                draw.rectangle((x + left, y + top, x + right, y + bottom), fill="white")
    return image


def _colour(hue: int, lightness: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(hue % 360 / 360, lightness, 0.6)
    return round(red * 255), round(green * 255), round(blue * 255)
