"""STANDARD-XML answers of every form, as they were built and with damage anywhere."""

from hypothesis import given
from hypothesis import strategies as st

from parsers.rets.standard_xml import StandardXmlListings
from tests.fuzz.budget import examples
from tests.fuzz.mutations import Damaged, damaged_one_of
from tests.fuzz.search_frames import End, read
from tests.fuzz.standard_records import Document, documents
from tests.parsers.rets.played import FIELDS
from tests.parsers.splits import byte_by_byte, cuts, in_chunks, whole


@examples(30)
@given(documents(), st.data())
def test_standard_listings_are_what_was_put_in(document: Document, data: st.DataObject) -> None:
    for packets in (whole(document.body), byte_by_byte(document.body), data.draw(cuts(document.body))):
        assert read(StandardXmlListings(FIELDS), packets) == (document.listings, document.end)


@examples(30)
@given(documents(first=20), st.data())
def test_a_long_standard_answer_is_read_to_its_end_as_it_was_at_its_beginning(
    document: Document, data: st.DataObject
) -> None:
    body = document.body
    for packets in (whole(body), in_chunks(body, len(body) // 5 + 1), data.draw(cuts(body))):
        assert read(StandardXmlListings(FIELDS), packets) == (document.listings, document.end)


@examples(20)
@given(documents(), st.data())
def test_a_standard_answer_that_is_cut_off_gives_whole_listings_and_does_not_end(
    document: Document, data: st.DataObject
) -> None:
    opened = document.body.index(b">\r\n", document.body.index(b"<RETS"))
    at = data.draw(st.integers(opened + 1, document.body.rindex(b"</RETS")))
    listings, end = read(StandardXmlListings(FIELDS), byte_by_byte(document.body[:at]))
    assert listings == document.listings[: len(listings)]
    assert isinstance(end, End)
    assert not end.ended


@examples(24)
@given(damaged_one_of(documents().map(lambda document: document.body)), st.data())
def test_a_damaged_standard_answer_reads_the_same_however_it_is_cut(
    damage: Damaged, data: st.DataObject
) -> None:
    once = read(StandardXmlListings(FIELDS), whole(damage.body))
    assert read(StandardXmlListings(FIELDS), byte_by_byte(damage.body)) == once
    assert read(StandardXmlListings(FIELDS), data.draw(cuts(damage.body))) == once
