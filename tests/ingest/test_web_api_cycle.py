"""Cycles of feeds that speak the RESO Web API, from the loopback server to the bucket."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from service.simulator.answers import RawAnswer
from service.simulator.web_api.dialects import RESO
from service.simulator.web_api.listings import DOCUMENT, Listing, Medium
from tests.ingest.support import S3, jpeg
from tests.ingest.web_world import PDF, SECRET, TOKEN, WebWorld, at, listing, photo, web_world

Open: TypeAlias = Callable[..., WebWorld]

KINDS = ("realtracs", "constellation1", "spark-replication", "reso")


@pytest.fixture
def open_world(s3: S3, tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def make(kind: str, *listings: Listing, **settings: Any) -> WebWorld:
            context: AbstractContextManager[WebWorld] = web_world(s3, tmp_path, kind, *listings, **settings)
            return stack.enter_context(context)

        yield make


def video(minute: int = 0) -> Medium:
    link = "https://video.example/watch?v=1"
    return Medium("v1", at(minute), caption="Tour", category="Video", link=link)


def pdf(minute: int = 0) -> Medium:
    return Medium("d1", at(minute), picture=PDF, category=DOCUMENT, media_type="application/pdf")


@pytest.mark.parametrize("kind", KINDS)
def test_a_feed_is_loaded_kept_changed_and_emptied(open_world: Open, kind: str) -> None:
    world = open_world(kind, listing("A", photo(1), photo(2)), listing("B", photo(3)), listing("C"))
    first = world.cycle()
    assert (first.ok, first.counts["downloaded"], first.counts["manifests"]) == (True, 3, 3), first
    assert world.keys("A") == ["m1", "m2"]
    assert world.keys("C") == []

    nothing = world.cycle()
    assert (nothing.ok, nothing.counts["downloaded"], nothing.counts["manifests"]) == (True, 0, 0)

    later = {"modified": at(60), "photos_changed": at(60)}
    world.change("A", media=(photo(2), photo(1, 9, 60)), **later)  # order and one picture
    world.change("B", media=(), **later)
    world.api.listings.remove("C")
    changed = world.cycle()
    assert changed.ok, changed
    assert changed.counts["downloaded"] == 1
    assert changed.counts["listings_removed"] == 1
    assert world.keys("A") == ["m2", "m1"]
    assert world.keys("B") == []
    assert world.manifest("C") is None


@pytest.mark.parametrize("kind", KINDS)
def test_r5_a_caption_or_an_order_touches_the_manifest_alone(open_world: Open, kind: str) -> None:
    """A new manifest, no download, no upload."""
    world = open_world(kind, listing("A", photo(1), photo(2)))
    world.cycle()
    captioned = replace(photo(1), caption="Porch", modified=at(60))
    world.change("A", media=(photo(2), captioned), modified=at(60), photos_changed=at(60))
    report = world.cycle()
    assert (report.counts["downloaded"], report.counts["uploaded"]) == (0, 0)
    assert report.counts["manifests"] == 1
    manifest = world.manifest("A")
    assert manifest is not None
    assert [entry["LongDescription"] for entry in manifest["media"]] == [None, "Porch"]


def test_r3_documents_are_stored_and_other_categories_are_links(open_world: Open) -> None:
    world = open_world("realtracs", listing("A", photo(1), pdf(), video()))
    assert world.cycle().ok
    manifest = world.manifest("A")
    assert manifest is not None
    assert [entry["MediaType"] for entry in manifest["media"]] == ["image/jpeg", "application/pdf"]
    assert [entry["MediaCategory"] for entry in manifest["media"]] == ["Photo", "Document"]
    assert manifest["default"] == "m1"
    assert manifest["links"] == [
        {
            "MediaKey": "v1",
            "Order": 0,
            "MediaCategory": "Video",
            "MediaURL": "https://video.example/watch?v=1",
            "LongDescription": "Tour",
        }
    ]
    assert {key.rpartition(".")[2] for key in world.objects()} == {"jpg", "pdf"}
    assert len(world.downloads()) == 2


def test_r3_a_link_that_changes_is_a_touch_and_one_that_goes_leaves_the_manifest(open_world: Open) -> None:
    world = open_world("realtracs", listing("A", photo(1), video()))
    world.cycle()
    world.change("A", media=(photo(1), replace(video(), caption="Walk")), modified=at(60))
    touched = world.cycle()
    assert (touched.counts["downloaded"], touched.counts["manifests"]) == (0, 1)
    manifest = world.manifest("A")
    assert manifest is not None
    assert manifest["links"][0]["LongDescription"] == "Walk"
    world.change("A", media=(photo(1),), modified=at(120))
    world.cycle()
    assert "links" not in (world.manifest("A") or {})


def test_r3_a_pdf_among_the_photos_is_no_photo(open_world: Open) -> None:
    world = open_world("realtracs", listing("A", photo(1), replace(pdf(), category="Photo")))
    report = world.cycle()
    assert "unknown answer" in report.owed["A"]
    assert world.keys("A") == ["m1"]


def test_r3_a_document_that_was_cut_is_not_stored(open_world: Open) -> None:
    world = open_world("realtracs", listing("A", photo(1), replace(pdf(), picture=PDF[:-8])))
    assert "A" in world.cycle().owed
    assert world.keys("A") == ["m1"]


def test_r4_a_changed_photo_or_document_is_found_by_the_listings_own_time(open_world: Open) -> None:
    world = open_world("realtracs", listing("A", photo(1)))
    world.cycle()
    added = (photo(1), photo(2), pdf(60))
    world.change("A", media=added, modified=at(60), photos_changed=at(60), documents_changed=at(60))
    assert world.cycle().ok
    assert world.keys("A") == ["m1", "m2", "d1"]


def test_r6_a_photo_is_fetched_if_and_only_if_its_stamp_differs(open_world: Open) -> None:
    """To the seventh digit, newer or older (X5)."""
    one, two = replace(photo(1), changed=at(5, "1234567")), photo(2)
    world = open_world("realtracs", listing("A", one, two))
    world.cycle()
    again = replace(one, changed=at(5, "1234568"), picture=jpeg(7))
    world.change("A", media=(again, replace(two, modified=at(9))), modified=at(60))
    report = world.cycle()
    assert (report.counts["downloaded"], report.counts["avoided"]) == (1, 1)
    world.change("A", media=(one, two), modified=at(120))
    assert world.cycle().counts["downloaded"] == 1


def test_r7_media_are_asked_only_for_listings_that_moved(open_world: Open) -> None:
    world = open_world("realtracs", listing("A", photo(1)), listing("B", photo(2)))
    world.cycle()
    before = len(world.asked("Media"))
    world.cycle()
    assert len(world.asked("Media")) == before
    world.change("B", modified=at(60))
    world.cycle()
    (query,) = world.asked("Media")[before:]
    assert query["$filter"] == "ListingKey eq 'B'"
    assert not any("PhotosChangeTimestamp ge" in target for target in world.targets())
    assert not any("DocumentsChangeTimestamp" in target for target in world.targets())


def test_r8_what_is_billed_is_counted(open_world: Open) -> None:
    world = open_world("realtracs", listing("A", photo(1), photo(2)), limits={"requests_per_day": 1000})
    first = world.cycle()
    assert first.counts["bytes"] == len(jpeg(1)) + len(jpeg(2))
    world.change("A", media=(photo(1), photo(2, 7, 60)), modified=at(60))
    assert world.cycle().counts["avoided"] == 1
    kept = world.house.catalog.mark(world.feed, "source.limits")
    (slots,) = json.loads(kept or "").values()
    assert sum(count for _, count in slots) == len(world.server.requests)


def test_c7_a_full_pass_is_ordered_on_its_first_request_only(open_world: Open) -> None:
    world = open_world("constellation1", *(listing(f"K{n}", photo(n)) for n in range(7)), page_size=3)
    assert world.cycle().ok
    asked = [query for query in world.asked("Property") if query.get("$select") != "ListingKey"]
    ours = [query for query in asked if query["path"] == "Property"]
    assert [query["$orderby"] for query in ours] == ["ListingKey asc"]
    assert len(asked) >= 3
    assert len(world.house.catalog.known_keys(world.feed)) == 7


def test_c8_an_expired_link_begins_the_pass_anew(open_world: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world("constellation1", *(listing(f"K{n}", photo(n)) for n in range(5)), page_size=2)
    answer, asked = world.api.answer, []

    def expiring(transaction: str, params: Any) -> Any:
        asked.append(transaction)
        if len(asked) == 2:
            world.api.expire_links()
        return answer(transaction, params)

    monkeypatch.setattr(world.api, "answer", expiring)
    assert world.cycle().ok
    assert len(world.house.catalog.known_keys(world.feed)) == 5


def test_c10_the_list_of_keys_gives_removals_and_missed_additions(open_world: Open) -> None:
    world = open_world(
        "constellation1", listing("A", photo(1)), listing("B", photo(2)), originating_system="LOOPBACK"
    )
    world.cycle()
    world.api.listings.remove("A")
    world.api.listings.put(listing("OLD", photo(3), minute=-9000))  # no clock tells of it
    report = world.cycle()
    assert report.counts["listings_removed"] == 1
    assert world.cycle().ok
    assert world.keys("OLD") == ["m3"]
    select = [query for query in world.asked("Property") if query.get("$select") == "ListingKey"]
    assert select[0]["$filter"] == "OriginatingSystemName eq 'LOOPBACK'"


def test_c11_changes_are_asked_by_photo_time_with_their_media(open_world: Open) -> None:
    world = open_world("constellation1", listing("A", photo(1)), originating_system="LOOPBACK")
    world.cycle()
    world.cycle()
    (query,) = [
        query for query in world.asked("Property") if "ge" in query.get("$filter", "") and "$expand" in query
    ]
    assert query["$filter"] == f"OriginatingSystemName eq 'LOOPBACK' and PhotosChangeTimestamp ge {at(0)}"
    assert query["$ignorenulls"] == "true"  # C6
    assert query["$top"] == "500"  # C5
    assert {"ListingKey", "PhotosCount", "PhotosChangeTimestamp"} <= set(query["$select"].split(","))
    assert not world.asked("Media")


def test_c12_the_media_way_finds_changed_and_removed_photos(open_world: Open) -> None:
    world = open_world(
        "constellation1", listing("A", photo(1), photo(2)), listing("B", photo(3)), way="media"
    )
    assert world.cycle().ok
    captioned = replace(photo(3), caption="Porch", modified="2026-06-02T12:00:00.0000000Z")
    world.change("B", media=(captioned,))  # no time of the listing moves
    world.change("A", media=(photo(2),), photos_changed=at(60))  # and nothing tells of it but Property
    report = world.cycle()
    assert (report.ok, report.counts["downloaded"]) == (True, 0)
    assert world.keys("A") == ["m2"]
    manifest = world.manifest("B")
    assert manifest is not None
    assert manifest["media"][0]["LongDescription"] == "Porch"
    assert not any("$expand" in target for target in world.targets())


def test_c14_the_same_url_is_never_fetched_twice(open_world: Open) -> None:
    world = open_world("constellation1", listing("A", photo(1)))
    world.cycle()
    world.change("A", media=(replace(photo(1), modified=at(60)),), photos_changed=at(60), modified=at(60))
    assert world.cycle().counts["downloaded"] == 0
    world.change("A", media=(photo(1, 8, 120),), photos_changed=at(120), modified=at(120))
    assert world.cycle().counts["downloaded"] == 1


@pytest.mark.parametrize(("size", "query"), [("original", ""), ("l", "?d=l"), ("500x320", "?d=500x320")])
def test_c15_a_size_is_asked_for_by_the_url(open_world: Open, size: str, query: str) -> None:
    world = open_world("constellation1", listing("A", photo(1)), size=size)
    world.cycle()
    assert [url.partition(".jpg")[2] for url in world.downloads()] == [query]


def test_p2_the_first_download_has_no_other_option_than_count_select_and_top(open_world: Open) -> None:
    world = open_world("spark-replication", *(listing(f"K{n}", photo(n)) for n in range(3)))
    assert world.cycle().ok
    assert set(world.asked("Property")[0]) - {"path", "target"} == {"$count", "$select", "$top"}


def test_p3_the_overlap_is_asked_with_and_never_kept(open_world: Open) -> None:
    world = open_world("spark-replication", listing("A", photo(1), minute=100))
    for _ in range(3):
        assert world.cycle().ok
        assert world.house.catalog.mark(world.feed, "changes") == at(100)
    filters = {query["$filter"] for query in world.asked("Property") if "gt" in query.get("$filter", "")}
    assert filters == {f"ModificationTimestamp gt {at(80)}"}


def test_p4_media_are_asked_for_only_when_a_photo_time_differs(open_world: Open) -> None:
    world = open_world("spark-replication", listing("A", photo(1), minute=100))
    world.cycle()
    before = len(world.asked("Media"))
    world.change("A", modified=at(200))  # its price
    assert world.cycle().counts["manifests"] == 0
    assert len(world.asked("Media")) == before
    world.change("A", modified=at(300), photos_changed=at(300), media=(photo(1), photo(2)))
    world.cycle()
    assert world.keys("A") == ["m1", "m2"]
    world.change("A", modified=at(400), documents_changed=at(400), media=(photo(1), photo(2), video()))
    world.cycle()
    assert "links" in (world.manifest("A") or {})


@pytest.mark.parametrize("kind", KINDS)
def test_p5_nothing_is_purged_after_a_pass_that_did_not_reach_its_end(
    open_world: Open, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = open_world(kind, *(listing(f"K{n}") for n in range(4)), page_size=2)
    world.cycle()
    answer = world.api.answer

    def cut(transaction: str, params: Any) -> Any:
        found = answer(transaction, params)
        if found is not None and params.get("$select") == "ListingKey":
            assert isinstance(found.body, bytes)
            return replace(found, body=found.body.replace(b"odata.nextLink", b"odata.deltaLink"))
        return found

    monkeypatch.setattr(world.api, "answer", cut)
    report = world.cycle()
    assert "4 rows were counted, 2 came" in report.held
    assert len(world.house.catalog.known_keys(world.feed)) == 4


# Traps.


def test_x1_a_signed_url_is_no_change_and_an_expired_one_is_asked_for_anew(
    open_world: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = replace(RESO, signed=True)
    world = open_world("reso", listing("A", photo(1), photo(2)), dialect=signed)
    answer, seen = world.api.answer, []

    def expiring(transaction: str, params: Any) -> Any:
        seen.append(transaction)
        if transaction == "Media" and seen.count("Media") == 1:
            world.api.expire_signatures()
        return answer(transaction, params)

    monkeypatch.setattr(world.api, "answer", expiring)
    assert world.cycle().ok
    assert world.keys("A") == ["m1", "m2"]
    world.change("A", modified=at(60), photos_changed=at(60))
    assert world.cycle().counts["downloaded"] == 0


def test_x2_a_clock_that_moves_alone_is_seen(open_world: Open) -> None:
    clocks = ["ModificationTimestamp", "PhotosChangeTimestamp"]
    world = open_world("reso", listing("A", photo(1)), Listing("B", at(50), at(0)), clocks=clocks)
    world.cycle()
    world.change("A", photos_changed=at(40), media=(photo(1), photo(2)))
    assert world.cycle().ok
    assert world.keys("A") == ["m1", "m2"]
    assert not any(" or Mod" in target or " or Photos" in target for target in world.targets())


@pytest.mark.parametrize("kind", KINDS)
def test_x3_no_row_is_lost_where_many_share_one_time(open_world: Open, kind: str) -> None:
    world = open_world(kind, listing("A", minute=10), page_size=2)
    world.cycle()
    for number in range(7):
        world.api.listings.put(listing(f"K{number}", photo(number), minute=10))
    assert world.cycle().ok
    assert all(world.keys(f"K{number}") == [f"m{number}"] for number in range(7))


@pytest.mark.parametrize("kind", KINDS)
def test_x4_the_default_is_the_preferred_photo_else_the_first(open_world: Open, kind: str) -> None:
    preferred = listing("A", photo(1), replace(photo(2), preferred=True))
    world = open_world(kind, preferred, listing("B", photo(3), photo(4)))
    world.cycle()
    defaults = [(world.manifest(key) or {})["default"] for key in ("A", "B")]
    assert defaults == ["m2", "m3"]
    manifest = world.manifest("B")
    assert manifest is not None
    assert [entry["Order"] for entry in manifest["media"]] == [0, 1]


def test_x5_the_cursor_keeps_every_digit(open_world: Open) -> None:
    modified = at(10, "1234567")
    world = open_world("reso", Listing("A", modified, modified, (photo(1),)), overlap="0s")
    world.cycle()
    assert world.house.catalog.mark(world.feed, "changes") == modified
    world.cycle()
    assert any(f"ModificationTimestamp ge {modified}" in target for target in world.targets())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("claimed", [2, 3])
def test_x7_a_set_that_is_smaller_than_counted_removes_nothing(
    open_world: Open, kind: str, claimed: int
) -> None:
    world = open_world(kind, listing("A", photo(1), photo(2)))
    world.cycle()
    later = {"modified": at(60), "photos_changed": at(60), "count": claimed}
    world.change("A", media=() if claimed == 2 else (photo(1),), **later)
    report = world.cycle()
    assert "nothing was removed" in report.owed["A"]
    assert world.keys("A") == ["m1", "m2"]
    world.change("A", media=(photo(1),), count=None)  # the server has come to itself
    world.cycle()
    assert world.keys("A") == ["m1"]


def test_x7_without_a_count_an_empty_answer_removes_nothing_and_a_new_listing_is_settled(
    open_world: Open,
) -> None:
    world = open_world("reso", listing("A", photo(1)), listing("B"), fields={"photos_count": ""})
    assert world.cycle().ok
    assert world.keys("B") == []
    world.change("A", media=(), modified=at(60), photos_changed=at(60))
    assert "A" in world.cycle().owed
    assert world.keys("A") == ["m1"]


@pytest.mark.parametrize("kind", KINDS)
def test_x8_a_set_stays_as_it_was_until_the_new_photos_are_there(open_world: Open, kind: str) -> None:
    world = open_world(kind, listing("A", photo(1)))
    world.cycle()
    before = (world.manifest("A") or {})["media"]
    later = {"modified": at(60), "photos_changed": at(60)}
    world.change("A", media=(replace(photo(1, 5, 60), status=503),), **later)
    assert "A" in world.cycle().owed
    assert (world.manifest("A") or {})["media"] == before
    assert before[0]["Key"] in world.objects()


def test_x9_a_next_link_to_another_host_gets_no_token(
    open_world: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = open_world("reso", listing("A"), listing("B"), page_size=1)
    answer = world.api.answer

    def astray(transaction: str, params: Any) -> Any:
        found = answer(transaction, params)
        assert found is not None
        assert isinstance(found.body, bytes)
        here = f'"@odata.nextLink":"/{world.feed}/'.encode()
        return replace(found, body=found.body.replace(here, b'"@odata.nextLink":"http://evil.example/'))

    monkeypatch.setattr(world.api, "answer", astray)
    report = world.cycle()
    assert "evil.example, which may not have this feed's credentials" in (report.error or "")


def test_x10_a_feed_whose_limits_are_used_up_asks_nothing_more(open_world: Open) -> None:
    world = open_world("reso", listing("A", photo(1)), limits={"requests_per_day": 3})
    report = world.cycle()
    assert "the limits of this feed are used up" in f"{report.error} {report.owed}"
    assert len(world.server.requests) == 3
    world.now[0] += timedelta(days=2)
    world.house.catalog.retry(world.feed, None, world.now[0])
    world.cycle()
    assert len(world.server.requests) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_x11_no_secret_is_told(
    open_world: Open, kind: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what a server repeats of it."""
    world = open_world(kind, listing("A", photo(1)))
    assert world.cycle().ok
    secret = SECRET if kind == "constellation1" else TOKEN
    said = f'{{"error":{{"code":"1","message":"you sent {secret}"}}}}'
    monkeypatch.setattr(world.api, "answer", lambda *_: RawAnswer(403, "Forbidden", (), said.encode()))
    report = world.cycle()
    assert "HTTP 403" in (report.error or "")
    told = "".join(capfd.readouterr()) + str(report)
    assert secret not in told


