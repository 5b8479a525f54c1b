from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from service.config import check_config
from service.feeds.reso.dialect import Clock, Dialect, dialect_of
from service.feeds.reso.queries import Queries
from service.reso_config import ODataFeed

BASE: dict[str, Any] = {"token_env": "PLANTED"}


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", "x")


def queries(kind: str, **settings: Any) -> tuple[Queries, Dialect]:
    settings = {"base_url": "https://mls.example/api"} | settings if kind == "reso" else settings
    config = check_config({"feeds": {"f": {"kind": kind, **BASE, **settings}}}, "x").feeds["f"]
    assert isinstance(config, ODataFeed)
    dialect = dialect_of(config)
    return Queries(dialect, config), dialect


def asked(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def test_r1_media_are_asked_by_listing_and_category_alone() -> None:
    ask, _ = queries("realtracs", documents=False, links=False)
    url = ask.media(["123"])
    assert url.startswith("https://www.realtracs.com/reso/Media?")
    assert asked(url)["$filter"] == "ListingKey eq '123' and MediaCategory eq 'Photo'"
    ask, _ = queries("realtracs")
    assert asked(ask.media(["1", "O'2"]))["$filter"] == "(ListingKey eq '1' or ListingKey eq 'O''2')"


def test_r2_no_order_is_asked_for() -> None:
    ask, dialect = queries("realtracs")
    urls = (
        ask.everything(),
        ask.since(dialect.clocks[0], "2026-01-01T00:00:00Z"),
        ask.keys(),
        ask.media(["1"]),
    )
    assert not any("orderby" in url for url in urls)


def test_c2_data_are_at_property_and_media_below_the_base() -> None:
    ask, _ = queries("constellation1")
    assert ask.everything().startswith("https://listings.constellation1apis.com/odata/Property?")
    assert ask.media(["1"]).startswith("https://listings.constellation1apis.com/odata/Media?")


def test_c5_pages_are_as_large_as_is_allowed() -> None:
    ask, dialect = queries("constellation1")
    expanded, plain = dialect.clocks
    assert asked(ask.since(expanded, "2026-01-01T00:00:00Z"))["$top"] == "500"
    assert asked(ask.since(plain, "2026-01-01T00:00:00Z"))["$top"] == "1000"
    ask, _ = queries("constellation1", page_size=20)
    assert asked(ask.everything())["$top"] == "20"


def test_c6_null_fields_are_left_out() -> None:
    ask, _ = queries("constellation1")
    assert all(
        asked(url)["$ignorenulls"] == "true" for url in (ask.everything(), ask.keys(), ask.media(["1"]))
    )


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00.1234567+01:00", "2026-03-01T11:00:00.1234567Z"),
    ],
)
def test_c9_a_time_is_asked_with_in_utc_with_every_digit(mark: str, said: str) -> None:
    ask, _ = queries("constellation1")
    filter_ = asked(ask.since(Clock("ModificationTimestamp"), mark))["$filter"]
    assert filter_ == f"ModificationTimestamp ge {said}"


def test_p1_replication_asks_its_own_endpoint_for_pages_of_a_thousand() -> None:
    ask, _ = queries("spark-replication")
    assert ask.everything().startswith("https://replication.sparkapi.com/Reso/OData/Property?")
    assert asked(ask.everything())["$top"] == "1000"


def test_x6_no_plus_and_no_bare_space_is_sent() -> None:
    ask, dialect = queries("reso", filter="City eq 'St. John''s' and Flag eq 'A+B'")
    url = ask.since(dialect.clocks[0], "2026-03-01T12:00:00+00:00")
    assert "+" not in url
    assert " " not in url
    assert asked(url)["$filter"] == (
        "(City eq 'St. John''s' and Flag eq 'A+B') and ModificationTimestamp ge 2026-03-01T11:55:00Z"
    )


def test_a_server_of_several_systems_is_asked_for_one_of_them() -> None:
    ask, _ = queries("reso", originating_system="O'MLS")
    assert asked(ask.keys())["$filter"] == "OriginatingSystemName eq 'O''MLS'"
    assert asked(ask.listings(["1"]))["$filter"] == "OriginatingSystemName eq 'O''MLS' and ListingKey eq '1'"
