"""What Pillow does not write but cameras and converters do, format by format."""

from struct import pack

import pytest

from parsers.records import ImageFacts
from tests.parsers.pictures import JPEGS, PICTURES, box, heic, jpeg_segment, probe
from tests.parsers.splits import cut_at, every_way

# JPEG.


def test_end_mark_of_a_thumbnail_is_not_the_end_of_the_photo() -> None:
    body = JPEGS["exif thumbnail"]
    first_end = body.index(b"\xff\xd9") + 2
    assert first_end < len(body) - 1000
    assert probe([body[:first_end]]) == ImageFacts("image/jpeg", None, None, complete=False)
    assert probe([body]) == ImageFacts("image/jpeg", 40, 30, complete=True)


def test_fill_bytes_and_junk_between_segments_are_skipped() -> None:
    body = JPEGS["baseline"]
    assert body[:6] == b"\xff\xd8\xff\xe0\0\x10"  # so the second segment begins at 20
    padded = body[:20] + b"junk\xff\0\xff\xff\x01\xff\xd0" + body[20:-2] + b"\xff\xff\xff\xd9"
    for at in range(len(padded)):
        facts = probe(cut_at(padded, [at]))
        assert facts == ImageFacts("image/jpeg", 40, 30, complete=True)


@pytest.mark.parametrize("marker", [0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xE1, 0xFE])
def test_segments_between_the_scans_of_a_jpeg_are_followed_by_their_lengths(marker: int) -> None:
    body = JPEGS["baseline"]
    scan = body[body.index(b"\xff\xda") :]
    segment = jpeg_segment(marker, b"\xff\xd9" * 30)
    assert probe([body[:-2] + segment]) == ImageFacts("image/jpeg", 40, 30, complete=False)
    assert probe([body[:-2] + segment + scan]) == ImageFacts("image/jpeg", 40, 30, complete=True)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + jpeg_segment(0xDB, bytes(65)) + b"\xff\xd9",
        b"\xff\xd8\xff\xe0\0\0\xff\xd9",
        b"\xff\xd8\xff\xe0\0\x01\xff\xd9",
    ],
)
def test_a_jpeg_without_a_scan_is_not_complete(body: bytes) -> None:
    for chunks in every_way(body):
        assert probe(chunks) == ImageFacts("image/jpeg", None, None, complete=False)


# The others, where Pillow does not write what exists.


def test_a_png_or_gif_without_a_picture_is_not_complete() -> None:
    empty_gif = b"GIF89a" + bytes([8, 0, 6, 0, 0, 0, 0]) + b";"
    assert probe([empty_gif]) == ImageFacts("image/gif", 8, 6, complete=False)
    png = PICTURES["png"][0]
    empty_png = png[:33] + png[-12:]
    assert probe([empty_png]) == ImageFacts("image/png", 40, 30, complete=False)


def test_gif_colour_tables_and_comments_are_passed_by_their_lengths() -> None:
    head = b"GIF87a" + bytes([8, 0, 6, 0, 0x81, 0, 0]) + b";" * 12
    comment = b"!\xfe" + b"\x03;;;" * 3 + b"\0"
    frame = b"," + bytes([0, 0, 0, 0, 8, 0, 6, 0, 0x80]) + b";" * 6 + b"\x02" + b"\x01;" * 9 + b"\0"
    body = head + comment + frame + b";"
    for chunks in every_way(body):
        assert probe(chunks) == ImageFacts("image/gif", 8, 6, complete=True)
    assert probe([body[:-1]]) == ImageFacts("image/gif", 8, 6, complete=False)
    assert probe([body[:-1] + b"?;"]) == ImageFacts("image/gif", 8, 6, complete=False)


