from calendar import timegm
from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.timestamps import Stamp, latest, read_stamp, render_stamp

TORONTO = ZoneInfo("America/Toronto")
SECOND = 10_000_000


def ticks(*moment: int) -> int:
    """Of a UTC time: year, month, day, then as much as there is."""
    return timegm((*moment, 0, 0, 0)[:6]) * SECOND


NOON = ticks(2019, 1, 22, 22, 17, 29)


@pytest.mark.parametrize(
    "raw",
    [
        "2019-01-22T22:17:29Z",
        "2019-01-22 22:17:29Z",
        "2019-01-22t22:17:29z",
        "2019-01-22T22:17:29+00:00",
        "2019-01-22T22:17:29+0000",
        "2019-01-22T17:17:29-05",
        "2019-01-22T17:17:29-05:00",
        "2019-01-23T03:47:29 +0530",
        "2019-01-22T17:17:29",
        "2019-01-22 17:17:29",
        "2019-01-22T22:17:29.0Z",
        "  2019-01-22T22:17:29.000000000Z\r\n",
        "Tue, 22 Jan 2019 22:17:29 GMT",
        "22 jan 2019 22:17:29 +0000",
        "Tue, 22 Jan 2019 17:17:29",
        "1/22/2019 5:17:29 PM",
        "01/22/2019 05:17:29 pm",
        "01/22/2019 17:17:29",
        "22/01/2019 05:17:29 PM",
    ],
)
def test_q102_every_form_names_the_same_moment(raw: str) -> None:
    assert read_stamp(raw, TORONTO) == Stamp(raw, NOON)


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        ("2019-01-22", (2019, 1, 22)),
        ("2019-01-22T22:17Z", (2019, 1, 22, 22, 17)),
        ("1/3/2017 11:03:56 AM", (2017, 1, 3, 11, 3, 56)),
        ("1/3/2017 11:03 AM", (2017, 1, 3, 11, 3)),
        ("1/3/2017 12:00:00 AM", (2017, 1, 3)),
        ("1/3/2017 12:00:00 PM", (2017, 1, 3, 12)),
        ("1/3/2017 23:03", (2017, 1, 3, 23, 3)),
        ("1/3/2017", (2017, 1, 3)),
        ("13/1/2017", (2017, 1, 13)),
        ("1969-12-31T23:59:59Z", (1969, 12, 31, 23, 59, 59)),
    ],
)
def test_q102_parts_that_are_not_said_are_zero(raw: str, moment: tuple[int, ...]) -> None:
    assert read_stamp(raw).ticks == ticks(*moment)


def test_q102_the_first_number_is_the_day_where_the_feed_says_so() -> None:
    assert read_stamp("1/3/2017 11:03:56 AM", day_first=True).ticks == ticks(2017, 3, 1, 11, 3, 56)
    assert read_stamp("22/01/2019 10:17:29 PM", day_first=True).ticks == NOON


@pytest.mark.parametrize(
    ("digits", "fraction"),
    [
        ("1", 1_000_000),
        ("05", 500_000),
        ("123", 1_230_000),
        ("1234567", 1_234_567),
        ("0000001", 1),
        ("12345678", 1_234_567),
        ("999999999", 9_999_999),
    ],
)
def test_fractions_are_whole_ticks_and_finer_digits_are_dropped(digits: str, fraction: int) -> None:
    assert read_stamp(f"2019-01-22T22:17:29.{digits}Z").ticks == NOON + fraction
    assert read_stamp(f"1/22/2019 22:17:29.{digits}").ticks == NOON + fraction


def test_fraction_of_a_time_before_1970_still_counts_forward() -> None:
    assert read_stamp("1969-12-31T23:59:59.75Z").ticks == -2_500_000


