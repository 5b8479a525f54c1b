"""Bundles of every framing and every meaning, as they were built, through the feed's own chain."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from parsers.records import WHOLE_SET
from service.errors import RetryLater, TransferCut
from tests.fuzz.budget import examples
from tests.fuzz.bundles import Bundle, bundles, everything, questions
from tests.fuzz.chain import Came, Played, sent
from tests.fuzz.whose import expected
from tests.fuzz.wire import Transfer, transfers, vouched_transfers
from tests.parsers.splits import byte_by_byte, cuts, in_chunks, whole


@examples(40)
@given(bundles(), transfers, st.data())
def test_a_bundle_gives_what_was_put_into_it(bundle: Bundle, transfer: Transfer, data: st.DataObject) -> None:
    if not bundle.closed:
        transfer = data.draw(vouched_transfers)
    wanted = data.draw(questions(bundle.parts))
    packets = data.draw(cuts(transfer.coded(bundle.body)))
    meant = Played(expected(bundle.parts, wanted))
    for split in (whole, byte_by_byte, lambda _: packets):
        assert sent(bundle, transfer, wanted, split) == meant


@examples(40)
@given(bundles(), transfers, st.data())
def test_of_a_bundle_whose_transfer_is_cut_off_only_what_came_whole_counts(
    bundle: Bundle, transfer: Transfer, data: st.DataObject
) -> None:
    most = data.draw(st.integers(0, len(transfer.coded(bundle.body)) - 1))
    played = sent(bundle, transfer, everything(bundle), whole, most)
    meant = expected(bundle.parts, everything(bundle))
    others = said_otherwise(played, meant)
    assert played.trouble or played.came == meant or all(said.kind == "Unknown" for said in played.came)
    assert all(said.kind == "Retryable" or is_of_the_set(said) for said in others)
    assert played == sent(bundle, transfer, everything(bundle), lambda coded: in_chunks(coded, 13), most)


@examples(30)
@given(bundles(), vouched_transfers, st.data())
def test_of_a_bundle_whose_sender_stopped_only_what_came_whole_counts(
    bundle: Bundle, transfer: Transfer, data: st.DataObject
) -> None:
    """Its transfer is in order: a proxy has ended the body that a dying server began."""
    # A cut looks most like an end behind a line end.
    line_ends = [at for at in range(len(bundle.body)) if bundle.body.endswith(b"\n", 0, at)]
    at = data.draw(st.sampled_from([0, *line_ends]) | st.integers(0, len(bundle.body) - 1))
    short = replace(bundle, body=bundle.body[:at])
    played = sent(short, transfer, everything(bundle), whole)
    others = said_otherwise(played, expected(bundle.parts, everything(bundle)))
    # What is missing behind a picture's own end does not show, nor a delimiter behind it that is half
    # there; and a part may still say where its picture can be had.
    pictures = [said.picture for said in others if said.kind == "Image"]
    assert all(any(put_in.is_whole_in(picture) for put_in in bundle.pictures) for picture in pictures)
    assert {said.kind for said in others} <= {"Retryable", "Unknown", "Redirect", "Image"}
    assert played == sent(short, transfer, everything(bundle), byte_by_byte)


def said_otherwise(played: Played, meant: list[Came]) -> list[Came]:
    """What a cut answer says and the whole one does not: of its last part, or of everything at once."""
    assert played.trouble in {None, TransferCut, RetryLater}
    others = [said for at, said in enumerate(played.came) if meant[at : at + 1] != [said]]
    assert others in ([], played.came[-1:]) or all(map(is_of_the_set, played.came))
    return others


def is_of_the_set(said: Came) -> bool:
    """Whether it decides nothing."""
    return (said.id, said.kind) == (WHOLE_SET, "Unknown")
