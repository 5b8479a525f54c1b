import pytest

from parsers.records import ListingState, PhotoRef
from parsers.rets.search import FieldNames, SearchEnd
from parsers.rets.standard_xml import StandardXmlListings
from tests.parsers.rets.played import FIELDS, play, play_every_way, standard
from tests.parsers.splits import whole


def only(body: bytes, fields: FieldNames = FIELDS) -> ListingState:
    """The one listing of an answer."""
    listings, end = play_every_way(lambda: StandardXmlListings(fields), body)
    assert (len(listings), end.ended, end.quarantined) == (1, True, ())
    return listings[0]


def test_a_record_holds_key_times_count_and_photos() -> None:
    record = """
      <Property>
        <ListingKey> K1 </ListingKey><ModificationTimestamp>2024-01-02T00:00:00</ModificationTimestamp>
        <PhotosChangeTimestamp>2024-01-01T00:00:00</PhotosChangeTimestamp><PhotosCount>2</PhotosCount>
        <Media>
          <MediaItem><SequenceID>0</SequenceID><PhotoLastUpdated>t0</PhotoLastUpdated>
            <LargePhotoURL>https://h.test/l0?a=1&amp;b=2</LargePhotoURL><PhotoURL>https://h.test/0</PhotoURL></MediaItem>
          <MediaItem><SequenceID>12</SequenceID><PhotoURL>https://h.test/12</PhotoURL>
            <Description> Front &amp; side </Description></MediaItem>
        </Media>
      </Property>"""
    assert only(standard(record)) == ListingState(
        "K1",
        stamp="2024-01-01T00:00:00",
        modified="2024-01-02T00:00:00",
        photos=(
            PhotoRef("0", 0, "t0", "https://h.test/l0?a=1&b=2"),
            PhotoRef("12", 12, None, "https://h.test/12", caption="Front & side"),
        ),
        expected_count=2,
    )


def test_names_are_compared_without_case_or_namespace() -> None:
    record = """
      <x:property xmlns:x="urn:x"><x:LISTINGKEY>1</x:LISTINGKEY><x:photosCount>1</x:photosCount>
        <x:PHOTO><x:propertyPhoto><x:sequenceid>3</x:sequenceid><x:PHOTOLASTUPDATED>t</x:PHOTOLASTUPDATED>
        </x:propertyPhoto></x:PHOTO></x:property>"""
    assert only(standard(record)) == ListingState("1", photos=(PhotoRef("3", 3, "t"),), expected_count=1)


def test_the_key_may_be_an_attribute() -> None:
    assert only(standard('<Listing LISTINGKEY=" 7 "><Photos/></Listing>')) == ListingState("7", photos=())


def test_under_reproperties_the_key_may_stand_one_level_down() -> None:
    body = b"""<RETS ReplyCode="0"><REData><REProperties>
      <ResidentialProperty>
        <Listing><ListingID>55</ListingID><ModificationTimestamp>m</ModificationTimestamp></Listing>
        <PhotosCount>1</PhotosCount><Photos><Photo><SequenceID>1</SequenceID></Photo></Photos>
      </ResidentialProperty></REProperties></REData></RETS>"""
    assert only(body, FieldNames("ListingID", "", "PhotosCount", "ModificationTimestamp")) == ListingState(
        "55", modified="m", photos=(PhotoRef("1", 1),), expected_count=1
    )


def test_photos_may_stand_straight_in_the_record() -> None:
    record = (
        "<P><ListingKey>1</ListingKey><Photo><SequenceID>1</SequenceID></Photo>"
        "<Other/><Photo><SequenceID>2</SequenceID></Photo></P>"
    )
    assert only(standard(record)).photos == (PhotoRef("1", 1), PhotoRef("2", 2))


@pytest.mark.parametrize(
    ("inside", "photos"),
    [
        ("", None),
        ("<Photos>25</Photos>", None),
        ("<Photos/>", ()),
        ("<Photos> </Photos>", ()),
        ("<Photos><Count>0</Count></Photos>", ()),
        ("<PhotosCount>0</PhotosCount>", ()),
        ("<PhotosCount></PhotosCount>", None),
    ],
)
def test_a_record_without_photos_says_so_or_says_nothing(
    inside: str, photos: tuple[PhotoRef, ...] | None
) -> None:
    found = only(standard(f"<P><ListingKey>1</ListingKey>{inside}</P>"))
    assert (found.photos, found.complete) == (photos, True)


