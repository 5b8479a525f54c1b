import io
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from lxml import etree
from requests_toolbelt.multipart.decoder import MultipartDecoder

from service.rets_config import RetsFields
from service.simulator.answers import RawAnswer
from service.simulator.front_desk import Site
from service.simulator.mls import Listing, Mls, Photo, photo_url
from service.simulator.server import LoopbackServer
from tests.simulator.client import ACCOUNT, beside, logged_in


def at(day: int) -> datetime:
    return datetime(2024, 5, day, 10, 30, tzinfo=UTC)


def photo(id_: str, day: int = 1, *, preferred: bool = False) -> Photo:
    return Photo(id_, b"picture %b" % id_.encode(), at(day), preferred=preferred)


@pytest.fixture
def mls() -> Mls:
    return Mls(
        [
            Listing("1", at(1), at(1), (photo("0"), photo("1"), photo("3"))),
            Listing("2", at(2), at(2), (photo("1"), photo("2", preferred=True))),
            Listing("A 7/\u00dc", at(3), at(2)),
        ]
    )


def search(mls: Mls, query: str, **params: str) -> etree._Element:
    answer = mls.answer("Search", {"Query": query, "Format": "COMPACT", "Count": "1", **params})
    assert answer
    assert isinstance(answer.body, bytes)
    return etree.fromstring(answer.body)


def rows(root: etree._Element) -> list[list[str]]:
    return [(row.text or "")[1:-1].split("\t") for row in root.iter("DATA")]


def get(mls: Mls, ids: str) -> RawAnswer:
    answer = mls.answer("GetObject", {"ID": ids})
    assert answer
    return answer


def body_of(answer: RawAnswer) -> bytes:
    return b"".join([answer.body] if isinstance(answer.body, bytes) else answer.body)


def bundle(mls: Mls, ids: str) -> list[tuple[str, str, bytes]]:
    answer = get(mls, ids)
    parts = MultipartDecoder(body_of(answer), answer.header("Content-Type")).parts
    return [
        (part.headers[b"Content-ID"].decode(), part.headers[b"Object-ID"].decode(), part.content)
        for part in parts
    ]


def test_a_changes_query_finds_what_moved_since_then_oldest_first(mls: Mls) -> None:
    found = rows(search(mls, "(ModificationTimestamp=2024-05-02T10:30:00+)"))
    assert [row[0] for row in found] == ["2", "A 7/\u00dc"]
    mls.put(Listing("2", at(9), at(9)))
    found = rows(search(mls, "(ModificationTimestamp=2024-05-02T10:30:00Z)"))
    assert [row[0] for row in found] == ["A 7/\u00dc", "2"]


def test_a_row_says_key_times_and_count_and_the_count_leaves_0_out(mls: Mls) -> None:
    first = rows(search(mls, "(ListingKey=*)"))[0]
    assert first == ["1", "2024-05-01T10:30:00.000", "2024-05-01T10:30:00.000", "2"]


def test_select_chooses_columns_and_an_unknown_one_is_refused(mls: Mls) -> None:
    assert rows(search(mls, "(ListingKey=*)", Select="PhotosCount,ListingKey"))[0] == ["2", "1"]
    assert search(mls, "(ListingKey=*)", Select="ListingKey,Price").get("ReplyCode") == "20202"


def test_pages_are_cut_by_limit_and_offset(mls: Mls) -> None:
    pages = [search(mls, "(ListingKey=*)", Limit="2", Offset=offset) for offset in ("1", "3", "5")]
    assert [[row[0] for row in rows(page)] for page in pages] == [["1", "2"], ["A 7/\u00dc"], []]
    assert [page.find("MAXROWS") is not None for page in pages] == [True, False, False]
    assert pages[2].get("ReplyCode") == "20201"


def test_nothing_found_is_20201_and_another_query_20206(mls: Mls) -> None:
    assert search(mls, "(ModificationTimestamp=2030-01-01+)").get("ReplyCode") == "20201"
    for query in ("(Price=1)", "(ModificationTimestamp=yesterday)", "((ListingKey=*))", ""):
        assert search(mls, query).get("ReplyCode") == "20206"


def test_standard_xml_lists_photos_and_the_master_list_does_not() -> None:
    fields = RetsFields(listing="ID", modified="LastUpdated")
    mls = Mls([Listing("1", at(1), at(1), (photo("3", day=2),))], fields=fields)
    full = search(mls, "(LastUpdated=2024-01-01T00:00:00Z)", Format="STANDARD-XML")
    texts = {str(etree.QName(element).localname): element.text for element in full.iter()}
    assert texts["SequenceId"] == "3"
    assert texts["PhotoLastUpdated"] == "Thu, 02 May 2024 10:30:00 GMT"
    assert texts["LastUpdated"] == "02/05/2024 05:30:00 AM"
    keys = search(mls, "(ID=*)", Format="STANDARD-XML")
    assert [element for element in keys.iter() if "Photo" in str(element.tag)] == []


def test_all_photos_come_in_a_bundle_each_with_its_ids(mls: Mls) -> None:
    whole = [("1", "0", b"picture 0"), ("1", "1", b"picture 1"), ("1", "3", b"picture 3")]
    assert bundle(mls, "1:*") == whole
    assert bundle(mls, "1") == whole


