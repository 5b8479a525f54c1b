"""$filter, without a server."""

import pytest

from service.simulator.web_api.filters import BadQueryError, read_filter

ROW = {"ListingKey": "1", "Name": "O'Hare", "At": "2026-03-01T12:00:00.1234567Z", "Order": 3, "Gone": None}
KEYS = frozenset({"ListingKey"})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ListingKey eq '1'", True),
        ("ListingKey ne '1'", False),
        ("Name eq 'O''Hare'", True),
        ("At ge 2026-03-01T12:00:00.1234567Z", True),
        ("At gt 2026-03-01T12:00:00.1234567Z", False),
        ("At gt 2026-03-01T12:00:00.1234566Z", True),
        ("At eq 2026-03-01T13:00:00.1234567+01:00", True),
        ("At lt 2026-03-01T12:00:00.1234567-00:01", True),
        ("Order le 3 and Order lt 4", True),
        ("Order gt 2 and ListingKey eq '2'", False),
        ("ListingKey eq '2' or Order eq 3 and Name eq 'x'", False),
        ("(ListingKey eq '1' or Order eq 3) and Name eq 'x'", False),
        ("ListingKey eq '1' or Order eq 4 and Name eq 'x'", True),
        ("ListingKey in ('2','1')", True),
        ("not (ListingKey in ('2', '3'))", True),
        ("Gone eq null", True),
        ("Gone gt 1", False),
        ("  ListingKey   eq '1'  ", True),
    ],
)
def test_a_row_passes_or_not(text: str, wanted: bool) -> None:  # noqa: FBT001 - what is expected
    assert read_filter(text, KEYS).matches(ROW) is wanted


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("ListingKey eq '1' and Order gt 2", {"1"}),
        ("ListingKey eq '1' or ListingKey in ('2','3')", {"1", "2", "3"}),
        ("ListingKey in ('1','2') and ListingKey eq '2'", {"2"}),
        ("ListingKey eq '1' or Order gt 2", None),
        ("not ListingKey eq '1'", None),
        ("ListingKey gt '1'", None),
    ],
)
def test_what_a_filter_says_of_the_key_is_known_without_rows(text: str, keys: set[str] | None) -> None:
    assert read_filter(text, KEYS).keys == keys


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ListingKey eq '1' eq Order eq 2",
        "ListingKey eq '1",
        "ListingKey eq",
        "ListingKey is '1'",
        "(ListingKey eq '1'",
        "ListingKey in '1'",
        "At ge 2026-03-01T12:00:00 00:00",
        "ListingKey eq one",
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadQueryError):
        read_filter(text, KEYS)


def test_the_fields_that_it_names_are_known() -> None:
    assert read_filter("A eq 1 and not (B in (1) or C gt 2)", KEYS).fields == {"A", "B", "C"}
