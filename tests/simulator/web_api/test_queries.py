"""Property and Media as the dialects answer them, over real HTTP."""

from dataclasses import replace

import pytest

from service.simulator.web_api.dialects import CONSTELLATION1, REALTRACS, RESO, SPARK_REPLICATION
from service.simulator.web_api.listings import Medium
from tests.simulator.web_api.client import asking, listing, moment, photo

TOUR = Medium("t", moment(1), category="Virtual Tour", link="https://tours.example/7")


def test_a_listing_shows_its_fields_and_null_ones_unless_they_are_ignored() -> None:
    with asking(RESO, listing("1", photo("a"), TOUR, minute=3, id="A-1")) as (_, client):
        (row,) = client.ask("Property").rows
        assert row["ListingKey"] == "1"
        assert row["ListingId"] == "A-1"
        assert row["PhotosCount"] == 1
        assert row["ModificationTimestamp"] == row["PhotosChangeTimestamp"] == moment(3)
        assert row["ListPrice"] is None
        (row,) = client.ask("Property", ignorenulls="true").rows
        assert "ListPrice" not in row


def test_select_picks_fields_and_an_unknown_one_is_refused() -> None:
    with asking(RESO, listing("1")) as (_, client):
        assert client.ask("Property", select="ListingKey, PhotosCount").rows == [
            {"ListingKey": "1", "PhotosCount": 0}
        ]
        assert client.ask("Property", select="Nothing").status == 400


def test_media_show_order_category_caption_mark_and_both_times() -> None:
    cover = replace(photo("b", caption="Barn", preferred=True), modified=moment(9))
    with asking(RESO, listing("1", photo("a"), TOUR, cover)) as (_, client):
        first, second, tour = client.ask("Media", filter="ListingKey eq '1'").rows
        assert [first["Order"], second["Order"], tour["Order"]] == [1, 2, 1]
        assert (second["LongDescription"], second["PreferredPhotoYN"]) == ("Barn", True)
        assert (second["MediaModificationTimestamp"], second["ModificationTimestamp"]) == (
            moment(0),
            moment(9),
        )
        assert tour["MediaURL"] == "https://tours.example/7"
        assert tour["MediaCategory"] == "Virtual Tour"


def test_rows_are_sorted_as_asked() -> None:
    with asking(RESO, listing("1", minute=2), listing("2", minute=1), listing("3", minute=2)) as (_, client):
        assert client.keys() == ["1", "2", "3"]
        assert client.keys(orderby="ModificationTimestamp asc,ListingKey desc") == ["2", "3", "1"]
        assert client.ask("Property", orderby="Nothing").status == 400
        assert client.ask("Property", orderby="ListingKey sideways").status == 400


def test_times_are_compared_at_full_precision() -> None:
    late = replace(listing("2"), modified=moment(0, ".1234567"))
    with asking(RESO, replace(listing("1"), modified=moment(0, ".1234566")), late) as (_, client):
        assert client.keys(filter=f"ModificationTimestamp gt {moment(0, '.1234566')}") == ["2"]
        assert client.keys(filter=f"ModificationTimestamp ge {moment(0, '.1234566')}") == ["1", "2"]


def test_a_plus_sign_that_is_not_escaped_is_read_as_a_space() -> None:
    with asking(RESO, listing("1")) as (_, client):
        target = "/x/Property?$filter=ModificationTimestamp%20ge%202020-01-01T00:00:00"
        assert client.get(f"{target}+00:00").status == 400
        assert client.get(f"{target}%2B00:00").status == 200


@pytest.mark.parametrize(
    ("option", "value"),
    [("apply", "x"), ("top", "many"), ("filter", "Nothing eq 1"), ("expand", "Office"), ("top", "1001")],
)
def test_what_is_not_taken_is_refused(option: str, value: str) -> None:
    with asking(RESO, listing("1")) as (_, client):
        said = client.ask("Property", **{option: value})
        assert said.status == 400
        assert said.page["error"]["message"]


def test_another_entity_is_not_there() -> None:
    with asking(RESO, listing("1")) as (_, client):
        assert client.ask("Office").status == 404


def test_count_is_of_the_whole_answer() -> None:
    with asking(RESO, listing("1"), listing("2")) as (_, client):
        page = client.ask("Property", count="true", top="1").page
        assert page["@odata.count"] == 2
        assert "@odata.count" not in client.ask("Property", top="1").page


