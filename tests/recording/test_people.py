import pytest

from parsers.records import ListingState
from parsers.rets.compact import CompactListings
from parsers.rets.search import FieldNames, SearchEnd
from parsers.rets.standard_xml import StandardXmlListings
from service.recording.lenses import DocumentLens
from service.recording.people import PeopleBlanker
from service.rets_config import RetsFields
from tests.parsers.splits import every_way

FIELDS = RetsFields()
CREA_FIELDS = RetsFields(listing="ID", modified="LastUpdated", photos_changed="", photos_count="")
PERSONAL = [b"Jane", b"Doe", b"Main", b"555", b"77", b"jane@", b"Kitchen"]

COMPACT = b"""<?xml version="1.0"?>
<RETS ReplyCode="0" ReplyText="ok"><COUNT Records="5"/>
<DELIMITER value="7C"/>
<COLUMNS>|ListingKey|Agent|Street|photoscount|PhotosChangeTimestamp|ModificationTimestamp|Phone|</COLUMNS>
<DATA>|1|Jane &amp; Doe|1 Main < 2|3|2024-01-01T00:00:00|2024-01-02T00:00:00|555-77|</DATA>
<data>|2|Jane|||||</data>
<DATA>|3|Jane|Main</DATA>
<DATA>||Jane|Main|3|||555|</DATA>
<DATA>|5|Jane|Main|3|||555|77|Doe|77|</DATA>
<MAXROWS/></RETS>
"""

CREA = b"""<RETS ReplyCode="0" ReplyText="ok"><COUNT Records="2"></COUNT>
<RETS-RESPONSE xmlns="urn:CREA.Search.Property"><Pagination><TotalRecords>2</TotalRecords></Pagination>
<PropertyDetails ID="20270724" LastUpdated="Thu, 21 Feb 2019 23:40:21 GMT">
  <ListingID>M-77</ListingID><!-- Jane -->
  <AgentDetails ID="77"><Name>Jane Doe</Name><Phone ContactType="Jane">555</Phone></AgentDetails>
  <Address><![CDATA[1 Main <b>]]></Address>
  <Photo><PropertyPhoto><SequenceId>1</SequenceId><Description>Kitchen of Jane</Description>
    <LastUpdated>22/01/2019 05:17:29 PM</LastUpdated>
    <PhotoLastUpdated>Tue, 22 Jan 2019 22:17:29 GMT</PhotoLastUpdated>
    <PhotoURL>http://cdn.example/1-Main-Street.jpg</PhotoURL></PropertyPhoto></Photo>
</PropertyDetails>
<PropertyDetails ID="20270725" LastUpdated="Thu, 21 Feb 2019 23:40:22 GMT"><Photo/></PropertyDetails>
</RETS-RESPONSE></RETS>
"""

OTHER = b"""<RETS ReplyCode="0" ReplyText="ok"><Listings><Property Agent='Jane' ListingKey="8">
 <PhotosCount>1</PhotosCount><Remarks>Jane & Doe</Remarks><Photos>25</Photos><Phone value='555'/>
 <Photo>Jane 555</Photo>
 <ModificationTimestamp>2024-01-02</ModificationTimestamp></Property></Listings></RETS>
"""


def blanked(body: bytes, fields: RetsFields, form: str) -> bytes:
    """The body, blanked; the same whichever way it comes."""

    def through(chunks: list[bytes]) -> bytes:
        lens = DocumentLens(PeopleBlanker(fields, compact=form == "COMPACT").clean)
        return b"".join(map(lens.receive_data, chunks)) + lens.close()

    whole = through([body])
    assert all(through(chunks) == whole for chunks in every_way(body))
    return whole


def read(body: bytes, fields: RetsFields, form: str) -> tuple[list[ListingState], SearchEnd]:
    names = FieldNames(fields.listing, fields.photos_changed, fields.photos_count, fields.modified)
    parser = CompactListings(names) if form == "COMPACT" else StandardXmlListings(names)
    return parser.receive_data(body), parser.close()


@pytest.mark.parametrize(
    ("body", "fields", "form"),
    [(COMPACT, FIELDS, "COMPACT"), (CREA, CREA_FIELDS, "CREA"), (OTHER, FIELDS, "other")],
)
def test_nothing_of_people_is_left_and_the_feed_reads_the_same(
    body: bytes, fields: RetsFields, form: str
) -> None:
    clean = blanked(body, fields, form)
    assert [word for word in PERSONAL if word in clean] == []
    before, after = (read(text, fields, form) for text in (body, clean))
    assert len(after[0]) == len(before[0]) > 0
    for was, now in zip(before[0], after[0], strict=True):
        assert (now.key, now.stamp, now.modified, now.expected_count, now.complete) == (
            *(was.key, was.stamp, was.modified, was.expected_count, was.complete),
        )
        assert [(ref.id, ref.stamp) for ref in now.photos or ()] == [
            (ref.id, ref.stamp) for ref in was.photos or ()
        ]
        assert (now.photos is None) == (was.photos is None)
    assert (after[1].rows, after[1].count, after[1].ended) == (before[1].rows, before[1].count, True)
    assert len(after[1].quarantined) == len(before[1].quarantined)


def test_a_cut_document_is_still_a_cut_one() -> None:
    clean = blanked(CREA[:700], CREA_FIELDS, "CREA")
    assert [word for word in PERSONAL if word in clean] == []
    assert not read(clean, CREA_FIELDS, "CREA")[1].ended


def test_a_delimiter_that_nobody_can_read_changes_nothing() -> None:
    body = COMPACT.replace(b'"7C"', b'"ZZ"')
    assert b"Jane" not in blanked(body, FIELDS, "COMPACT")
