import hashlib
import io
from collections.abc import Iterator

import pytest
from PIL import Image as Pillow

from parsers.errors import Malformed
from parsers.records import Absent, Image, PhotoRef, Retryable, Unknown
from service.core.ports import IncomingPhoto
from service.errors import TransferCut
from service.ingest.transfer import SPOOL_MEMORY, receive
from tests.ingest.support import jpeg

MAX = 8 * 2**20
REF = PhotoRef("3", 3)


def incoming(chunks: Iterator[bytes | memoryview]) -> IncomingPhoto:
    return IncomingPhoto("1001", REF, None, chunks)


def in_pieces(body: bytes, size: int) -> Iterator[bytes | memoryview]:
    for start in range(0, len(body), size):
        yield memoryview(body)[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 100, 65536])
def test_bytes_in_are_bytes_out_with_their_hash_and_facts(size: int) -> None:
    body = jpeg(5)
    received = receive(incoming(in_pieces(body, size)), MAX)
    assert received.outcome == Image(hashlib.sha256(body).hexdigest(), len(body), "image/jpeg", 48, 36)
    assert received.body is not None
    with received.body as spool:
        assert spool.read() == body


def test_a_large_photo_passes_through_a_file() -> None:
    noise = Pillow.effect_noise((1600, 1200), 90).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=97)
    assert len(out.getvalue()) > SPOOL_MEMORY
    received = receive(incoming(in_pieces(out.getvalue(), 65536)), MAX)
    assert received.body is not None
    with received.body as spool:
        assert spool.fileno() > 0  # it has one only when it is a file
        assert spool.read() == out.getvalue()


@pytest.mark.parametrize("body", [b"<html>Sorry</html>", b"", b"\0" * 500, b"GIF89"])
def test_what_is_no_image_is_kept_as_evidence_only(body: bytes) -> None:
    received = receive(incoming(in_pieces(body, 100)), MAX)
    assert isinstance(received.outcome, Unknown | Retryable)
    assert received.body is None


def test_an_image_without_its_end_is_retried_not_stored() -> None:
    received = receive(incoming(in_pieces(jpeg(5)[:-40], 100)), MAX)
    assert isinstance(received.outcome, Retryable)
    assert received.body is None


def test_a_transfer_that_breaks_is_an_outcome_of_its_photo() -> None:
    def breaking() -> Iterator[bytes | memoryview]:
        yield jpeg(5)[:100]
        raise TransferCut("the connection ended")

    assert receive(incoming(breaking()), MAX).outcome == Retryable("the connection ended")


def test_a_body_that_cannot_be_decoded_is_unknown() -> None:
    def breaking() -> Iterator[bytes | memoryview]:
        yield jpeg(5)[:100]
        raise Malformed("not base64")

    assert receive(incoming(breaking()), MAX).outcome == Unknown("not base64")


def test_a_photo_over_the_limit_is_not_read_to_its_end() -> None:
    read = 0

    def endless() -> Iterator[bytes | memoryview]:
        nonlocal read
        while True:
            read += 1
            yield jpeg(5)[:600]

    received = receive(incoming(endless()), 6000)
    assert received.outcome == Unknown("larger than max_photo_bytes = 6000")
    assert read == 11


def test_an_outcome_without_bytes_is_passed_on() -> None:
    received = receive(IncomingPhoto("1001", REF, Absent("20403")), MAX)
    assert (received.outcome, received.body) == (Absent("20403"), None)
