from parsers.odata.media import MediaNames, by_listing, read_media
from parsers.records import PhotoRef

NAMES = MediaNames()


def test_c13_a_row_becomes_a_photo() -> None:
    row = {
        "MediaKey": "m1",
        "Order": "0",
        "MediaURL": "https://cdn.example/a.jpg",
        "MediaModificationTimestamp": "2026-03-01T12:00:00.1234567Z",
        "ModificationTimestamp": "2026-03-02T12:00:00Z",
        "MediaCategory": "Photo",
        "MediaType": "jpeg",
        "LongDescription": "Porch",
        "PreferredPhotoYN": True,
    }
    (ref,) = read_media([row], NAMES).refs
    stamp = "2026-03-01T12:00:00.1234567Z"
    assert ref == PhotoRef("m1", 0, stamp, "https://cdn.example/a.jpg", preferred=True, caption="Porch")


def test_x4_orders_are_normalised_wherever_they_start() -> None:
    rows = [{"MediaKey": "b", "DisplayOrder": "7"}, {"MediaKey": "a", "DisplayOrder": "3"}]
    refs = read_media(rows, NAMES._replace(order="DisplayOrder")).refs
    assert [(ref.id, ref.order) for ref in refs] == [("a", 0), ("b", 1)]


def test_rows_without_an_order_keep_the_order_in_which_they_came_behind_the_others() -> None:
    rows = [{"MediaKey": "x"}, {"MediaKey": "y", "Order": "5"}, {"MediaKey": "z"}]
    assert [ref.id for ref in read_media(rows, NAMES).refs] == ["y", "x", "z"]


def test_a_key_that_comes_twice_is_kept_once() -> None:
    rows = [
        {"MediaKey": "x", "Order": "1", "MediaURL": "1"},
        {"MediaKey": "x", "Order": "2", "MediaURL": "2"},
    ]
    assert [ref.url for ref in read_media(rows, NAMES).refs] == ["1"]


def test_a_row_without_a_key_is_counted_and_stops_no_other() -> None:
    media = read_media([{"Order": "1"}, {"MediaKey": "", "Order": "2"}, {"MediaKey": "x"}], NAMES)
    assert ([ref.id for ref in media.refs], media.broken) == (["x"], 2)


def test_r3_another_category_is_kept_as_it_is_named() -> None:
    (ref,) = read_media([{"MediaKey": "x", "MediaCategory": "Virtual Tour"}], NAMES).refs
    assert ref.category == "Virtual Tour"


def test_rows_of_several_listings_are_told_apart() -> None:
    rows = [{"ResourceRecordKey": "1", "MediaKey": "a"}, {"ResourceRecordKey": "2"}, {"MediaKey": "c"}]
    assert by_listing(rows, NAMES) == {"1": [rows[0]], "2": [rows[1]], "": [rows[2]]}