def test_repeated_hour_of_daylight_saving_is_the_first_of_the_two() -> None:
    assert read_stamp("2019-11-03T01:30:00", TORONTO).ticks == ticks(2019, 11, 3, 5, 30)
    assert read_stamp("2019-07-01T12:00:00", TORONTO).ticks == ticks(2019, 7, 1, 16)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "null",
        "2019",
        "2019-01-22T",
        "2019-13-01",
        "2019-02-30T00:00:00Z",
        "2019-01-22T24:00:00Z",
        "2019-01-22T22:60:00Z",
        "2019-01-22T22:17:29.Z",
        "2019-01-22T22:17:29.1234567890Z",
        "2019-01-22T22:17:29+24:00",
        "2019-01-22T22:17:29+05:60",
        "2019-01-22T22:17:29 EST",
        "Tue, 22 Foo 2019 22:17:29 GMT",
        "13/13/2017",
        "1/22/2017 00:15:00 AM",
        "1/22/2017 13:00:00 PM",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59",
        "\u0662\u0660\u0661\u0669-01-22",
    ],
)
def test_what_cannot_be_read_keeps_its_text_and_has_no_ticks(raw: str) -> None:
    assert read_stamp(raw) == Stamp(raw, None)


def test_latest_is_the_greatest_moment_whatever_the_text() -> None:
    early = read_stamp("Tue, 22 Jan 2019 22:17:29 GMT")
    late = read_stamp("2019-01-22T22:17:29.0000001Z")
    assert latest([early, late, Stamp("zzz", None)]) == late
    assert latest([late, early]) == late
    assert latest([early, read_stamp("2019-01-22T22:17:29Z")]) is early
    assert latest([Stamp("zzz", None)]) is None
    assert latest([]) is None


def test_q104_a_stamp_is_rendered_in_the_form_and_zone_of_the_server() -> None:
    stamp = read_stamp("2019-01-22T22:17:29.9999999Z")
    assert render_stamp(stamp, "%Y-%m-%dT%H:%M:%S", TORONTO) == "2019-01-22T17:17:29"
    assert render_stamp(stamp, "%m/%d/%Y %I:%M:%S %p", UTC) == "01/22/2019 10:17:29 PM"
    assert render_stamp(Stamp("some day", None), "%Y", UTC) == "some day"


MOMENTS = st.integers(ticks(1900, 1, 2), ticks(9998, 12, 30))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(MOMENTS, OFFSETS, st.sampled_from(["%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%d %H:%M:%S.%f%z"]))
def test_rendering_and_reading_back_gives_equal_ticks(moment: int, zone: timezone, form: str) -> None:
    microseconds = moment // 10 * 10  # as fine as strftime writes
    text = render_stamp(Stamp("", moment), form, zone)
    assert read_stamp(text, TORONTO).ticks == microseconds


@given(
    MOMENTS, st.sampled_from(["%a, %d %b %Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y-%m-%d %H:%M:%S"]), OFFSETS
)
def test_forms_without_a_zone_read_back_in_theirs(moment: int, form: str, zone: timezone) -> None:
    whole = moment // SECOND * SECOND
    assert read_stamp(render_stamp(Stamp("", moment), form, zone), zone).ticks == whole


@given(MOMENTS)
def test_rendering_never_rounds_up(moment: int) -> None:
    read = read_stamp(render_stamp(Stamp("", moment), "%Y-%m-%dT%H:%M:%SZ", UTC)).ticks
    assert read is not None
    assert 0 <= moment - read < SECOND


@given(
    st.one_of(st.text(), st.from_regex(r"\d{1,4}[-/]\d\d?[-/]\d{1,4}[T ]?[0-9:.]{0,12}.{0,6}")), st.booleans()
)
def test_any_text_is_read_or_left_unread_and_rendered(raw: str, day_first: bool) -> None:  # noqa: FBT001 - hypothesis
    stamp = read_stamp(raw, TORONTO, day_first=day_first)
    assert stamp.raw == raw
    again = read_stamp(render_stamp(stamp, "%Y-%m-%dT%H:%M:%S.%f%z", TORONTO), UTC, day_first=day_first).ticks
    assert again == (stamp.ticks // 10 * 10 if stamp.ticks is not None else read_stamp(raw).ticks)
