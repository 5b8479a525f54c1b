"""One photo off the wire: spooled, hashed once, measured, judged; never whole in memory if large.

Steps 5 and 6 of a photo's way (docs/ARCHITECTURE.md).
"""

from dataclasses import dataclass
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from parsers.errors import ParseError
from parsers.image import ImageProbe
from parsers.pdf import PdfProbe
from parsers.records import DOCUMENT, Image, Outcome, PhotoRef, Retryable, Unknown
from parsers.rets.objects import EVIDENCE, judge_image
from service.core.ports import IncomingPhoto
from service.errors import TransferCut

SPOOL_MEMORY = 2**20
"""Bytes of one photo kept in memory; a larger one goes to a temporary file. Listing photos are
mostly under 500 KB, and twice the uploaders of these are what an ingest holds at most."""


@dataclass(slots=True)
class Received:
    """A photo that was read to its end. `body` stands at its start, and only for an Image."""

    listing: str
    ref: PhotoRef
    outcome: Outcome
    body: BinaryIO | None = None


def receive(photo: IncomingPhoto, max_bytes: int) -> Received:
    """Read one incoming photo and judge it. A cut transfer is an outcome of its photo, not an error.

    What the record calls a document must be a PDF, and anything else a picture (R3).
    """
    if photo.outcome is not None:
        return Received(photo.listing, photo.ref, photo.outcome)
    spool = cast("BinaryIO", SpooledTemporaryFile(max_size=SPOOL_MEMORY))  # noqa: SIM115 - the uploader closes it
    try:
        outcome = _read(photo, spool, max_bytes)
    except TransferCut as cut:
        outcome = Retryable(cut.what)
    except ParseError as error:
        outcome = Unknown(str(error))
    if isinstance(outcome, Image):
        spool.seek(0)
        return Received(photo.listing, photo.ref, outcome, spool)
    spool.close()
    return Received(photo.listing, photo.ref, outcome)


def _read(photo: IncomingPhoto, spool: BinaryIO, max_bytes: int) -> Outcome:
    probe = PdfProbe() if photo.ref.category == DOCUMENT else ImageProbe()
    digest, length, head = sha256(), 0, b""
    for chunk in photo.chunks:
        length += len(chunk)
        if length > max_bytes:
            return Unknown(f"larger than max_photo_bytes = {max_bytes}")
        if len(head) < EVIDENCE:
            head += bytes(chunk[:EVIDENCE])
        digest.update(chunk)
        probe.receive_data(chunk)
        spool.write(chunk)
    return judge_image(probe.result(), length, digest.hexdigest(), head)
