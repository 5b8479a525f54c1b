import random
import tracemalloc
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from parsers.image import SNIFF_BYTES, ImageProbe, sniff_media_type
from parsers.records import ImageFacts
from tests.parsers.pictures import JPEGS, OTHERS, PICTURES, box, heic, probe
from tests.parsers.splits import byte_by_byte, cut_at, cuts, in_chunks


@pytest.fixture(params=list(PICTURES.values()), ids=list(PICTURES))
def picture(request: pytest.FixtureRequest) -> tuple[bytes, str]:
    given_: tuple[bytes, str] = request.param
    return given_


# Every type.


def test_type_and_size_are_what_pillow_says_at_any_split(picture: tuple[bytes, str]) -> None:
    body, media_type = picture
    with Image.open(BytesIO(body)) as opened:
        facts = ImageFacts(media_type, opened.width, opened.height, complete=True)
    assert sniff_media_type(body[:SNIFF_BYTES]) == media_type
    assert probe([body]) == facts
    assert probe(byte_by_byte(body)) == facts
    assert probe([memoryview(chunk) for chunk in in_chunks(body, 100)]) == facts
    for at in range(len(body)):
        assert probe(cut_at(body, [at])) == facts


def test_a_cut_picture_is_never_complete(picture: tuple[bytes, str]) -> None:
    body, media_type = picture
    for end in range(len(body)):
        facts = probe([body[:end]])
        assert facts is None or (facts.media_type == media_type and not facts.complete)
        assert facts is not None or end < SNIFF_BYTES


def test_bytes_behind_the_end_of_a_picture_do_not_matter(picture: tuple[bytes, str]) -> None:
    body, _ = picture
    for tail in (b"\0", b"\r\n", b"\xff\xd9", b"junk " * 50):
        assert probe([body + tail]) == probe([body, tail]) == probe([body])


# A hole in a JPEG's scan is seen by decoding only: the scan has no length.
@pytest.mark.parametrize("body", [body for body, _ in OTHERS.values()], ids=list(OTHERS))
def test_a_picture_whose_middle_is_missing_is_not_complete(body: bytes) -> None:
    facts = probe([body[: len(body) // 2] + body[len(body) // 2 + 200 :]])
    assert facts is not None
    assert not facts.complete


def test_a_large_picture_is_not_kept() -> None:
    body = JPEGS["baseline"]
    scan = random.Random(7).randbytes(65536).replace(b"\xff", b"\xfe")  # noqa: S311 - picture bytes
    running = ImageProbe()
    running.receive_data(body[:-2])
    tracemalloc.start()
    for _ in range(1000):
        running.receive_data(scan)
    running.receive_data(body[-2:])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert running.result() == probe([body])
    assert peak < 50_000


# Magic bytes.


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\xff\xd8\xff\xdb", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (heic()[:32], "image/heic"),
        (heic(brands=b"mif1\0\0\0\0mif1heic")[:32], "image/heic"),
        (heic(brands=b"mif1\0\0\0\0miafavif")[:32], "image/avif"),
        (heic(brands=b"mif1\0\0\0\0mif1miaf")[:32], None),
        (heic(brands=b"isom\0\0\0\0isommp42")[:32], None),
        # The version between the brands is no brand, nor is what stands behind the box.
        (heic(brands=b"mif1heic")[:32], None),
        (box(b"ftyp", b"isom\0\0\0\0") + b"heic", None),
        (b"\xff\xd8", None),
        (b"\x89PNG", None),
        (b"GIF86a", None),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"BMW for sale: see the listing", None),
        (b"<RETS ReplyCode='20403'/>", None),
        (b"Object 111285:* not found", None),
        (b"<!DOCTYPE html>", None),
        (b"\r\n\xff\xd8\xff\xe0", None),
        (b"", None),
    ],
)
def test_q26_magic_bytes_decide_what_is_an_image(head: bytes, media_type: str | None) -> None:
    assert sniff_media_type(head) == media_type


def test_q26_what_is_no_image_has_no_facts() -> None:
    assert probe([]) is None
    assert probe([b"", b"Object 111285:* not found"]) is None
    assert probe([b"x" * 100, JPEGS["baseline"]]) is None


# Properties.

MAGICS = [
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"RIFF\0\0\0\0WEBPVP8X",
    b"II*\0\x08\0\0\0",
    b"MM\0*",
]
MAGICS += [b"BM" + bytes(12) + b"\x28\0\0\0", heic()[:24], JPEGS["baseline"][:-100]]


@given(st.sampled_from(MAGICS), st.binary(max_size=300), st.data())
def test_any_bytes_give_facts_or_none_the_same_at_any_split(
    magic: bytes, rest: bytes, data: st.DataObject
) -> None:
    body = magic + rest
    assert probe([body]) == probe(byte_by_byte(body)) == probe(data.draw(cuts(body)))


@given(st.sampled_from([body for body, _ in PICTURES.values()]), st.data())
def test_a_damaged_picture_gives_facts_or_none_the_same_at_any_split(
    body: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, min(len(body), 800)))
    damaged = body[:at] + data.draw(st.binary(max_size=8)) + body[at + data.draw(st.integers(0, 8)) :]
    assert probe([damaged]) == probe(data.draw(cuts(damaged)))
