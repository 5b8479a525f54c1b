from datetime import timedelta
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.odata.query import instant, literal, options


def test_x6_a_space_is_sent_as_percent_20_and_a_plus_as_percent_2b() -> None:
    assert options([("$filter", "A eq 'x+y'")]) == "$filter=A%20eq%20'x%2By'"


@given(st.text())
def test_every_value_is_read_back_as_it_was(value: str) -> None:
    sent = options([("$filter", value)])
    assert "+" not in sent
    assert "&" not in sent
    assert "#" not in sent
    assert unquote(sent.removeprefix("$filter=")) == value


@given(st.text())
def test_no_value_gets_out_of_its_quotes(value: str) -> None:
    inner = literal(value)[1:-1]
    assert "'" not in inner.replace("''", "")
    assert inner.replace("''", "'") == value


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00Z"),
        ("2026-03-01T07:00:00.5-05:00", "2026-03-01T12:00:00.5Z"),
        ("2026-03-01T12:00:00.1234567Z", "2026-03-01T12:00:00.1234567Z"),
    ],
)
def test_c9_a_time_in_any_form_is_sent_in_utc_with_every_digit(raw: str, sent: str) -> None:
    assert instant(raw) == sent


def test_p3_the_overlap_is_taken_off_when_asking() -> None:
    assert instant("2026-03-01T00:10:00.25Z", timedelta(minutes=20)) == "2026-02-28T23:50:00.25Z"


def test_what_is_no_time_is_not_sent() -> None:
    assert instant("yesterday") is None
