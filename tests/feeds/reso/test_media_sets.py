from typing import Any

import pytest
from pydantic import SecretStr

from parsers.odata.page import Row
from parsers.records import PhotoRef
from service.feeds.reso.dialect import dialect_of
from service.feeds.reso.media_sets import Media, MediaSets
from service.reso_config import Constellation1Feed, RealtracsFeed


def row(key: str | None, order: str | None = None, **more: Any) -> Row:
    return {"MediaKey": key, "Order": order, "DisplayOrder": order, "MediaURL": f"https://m/{key}"} | more


def read(*rows: Row, **settings: Any) -> Media:
    config = RealtracsFeed.model_validate({"kind": "realtracs", "token": SecretStr("x"), **settings})
    return MediaSets(dialect_of(config), config).read(rows)


def test_r2_each_category_counts_its_own_order_and_photos_come_first() -> None:
    had = read(
        row("d1", "0", MediaCategory="Document"),
        row("p2", "1", MediaCategory="Photo"),
        row("p1", "0", MediaCategory="photo"),
        row("v1", "0", MediaCategory="Video"),
    )
    assert [(ref.id, ref.order, ref.category) for ref in had.refs] == [
        ("p1", 0, "Photo"),
        ("p2", 1, "Photo"),
        ("d1", 2, "Document"),
    ]
    assert had.links == (PhotoRef("v1", 0, url="https://m/v1", category="Video"),)


def test_c13_a_media_row_is_read_by_its_documented_names() -> None:
    config = Constellation1Feed.model_validate(
        {"kind": "constellation1", "token": SecretStr("x"), "size": "l"}
    )
    given: Row = {
        "Id": "1",
        "MediaKey": "k1",
        "Order": "0",
        "MediaType": "jpeg",
        "MediaURL": "https://m/1.jpg",
        "MediaModificationTimestamp": "2026-01-01T00:00:00.1234567Z",
        "ModificationTimestamp": "2026-01-02T00:00:00.123456Z",
        "OriginatingSystemName": "X",
        "ResourceRecordID": "L-1",
        "ResourceRecordKey": "1",
        "MediaCategory": "Photo",
    }
    (ref,) = MediaSets(dialect_of(config), config).read([given]).refs
    assert ref == PhotoRef("k1", 0, "2026-01-01T00:00:00.1234567Z", "https://m/1.jpg?d=l")


def test_c15_a_size_joins_a_query_that_is_there() -> None:
    config = Constellation1Feed.model_validate(
        {"kind": "constellation1", "token": SecretStr("x"), "size": "s"}
    )
    (ref,) = MediaSets(dialect_of(config), config).read([row("1", MediaURL="https://m/1?v=2")]).refs
    assert ref.url == "https://m/1?v=2&d=s"


def test_r3_documents_and_links_that_are_not_wanted_are_left_aside() -> None:
    rows = row("d", MediaCategory="Document"), row("v", MediaCategory="Video"), row("p")
    had = read(*rows, documents=False, links=False)
    assert [ref.id for ref in had.refs] == ["p"]
    assert had.links == ()


@pytest.mark.parametrize("url", [None, "javascript:alert(1)", "https://user:secret@host/x", "//host/x", ""])
def test_r3_a_link_that_nobody_may_follow_is_none(url: str | None) -> None:
    assert read(row("v", MediaCategory="Video", MediaURL=url)).links == ()


@pytest.mark.parametrize(
    ("photos", "count", "agrees", "suffices"),
    [
        (2, 2, True, True),
        (1, 2, False, False),
        (3, 2, False, True),
        (0, 0, True, True),
        (0, 1, False, False),
        (0, None, False, False),
        (2, None, False, True),
    ],
)
def test_x7_a_set_is_believed_as_far_as_its_count_allows(
    photos: int, count: int | None, *, agrees: bool, suffices: bool
) -> None:
    had = read(*(row(f"p{number}") for number in range(photos)), row("d", MediaCategory="Document"))
    assert had.agrees(count) is agrees
    assert had.suffices(count) is suffices


def test_x7_a_set_with_a_row_that_names_nothing_is_not_whole() -> None:
    assert not read(row("p"), row(None)).suffices(1)
