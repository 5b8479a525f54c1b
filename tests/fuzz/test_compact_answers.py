"""COMPACT answers of every form, as they were built and with damage anywhere."""

from hypothesis import given
from hypothesis import strategies as st

from parsers.rets.compact import CompactListings, CompactParser
from tests.fuzz.budget import examples
from tests.fuzz.compact_tables import NAMES, Sheet, sheets
from tests.fuzz.mutations import Damaged, damaged_one_of
from tests.fuzz.search_frames import End, read
from tests.parsers.rets.played import FIELDS
from tests.parsers.splits import byte_by_byte, cuts, whole


@examples(24)
@given(sheets(), st.data())
def test_every_cell_means_what_was_put_into_it(sheet: Sheet, data: st.DataObject) -> None:
    wanted = data.draw(st.none() | st.lists(st.sampled_from([*NAMES, "Missing", "remarks"]), min_size=1))
    meant = sheet.cells(wanted or sheet.columns)
    for packets in (whole(sheet.body), byte_by_byte(sheet.body), data.draw(cuts(sheet.body))):
        parser = CompactParser(wanted)
        assert read(parser, packets) == (meant, sheet.end(len(meant)))
        assert parser.columns == sheet.columns


@examples(30)
@given(sheets(), st.data())
def test_compact_listings_are_what_was_put_in(sheet: Sheet, data: st.DataObject) -> None:
    meant = sheet.listings
    for packets in (whole(sheet.body), data.draw(cuts(sheet.body))):
        assert read(CompactListings(FIELDS), packets) == (meant, sheet.end(len(meant)))


@examples(24)
@given(sheets(), st.data())
def test_a_compact_answer_that_is_cut_off_gives_its_whole_rows_and_does_not_end(
    sheet: Sheet, data: st.DataObject
) -> None:
    opened, ended = sheet.body.index(b">\r\n", sheet.body.index(b"<RETS")), sheet.body.index(b"</RETS")
    at = data.draw(st.integers(opened + 1, ended))
    whole_rows = [row.cells for row, end in zip(sheet.rows, sheet.row_ends, strict=True) if end <= at]
    rows, end = read(CompactParser(), byte_by_byte(sheet.body[:at]))
    assert rows == [cells for cells in whole_rows if cells is not None]
    assert isinstance(end, End)
    assert not end.ended


@examples(24)
@given(damaged_one_of(sheets().map(lambda sheet: sheet.body)), st.data())
def test_a_damaged_compact_answer_reads_the_same_however_it_is_cut(
    damage: Damaged, data: st.DataObject
) -> None:
    once = read(CompactListings(FIELDS), whole(damage.body))
    assert read(CompactListings(FIELDS), byte_by_byte(damage.body)) == once
    assert read(CompactListings(FIELDS), data.draw(cuts(damage.body))) == once