def test_several_photos_come_in_a_bundle_with_an_error_part_for_a_missing_one(mls: Mls) -> None:
    first, second = bundle(mls, "1:3:2")
    assert first == ("1", "3", b"picture 3")
    assert second[:2] == ("1", "2")
    assert b'ReplyCode="20403"' in second[2]


def test_q38_several_listings_come_in_one_bundle(mls: Mls) -> None:
    assert [part[:2] for part in bundle(mls, "2:*,1:1,A 7/\u00dc:*")] == [("2", "1"), ("2", "2"), ("1", "1")]


def test_one_photo_comes_as_a_single_object(mls: Mls) -> None:
    answer = get(mls, "1:3")
    assert (answer.body, answer.header("Object-ID")) == (b"picture 3", "3")
    assert answer.header("Content-Type") == "image/jpeg"


def test_with_location_1_a_table_says_where_the_pictures_are(mls: Mls) -> None:
    answer = mls.answer("GetObject", {"ID": "1:0:3,2:9", "Location": "1"})
    assert answer
    assert isinstance(answer.body, bytes)
    root = etree.fromstring(answer.body)
    assert (root.findtext("COLUMNS") or "").split() == [
        "ResourceRecordID",
        "Order",
        "MediaUrl",
        "MediaModificationTimestamp",
    ]
    assert rows(root) == [
        ["1", number, f"photos/1/{number}.jpg", "2024-05-01T10:30:00.000"] for number in ("0", "3")
    ]
    none = mls.answer("GetObject", {"ID": "A 7/\u00dc:*", "Location": "1"})
    assert none
    assert b'ReplyCode="20403"' in body_of(none)


def test_a_picture_is_at_its_url_whatever_its_query_until_it_is_gone(mls: Mls) -> None:
    key = "B 8/\u00dc?"
    mls.put(Listing(key, at(1), at(1), (photo("3"),)))
    url = photo_url(key, "3")
    for asked in (url, f"{url}?sig=1"):
        answer = mls.answer("Photo", {"URL": asked})
        assert answer
        assert (answer.status, answer.body, answer.header("Content-Type")) == (
            200,
            b"picture 3",
            "image/jpeg",
        )
    mls.remove(key)
    for asked in (url, photo_url("1", "9"), "photos/", "photos/1"):
        answer = mls.answer("Photo", {"URL": asked})
        assert answer
        assert answer.status == 404


def test_0_is_the_default_photo_whatever_its_number(mls: Mls) -> None:
    assert get(mls, "1:0").body == b"picture 0"
    assert get(mls, "2:0").body == b"picture 2"  # the preferred one
    assert get(mls, "2:0").header("Object-ID") == "0"


@pytest.mark.parametrize("ids", ["A 7/\u00dc:*", "A 7/\u00dc:0", "nobody:*", "nobody:1:2", "1:9", ""])
def test_no_photo_at_all_is_20403_as_the_whole_answer(mls: Mls, ids: str) -> None:
    answer = get(mls, ids)
    assert answer.header("Content-Type") == "text/xml; charset=utf-8"
    assert b'ReplyCode="20403"' in body_of(answer)


def test_a_listing_that_is_gone_is_found_no_more(mls: Mls) -> None:
    mls.remove("1")
    assert mls.listing("1") is None
    assert b'ReplyCode="20403"' in body_of(get(mls, "1:*"))
    assert [row[0] for row in rows(search(mls, "(ListingKey=*)"))] == ["2", "A 7/\u00dc"]


def test_a_huge_set_is_streamed_without_being_held() -> None:
    size, count = 2**20, 40
    photos = tuple(Photo(str(number), lambda: bytes(size), at(1)) for number in range(1, count + 1))
    mls = Mls([Listing("1", at(1), at(1), photos)])
    tracemalloc.start()
    try:
        length = sum(len(piece) for piece in get(mls, "1:*").body if isinstance(piece, bytes))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert length > count * size
    assert peak < 8 * size


def test_pictures_are_made_only_when_they_are_sent() -> None:
    made: list[int] = []

    def picture(number: int) -> bytes:
        made.append(number)
        return b"x"

    photos = tuple(Photo(str(n), lambda n=n: picture(n), at(1)) for n in (1, 2, 3))  # type: ignore[misc]
    body: Iterator[bytes] = iter(get(Mls([Listing("1", at(1), at(1), photos)]), "1:*").body)  # type: ignore[arg-type]
    assert made == []
    next(body)
    next(body)
    assert made == [1]


def test_a_live_mls_serves_searches_and_bundles_over_http(mls: Mls) -> None:
    with (
        LoopbackServer({"live": Site(ACCOUNT, mls)}) as server,
        logged_in(server.login_url("live")) as session,
    ):
        url = beside(server.login_url("live"), "search")
        params = {"Query": "(ListingKey=*)", "Format": "COMPACT", "Count": "1"}
        found = session.get(url, params=params, timeout=10)
        assert etree.parse(io.BytesIO(found.content)).getroot().find("COUNT").get("Records") == "3"  # type: ignore[union-attr]
        url = beside(server.login_url("live"), "getobject")
        answer = session.get(url, params={"ID": "1:*"}, timeout=10)
        parts = MultipartDecoder.from_response(answer).parts
        assert [part.content for part in parts] == [b"picture 0", b"picture 1", b"picture 3"]
        assert not server.unanswered
