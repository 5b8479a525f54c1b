"""The shapes that the Canadian national feed sends, as recorded."""

from parsers.records import Absent, ListingState, PhotoRef, Redirect, Unknown
from parsers.rets.objects import UrlTable, is_image_start, is_url_table, judge_text, read_object_head
from parsers.rets.reply import Reply, Verdict, read_reply
from parsers.rets.search import FieldNames, SearchEnd
from parsers.rets.standard_xml import StandardXmlListings
from tests.parsers.bundles import parts_everywhere
from tests.parsers.rets.played import play_every_way

FIELDS = FieldNames("ListingKey", "PhotosChangeTimestamp", "PhotosCount", "ModificationTimestamp")
TAKEN = "Tue, 22 Jan 2019 22:17:{:02} GMT"


def search(*records: str, total: int | str = 1) -> bytes:
    return f"""<?xml version="1.0" encoding="utf-8"?>
<RETS ReplyCode="0" ReplyText="Operation successful">
  <COUNT Records="{total}"></COUNT>
  <RETS-RESPONSE xmlns="urn:CREA.Search.Property">
    <Pagination><TotalRecords>{total}</TotalRecords><Limit>100</Limit><Offset>1</Offset>
      <TotalPages>1</TotalPages><RecordsReturned>1</RecordsReturned></Pagination>
    {"".join(records)}
  </RETS-RESPONSE>
</RETS>""".encode()


def details(key: str, inside: str) -> str:
    return (
        f'<PropertyDetails ID="{key}" LastUpdated="Thu, 21 Feb 2019 23:40:21 GMT">'
        f"<ListingID>30707930</ListingID>{inside}</PropertyDetails>"
    )


def property_photo(n: int, more: str = "", sequence: str = "SequenceId") -> str:
    return (
        f"<PropertyPhoto><{sequence}>{n}</{sequence}>\n          "
        "<LastUpdated>22/01/2019 05:17:29 PM</LastUpdated>\n          "
        f"<PhotoLastUpdated>{TAKEN.format(n)}</PhotoLastUpdated>{more}</PropertyPhoto>"
    )


def read(body: bytes) -> tuple[list[ListingState], SearchEnd]:
    return play_every_way(lambda: StandardXmlListings(FIELDS), body)


def test_the_key_is_the_id_attribute_and_photos_are_told_by_their_own_times() -> None:
    listings, end = read(
        search(details("20270724", f"<Photo>{property_photo(1)} {property_photo(2)}</Photo>"))
    )
    assert listings == [
        ListingState(
            "20270724",
            modified="Thu, 21 Feb 2019 23:40:21 GMT",
            photos=(PhotoRef("1", 1, TAKEN.format(1)), PhotoRef("2", 2, TAKEN.format(2))),
        )
    ]
    assert end == SearchEnd(
        Reply(0, "Operation successful"), 1, 1, max_rows=False, ended=True, quarantined=()
    )


def test_forty_nine_photos_and_sequence_id_in_another_case() -> None:
    inside = "".join(property_photo(n, sequence="SequenceID") for n in range(1, 50))
    parser = StandardXmlListings(FIELDS)
    listings = parser.receive_data(search(details("1", f"<Photo>{inside}</Photo>")))
    assert [ref.id for ref in listings[0].photos or ()] == [str(n) for n in range(1, 50)]


def test_an_element_with_only_id_and_time_is_a_row_of_the_master_list() -> None:
    rows = (f'<PropertyDetails ID="{n}" LastUpdated="Fri, 22 Feb 2019 00:00:0{n} GMT" />' for n in (1, 2))
    listings, end = read(search(*rows, total=2))
    assert listings == [
        ListingState("1", modified="Fri, 22 Feb 2019 00:00:01 GMT"),
        ListingState("2", modified="Fri, 22 Feb 2019 00:00:02 GMT"),
    ]
    assert (end.rows, end.count) == (2, 2)


def test_a_full_record_without_photos_is_a_listing_without_photos() -> None:
    for inside in ("", "<Photo/>", "<Photo></Photo>"):
        assert read(search(details("1", inside)))[0][0].photos == ()


def test_a_record_that_counts_more_photos_than_it_lists_is_not_complete() -> None:
    inside = f"<PhotosCount>2</PhotosCount><Photo>{property_photo(1)}</Photo>"
    assert not read(search(details("1", inside)))[0][0].complete