def test_x12_an_expansion_that_was_cut_is_asked_for_by_listing(open_world: Open) -> None:
    cut = replace(RESO, expand_cut=2)
    world = open_world(
        "reso", listing("A", *map(photo, range(5))), listing("B", photo(9)), dialect=cut, expand=True
    )
    assert world.cycle().ok
    assert len(world.keys("A")) == 5
    assert [query["$filter"] for query in world.asked("Media")] == ["ResourceRecordKey eq 'A'"]


def test_x13_a_new_stamp_with_equal_bytes_writes_no_object(open_world: Open) -> None:
    world = open_world("realtracs", listing("A", photo(1)))
    world.cycle()
    world.change("A", media=(photo(1, 1, 60),), modified=at(60))
    report = world.cycle()
    assert (report.counts["downloaded"], report.counts["uploaded"]) == (1, 0)


# What the server takes, and what it does not.


def test_several_listings_share_a_query_until_the_server_refuses_that(
    open_world: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = open_world("realtracs", *(listing(f"K{n}", photo(n)) for n in range(5)))
    world.cycle()
    assert len(world.asked("Media")) == 1
    refuse = partial(_refusing, world.api.answer)
    monkeypatch.setattr(world.api, "answer", refuse)
    for number in range(5):
        world.change(f"K{number}", modified=at(60))
    assert world.cycle().ok
    assert world.house.catalog.mark(world.feed, "source.media.one_by_one") == "yes"


def _refusing(answer: Callable[..., Any], transaction: str, params: Any) -> Any:
    if " or " in params.get("$filter", ""):
        return answer(transaction, {**params, "$filter": "nonsense"})
    return answer(transaction, params)


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_that_fails_is_asked_for_again_with_the_listings_record_of_then(
    open_world: Open, kind: str
) -> None:
    world = open_world(kind, listing("A", photo(1), replace(photo(2), status=503)))
    assert "A" in world.cycle().owed
    assert world.keys("A") == ["m1"]
    world.change("A", media=(photo(1), photo(2, 5)))  # no time moves
    assert world.cycle().ok
    assert world.keys("A") == ["m1", "m2"]


def test_the_default_photo_alone_is_no_document(open_world: Open) -> None:
    world = open_world("realtracs", listing("A", pdf(), photo(1), photo(2)), photos="default")
    assert world.cycle().ok
    assert world.keys("A") == ["m1"]