def test_bmp_of_either_header_and_direction() -> None:
    os2 = b"BM" + pack("<IIIIHHHH", 30, 0, 26, 12, 1, 1, 1, 24) + b"abcd"
    assert probe([os2]) == ImageFacts("image/bmp", 1, 1, complete=True)
    top_down = b"BM" + pack("<IIIIiiHHIIiiII", 58, 0, 54, 40, 1, -1, 1, 24, 0, 4, 0, 0, 0, 0) + b"abcd"
    assert probe([top_down]) == ImageFacts("image/bmp", 1, 1, complete=True)
    assert probe([top_down[:-1]]) == ImageFacts("image/bmp", 1, 1, complete=False)
    no_length = top_down[:2] + bytes(4) + top_down[6:]
    assert probe([no_length]) == ImageFacts("image/bmp", 1, 1, complete=False)


def tiff(order: str, entries: list[tuple[int, int, int, int]], *, at: int = 8) -> bytes:
    """A header and a directory; an entry is tag, type, count, and value as it fills its four bytes."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    packed = b"".join(pack(order + "HHII", *entry) for entry in entries)
    return magic + pack(order + "I", at) + bytes(at - 8) + pack(order + "H", len(entries)) + packed + bytes(4)


def test_tiff_in_either_byte_order_with_one_strip() -> None:
    little = tiff("<", [(256, 4, 1, 5), (257, 4, 1, 3), (273, 4, 1, 62), (279, 4, 1, 10)]) + bytes(10)
    big = tiff(">", [(256, 3, 1, 5 << 16), (257, 3, 1, 3 << 16), (273, 4, 1, 62), (279, 4, 1, 10)]) + bytes(
        10
    )
    for body in (little, big):
        for chunks in every_way(body):
            assert probe(chunks) == ImageFacts("image/tiff", 5, 3, complete=True)
        for end in range(8, len(body)):
            facts = probe([body[:end]])
            assert facts is not None
            assert not facts.complete


def test_tiff_that_writes_its_directory_last_is_complete_with_it() -> None:
    body = tiff("<", [(256, 4, 1, 5), (257, 4, 1, 3), (273, 4, 2, 8), (279, 4, 2, 16)], at=100)
    assert probe([body]) == ImageFacts("image/tiff", 5, 3, complete=True)
    assert probe([body[:120]]) == ImageFacts("image/tiff", None, None, complete=False)


@pytest.mark.parametrize(
    "body",
    [
        tiff("<", []),
        tiff("<", [(273, 4, 1, 8)]),
        tiff("<", [(273, 4, 0xFFFFFFFF, 1 << 30), (279, 4, 1, 1)]),
        b"II*\0" + pack("<IH", 8, 0xFFFF) + bytes(12 * 0xFFFF),
    ],
)
def test_tiff_that_cannot_be_followed_is_not_complete(body: bytes) -> None:
    assert probe([body]) == ImageFacts("image/tiff", None, None, complete=False)


def test_heic_boxes_tell_the_largest_size_and_the_end() -> None:
    body = heic()
    facts = ImageFacts("image/heic", 4032, 3024, complete=True)
    for chunks in every_way(body):
        assert probe(chunks) == facts
    for end in range(len(body)):
        cut = probe([body[:end]])
        assert cut is None or not cut.complete


def test_heic_boxes_in_other_orders_and_of_other_lengths() -> None:
    body = heic()
    meta, mdat = body.index(b"meta") - 4, body.index(b"mdat") - 4
    wide = pack(">I4sQ", 1, b"mdat", 16 + 200) + bytes(200)
    for moved in (body[:meta] + body[mdat:] + body[meta:mdat], body[:mdat] + wide):
        assert probe([moved]) == ImageFacts("image/heic", 4032, 3024, complete=True)
        cut = probe([moved[:-1]])
        assert cut is not None
        assert not cut.complete
    # A box of size 0 goes on to the end of the file, wherever that is.
    endless = body[:mdat] + box(b"mdat", b"picture", size=0)
    assert probe([endless]) == ImageFacts("image/heic", 4032, 3024, complete=True)
    broken = body[:mdat] + box(b"mdat", b"picture", size=3)
    assert probe([broken]) == ImageFacts("image/heic", 4032, 3024, complete=False)
