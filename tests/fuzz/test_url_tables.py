"""Tables of URLs of every form through the feed's own chain, as they were built and with damage anywhere."""

from hypothesis import given
from hypothesis import strategies as st

from service.core.ports import Wanted
from tests.fuzz.budget import examples
from tests.fuzz.chain import Played, Split, play
from tests.fuzz.mutations import Damaged, damaged_one_of
from tests.fuzz.url_tables import LISTING, UrlTable, url_tables
from tests.fuzz.wire import Transfer, answer_of, transfers
from tests.parsers.deadline import bounded
from tests.parsers.splits import byte_by_byte, cuts, whole


def said(body: bytes, transfer: Transfer, split: Split) -> Played:
    coded = transfer.coded(body)
    with bounded():
        return play(answer_of(transfer.head("text/xml", len(coded)), split(coded)), [Wanted(LISTING)])


@examples(24)
@given(url_tables(), transfers, st.data())
def test_a_table_gives_its_urls_and_vouches_for_itself_or_not(
    table: UrlTable, transfer: Transfer, data: st.DataObject
) -> None:
    meant = Played(list(table.came), table.trouble)
    packets = data.draw(cuts(transfer.coded(table.body)))
    for split in (whole, byte_by_byte, lambda _: packets):
        assert said(table.body, transfer, split) == meant


@examples(24)
@given(url_tables(), transfers, st.data())
def test_a_table_that_is_cut_off_never_speaks_for_the_whole_set(
    table: UrlTable, transfer: Transfer, data: st.DataObject
) -> None:
    end = table.body.find(b"</RETS>")
    at = data.draw(st.integers(0, end if end >= 0 else len(table.body)))
    played = said(table.body[:at], transfer, whole)
    assert played.trouble or {came.kind for came in played.came} == {"Unknown"}
    assert not played.trouble or played.came == list(table.came)[: len(played.came)]


@examples(24)
@given(damaged_one_of(url_tables().map(lambda table: table.body)), transfers, st.data())
def test_a_damaged_table_reads_the_same_however_it_is_cut(
    damage: Damaged, transfer: Transfer, data: st.DataObject
) -> None:
    packets = data.draw(cuts(transfer.coded(damage.body)))
    once = said(damage.body, transfer, whole)
    assert said(damage.body, transfer, byte_by_byte) == once
    assert said(damage.body, transfer, lambda _: packets) == once
