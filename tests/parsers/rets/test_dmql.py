import pytest

from parsers.errors import Malformed
from parsers.rets.dmql import fill_query, object_ids, query_of_keys


def test_several_listings_whole_and_in_part() -> None:
    assert object_ids([("key1", None), ("key2", ("1", "3")), ("key3", ("0",))]) == "key1:*,key2:1:3,key3:0"


def test_a_listing_with_nothing_to_ask_is_left_out() -> None:
    assert object_ids([("key1", ()), ("key2", None)]) == "key2:*"
    assert object_ids([]) == ""


@pytest.mark.parametrize(
    ("key", "ids"), [("a,b", None), ("a:b", None), ("", None), ("a", ("1,2",)), ("a", ("",))]
)
def test_what_the_grammar_cannot_say_is_malformed(key: str, ids: tuple[str, ...] | None) -> None:
    with pytest.raises(Malformed):
        object_ids([(key, ids)])


def test_q104_a_query_takes_the_time_in_the_servers_own_form() -> None:
    assert fill_query("(ModificationTimestamp={since}+)", "2024-01-01T00:00:00") == (
        "(ModificationTimestamp=2024-01-01T00:00:00+)"
    )
    assert fill_query("(ID=*)", "2024") == "(ID=*)"


def test_q65_a_query_names_its_records_by_their_keys() -> None:
    assert query_of_keys("ID", ["1", "2"]) == "(ID=1,2)"


@pytest.mark.parametrize(
    ("key", "said"),
    [("A-7/\u00dc", '"A-7/\u00dc"'), ('1)|(x="2', '"1)|(x=""2"'), ("1,2", '"1,2"'), ("", '""')],
)
def test_a_key_that_is_not_plain_cannot_end_its_query(key: str, said: str) -> None:
    assert query_of_keys("ListingKey", [key, "9"]) == f"(ListingKey={said},9)"