def test_a_record_without_an_id_is_quarantined() -> None:
    listings, end = read(
        search("<PropertyDetails LastUpdated='x'><ListingID>3</ListingID></PropertyDetails>")
    )
    assert (listings, end.rows) == ([], 0)
    assert end.quarantined == ("a listing without its key, modified x",)


def test_the_greater_of_the_two_totals_is_the_one_to_live_up_to() -> None:
    assert read(search().replace(b'Records="1"', b'Records="3"'))[1].count == 3
    assert read(search().replace(b"<TotalRecords>1", b"<TotalRecords>3"))[1].count == 3
    assert read(search().replace(b'<COUNT Records="1"></COUNT>', b""))[1].count == 1


def test_since_2020_photos_also_carry_urls() -> None:
    urls = (
        "<LargePhotoURL>https://h.test/l/1.jpg</LargePhotoURL><PhotoURL>https://h.test/1.jpg</PhotoURL>"
        "<ThumbnailURL>https://h.test/t/1.jpg</ThumbnailURL><Description>Front</Description>"
    )
    listings, _ = read(search(details("1", f"<Photo>{property_photo(1, urls)}</Photo>")))
    assert listings[0].photos == (
        PhotoRef("1", 1, TAKEN.format(1), "https://h.test/l/1.jpg", caption="Front"),
    )


def test_a_refused_query_is_an_end_with_its_reply() -> None:
    listings, end = read(b'<RETS ReplyCode="20206" ReplyText="Invalid Query Syntax"></RETS>')
    assert (listings, end.reply.verdict) == ([], Verdict.STOP_CONFIGURATION)


def test_q10_in_a_bundle_the_error_of_a_missing_photo_stands_where_a_header_belongs() -> None:
    picture = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
    body = (
        b"--b\r\nContent-Type: image/gif\r\nContent-ID: 20270724\r\nObject-ID: 1\r\n"
        b"Content-Description: null\r\n\r\n" + picture + b"\r\n"
        b"--b\r\nContent-Type: text/xml\r\nContent-ID: 20270724\r\nObject-ID: 2\r\n"
        b"Content-Description: null\r\n"
        b'<RETS ReplyCode="20403" ReplyText="No Object Found" />\r\n\r\n'
        b"--b--\r\n"
    )
    (first, bytes_), (second, text) = (
        (read_object_head(headers), content) for headers, content in parts_everywhere(body)
    )
    assert is_image_start(first, bytes_)
    assert (first.listing, first.id, first.caption) == ("20270724", "1", None)
    assert not is_image_start(second, text)
    assert judge_text(second, text) == Absent("20403 No Object Found")
    assert (second.listing, second.id) == ("20270724", "2")


TABLE = (
    b'<?xml version="1.0" encoding="utf-8"?>\r\n<RETS ReplyCode="0" ReplyText="Operation Successful">\r\n'
    b'<COUNT Records="2" />\r\n<DELIMITER value="09" />\r\n'
    b"<COLUMNS>\tResourceRecordID\tOrder\tMediaUrl\tMediaModificationTimestamp\t</COLUMNS>\r\n"
    b"<DATA>\t20270724\t1\thttps://h.test/1.jpg?a=1&amp;b=2\t2019-01-22T22:17:29.1234567Z\t</DATA>\r\n"
    b"<DATA>\t20270724\t2\thttps://h.test/2.jpg\t2019-01-22T22:17:30Z\t</DATA>\r\n</RETS>"
)


def test_the_newer_getobject_answer_is_a_table_of_urls() -> None:
    rows, end = play_every_way(UrlTable, TABLE)
    stamp, url = "2019-01-22T22:17:29.1234567Z", "https://h.test/1.jpg?a=1&b=2"
    assert (rows[0].listing, rows[0].ref, rows[0].outcome) == (
        "20270724",
        PhotoRef("1", 1, stamp, url),
        Redirect(url, stamp),
    )
    assert [row.ref.id for row in rows] == ["1", "2"]
    assert (end.complete, end.outcome) == (True, None)
    assert is_url_table(TABLE[:400])


def test_an_error_in_place_of_the_table_speaks_for_all_that_was_asked() -> None:
    error = b'<RETS ReplyCode="20403" ReplyText="No Object Found" />'
    assert not is_url_table(error)
    _, end = play_every_way(UrlTable, error)
    assert end.outcome == Absent("20403 No Object Found")


def test_a_401_with_an_empty_body_says_nothing() -> None:
    assert read_reply(b"") is None
    assert isinstance(
        judge_text(read_object_head(parts_everywhere(b"--b\r\n\r\n\r\n--b--")[0][0]), b""), Unknown
    )