@pytest.mark.parametrize(
    ("inside", "ids"),
    [
        ("<PhotosCount>3</PhotosCount><Photos><Photo><SequenceID>1</SequenceID></Photo></Photos>", ["1"]),
        ("<PhotosCount>1</PhotosCount><Photos/>", []),
        ("<Photos><Photo><Description>no id</Description></Photo></Photos>", []),
        ("<Photos><Photo><SequenceID/></Photo><Photo><SequenceID>2</SequenceID></Photo></Photos>", ["2"]),
        ("<Photos><Photo/></Photos>", []),
    ],
)
def test_a_record_that_contradicts_itself_is_not_complete(inside: str, ids: list[str]) -> None:
    found = only(standard(f"<P><ListingKey>1</ListingKey>{inside}</P>"))
    assert [ref.id for ref in found.photos or ()] == ids
    assert not found.complete


def test_of_two_photos_with_one_id_the_last_wins_and_the_record_is_not_complete() -> None:
    photo = "<Photo><SequenceID>1</SequenceID><PhotoLastUpdated>{}</PhotoLastUpdated></Photo>"
    found = only(standard(f"<P><ListingKey>1</ListingKey>{photo.format('a')}{photo.format('b')}</P>"))
    assert (found.photos, found.complete) == ((PhotoRef("1", 1, "b"),), False)


def test_more_photos_than_counted_are_no_contradiction() -> None:
    photos = "".join(f"<Photo><SequenceID>{n}</SequenceID></Photo>" for n in (0, 1, 2))
    assert only(standard(f"<P><ListingKey>1</ListingKey><PhotosCount>2</PhotosCount>{photos}</P>")).complete


def test_q39_an_id_that_is_no_number_is_kept_and_sorted_by_its_place() -> None:
    photos = "".join(f"<Photo><SequenceID>{name}</SequenceID></Photo>" for name in ("b", "a", "07", "-1"))
    found = only(standard(f"<P><ListingKey>1</ListingKey>{photos}</P>"))
    assert found.photos == (PhotoRef("b", 1), PhotoRef("a", 2), PhotoRef("07", 7), PhotoRef("-1", 4))


def test_q103_the_photo_time_is_a_field_of_its_own() -> None:
    record = "<P><LIST_1>1</LIST_1><LIST_87>listing</LIST_87><LIST_134>photos</LIST_134><Photos/></P>"
    found = only(standard(record), FieldNames("LIST_1", "LIST_134", "", "LIST_87"))
    assert (found.stamp, found.modified) == ("photos", "listing")


def test_a_field_that_the_server_does_not_have_is_none() -> None:
    found = only(
        standard("<P><K>1</K><PhotosCount>5</PhotosCount><Photos/></P>"), FieldNames("k", "", "", "")
    )
    assert found == ListingState("1", photos=())


def test_keys_of_rows_inside_a_record_are_not_listings() -> None:
    rows = "<Room><ListingKey>1</ListingKey></Room>" * 2
    media = "<Media><Item><ListingKey>1</ListingKey><SequenceID>4</SequenceID></Item></Media>"
    found = only(standard(f"<P><ListingKey>1</ListingKey>{rows}{media}</P>"))
    assert found.photos == (PhotoRef("4", 4),)


def test_spellings_that_come_late_in_an_answer_are_found() -> None:
    early = [
        "<P><ListingKey>0</ListingKey><Photos><Photo><SequenceID>1</SequenceID></Photo></Photos></P>"
    ] * 40
    late = "<P><ListingKey>1</ListingKey><PHOTO><Item><SEQUENCEID>9</SEQUENCEID></Item></PHOTO></P>"
    listings, end = play(StandardXmlListings(FIELDS), whole(standard(*early, late)))
    assert listings[-1].photos == (PhotoRef("9", 9),)
    assert isinstance(end, SearchEnd)
