"""Bundles with damage anywhere: no surprise, no hang, and no picture that nobody put in."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import ParseError
from parsers.image import ImageProbe
from parsers.mime import Headers
from parsers.multipart import MultipartParser, PartData, PartStart
from parsers.records import ImageFacts
from tests.fuzz.budget import examples
from tests.fuzz.bundles import Bundle, bundles, everything
from tests.fuzz.chain import play, sent
from tests.fuzz.mutations import Damaged, damaged
from tests.fuzz.wire import Transfer, answer_of, transfers
from tests.parsers.bundles import events_of
from tests.parsers.deadline import bounded
from tests.parsers.splits import byte_by_byte, cuts, whole

CHUNK_TOKENS = [b"0\r\n\r\n", b"ffffffff\r\n", b"-1\r\n", b";\r\n", b"\r\n", b"\0"]


def is_explained(picture: bytes, built: Sequence[Bundle], damage: Damaged) -> bool:
    """Whether an accepted picture is one that was put in, or the damage is inside it.

    It may have run on behind its end where a delimiter was lost. Damage inside can leave a file
    complete: among the pixels of a JPEG no byte can be told from another. A picture that ends where
    the damage begins was cut by it, so damage right behind it explains nothing.
    """
    assert picture in damage.body  # in one piece: nothing was lost, doubled or put in on the way
    pictures = [put_in for bundle in built for put_in in bundle.pictures]
    return any(put_in.is_whole_in(picture) for put_in in pictures) or damage.leads_through(picture)


@examples(40)
@given(bundles(coded=False), transfers, st.data())
def test_no_picture_is_accepted_that_was_cut_or_replaced(
    bundle: Bundle, transfer: Transfer, data: st.DataObject
) -> None:
    other = data.draw(bundles(coded=False, boundary=bundle.boundary))
    damage = data.draw(damaged(bundle.body, other.body))
    played = sent(replace(bundle, body=damage.body), transfer, everything(bundle), whole)
    assert all(is_explained(picture, [bundle, other], damage) for picture in played.pictures)


Seen = tuple[Headers, bytes, ImageFacts | None]


def parts_of(boundary: str, packets: Iterable[bytes], *, vouched: bool) -> tuple[list[Seen], str]:
    """Each part, whatever of it came before an error; and the error."""
    parts: list[tuple[Headers, bytearray, ImageProbe]] = []
    trouble = ""
    with bounded():
        try:
            for event in events_of(MultipartParser(boundary.encode()), packets, vouched=vouched):
                if isinstance(event, PartStart):
                    parts.append((event.headers, bytearray(), ImageProbe()))
                elif isinstance(event, PartData):
                    parts[-1][1].extend(event.data)
                    parts[-1][2].receive_data(event.data)
        except ParseError as error:
            trouble = repr(error)
    return [(headers, bytes(body), probe.result()) for headers, body, probe in parts], trouble


@examples(40)
@given(bundles(), st.data())
def test_a_damaged_bundle_reads_the_same_however_it_is_cut(bundle: Bundle, data: st.DataObject) -> None:
    vouched = data.draw(st.booleans())
    other = data.draw(bundles(boundary=bundle.boundary))
    body = data.draw(damaged(bundle.body, other.body)).body
    once = parts_of(bundle.boundary, whole(body), vouched=vouched)
    assert parts_of(bundle.boundary, byte_by_byte(body), vouched=vouched) == once
    assert parts_of(bundle.boundary, data.draw(cuts(body)), vouched=vouched) == once


@examples(20)
@given(bundles(), transfers, st.data())
def test_damage_to_chunks_and_compression_is_a_trouble_of_the_transfer(
    bundle: Bundle, transfer: Transfer, data: st.DataObject
) -> None:
    coded = transfer.coded(bundle.body)
    head = transfer.head(bundle.content_type, len(coded))
    damage = data.draw(damaged(coded, tokens=CHUNK_TOKENS))
    for split in (whole, byte_by_byte):
        with bounded():  # `play` takes a ServiceError, and nothing else
            play(answer_of(head, split(damage.body)), everything(bundle))