def test_media_come_inside_their_listing() -> None:
    with asking(CONSTELLATION1, listing("1", photo("a"), photo("b")), listing("2")) as (_, client):
        rows = client.ask("Property", expand="Media", select="ListingKey,PhotosCount").rows
        assert [[one["MediaKey"] for one in row["Media"]] for row in rows] == [["a", "b"], []]
        (row, _) = client.ask("Property", expand="Media($select=MediaKey;$top=1)").rows
        assert row["Media"] == [{"MediaKey": "a"}]


def test_x12_an_expansion_can_be_cut_silently_unless_it_says_how_many() -> None:
    cutting = replace(RESO, expand_cut=2)
    full = listing("1", *(photo(str(n)) for n in range(5)))
    with asking(cutting, full) as (_, client):
        (row,) = client.ask("Property", expand="Media").rows
        assert (len(row["Media"]), row["PhotosCount"]) == (2, 5)
        (row,) = client.ask("Property", expand="Media($top=50)").rows
        assert len(row["Media"]) == 5


def test_x7_a_listing_can_claim_more_photos_than_it_shows() -> None:
    with asking(RESO, listing("1", count=3)) as (_, client):
        (row,) = client.ask("Property", expand="Media").rows
        assert (row["PhotosCount"], row["Media"]) == (3, [])


def test_r1_realtracs_filters_media_by_listing_and_category_alone() -> None:
    with asking(REALTRACS, listing("123", photo("a"), TOUR), listing("124", photo("b"))) as (_, client):
        assert client.keys("Media", filter="ListingKey eq '123' and MediaCategory eq 'Photo'") == ["a"]
        assert client.keys("Media", filter="ListingKey eq '123' or ListingKey eq '124'") == ["a", "t", "b"]
        assert client.ask("Media", filter="ModificationTimestamp gt 2020-01-01T00:00:00Z").status == 400
        # The document's own example lacks the `and`.
        assert client.ask("Media", filter="ListingKey eq '123' eq MediaCategory eq 'Photo'").status == 400


def test_r2_realtracs_sorts_by_listing_category_and_order_and_takes_no_orderby() -> None:
    with asking(REALTRACS, listing("2", TOUR, photo("b"), photo("a")), listing("1", photo("z"))) as (
        _,
        client,
    ):
        assert client.keys("Media") == ["z", "b", "a", "t"]
        assert client.ask("Media", orderby="MediaKey").status == 400


def test_c4_constellation_spells_annotations_with_two_signs_and_counts_the_page() -> None:
    with asking(CONSTELLATION1, *(listing(str(n)) for n in range(3))) as (_, client):
        page = client.ask("property", top="2").page
        assert (page["@@odata.count"], page["@@odata.totalCount"]) == (2, 3)
        assert page["group"] == []


def test_c5_constellation_gives_ten_rows_unless_asked_and_never_too_many() -> None:
    with asking(CONSTELLATION1, *(listing(f"{n:02}") for n in range(12))) as (_, client):
        assert len(client.ask("Property").rows) == 10
        assert client.ask("Property", top="1000", ignorenulls="true").status == 200
        assert client.ask("Property", top="1001", ignorenulls="true").status == 400
        assert client.ask("Property", top="501", expand="Media").status == 400


def test_c13_constellation_counts_orders_from_0_and_c14_its_urls_name_the_content() -> None:
    with asking(CONSTELLATION1, listing("1", photo("a"))) as (api, client):
        (row,) = client.ask("Media").rows
        assert row["Order"] == 0
        api.listings.put(listing("1", photo("z"), photo("a", caption="Barn")))
        assert client.ask("Media", filter="MediaKey eq 'a'").rows[0]["MediaURL"] == row["MediaURL"]
        api.listings.put(listing("1", photo("a", changed=moment(5))))
        assert client.ask("Media").rows[0]["MediaURL"] != row["MediaURL"]


def test_p2_spark_takes_few_options() -> None:
    with asking(SPARK_REPLICATION, listing("2", minute=1), listing("1", minute=2)) as (_, client):
        assert client.keys(count="true", select="ListingKey") == ["1", "2"]
        assert client.keys(filter=f"ModificationTimestamp gt {moment(1)}") == ["1"]
        assert client.ask("Property", orderby="ListingKey").status == 400
        assert client.ask("Property", filter="PhotosCount gt 1").status == 400


def test_the_feed_changes_while_it_serves() -> None:
    with asking(RESO, listing("1")) as (api, client):
        api.listings.put(listing("2"))
        api.listings.remove("1")
        assert client.keys() == ["2"]
