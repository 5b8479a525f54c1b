"""Every row of the field guide is handled, described and held by a test that names it."""

from pathlib import Path

from tools.make_feeds_page import named_tests, page
from tools.quirks import QUIRKS

ALL = range(1, 106)


def test_every_quirk_is_described() -> None:
    assert sorted(number for rows in QUIRKS.values() for number in rows) == list(ALL)


def test_every_quirk_has_a_test_that_names_it() -> None:
    named = named_tests()
    assert [f"Q{number}" for number in ALL if number not in named] == []


def test_the_feeds_page_is_fresh() -> None:
    assert Path("docs/FEEDS.md").read_text(encoding="utf-8") == page()
