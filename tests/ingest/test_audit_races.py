"""An audit beside cycles that change, while it looks, what it looks at."""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.ingest.audit import AuditReport, audit_feed
from service.stores.embedded import EmbeddedStore
from tests.ingest import damage
from tests.ingest.damage import BY_SEQUENCE, KEYS, Ward, ward_of
from tests.ingest.support import listing, photo


class Interrupted:
    """A catalog before whose word about the bucket a cycle comes in, as often as it is told to."""

    def __init__(self, inner: Any, cycle: Callable[[], object], times: int) -> None:
        self._inner, self._cycle, self._left = inner, cycle, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def holdings(self, feed: str, found: Any) -> Any:
        self._left -= 1
        if self._left >= 0:
            self._cycle()
        return self._inner.holdings(feed, found)


@pytest.fixture
def restless(s3: EmbeddedStore, tmp_path: Path) -> Iterator[Ward]:
    """Its sweep has no grace."""
    with ward_of(s3, tmp_path, BY_SEQUENCE, delete_after="0s", purge_share=1.0) as made:
        yield made


def new_pictures(ward: Ward, day: int) -> None:
    """Every listing shows other photos, and another number of them."""
    for number, key in enumerate(KEYS):
        picture = 100 * day + 10 * number
        photos = [photo(n, picture + n, day=day) for n in range(1, 2 + (day + number) % 4)]
        ward.world.mls.put(listing(key, *photos, day=day))
    assert ward.world.cycle().ok


def test_a_cycle_between_two_looks_is_no_damage(restless: Ward) -> None:
    days = itertools.count(5)
    for times in range(1, 5):
        catalog = Interrupted(restless.feed().catalog, lambda: new_pictures(restless, next(days)), times)
        report = AuditReport(restless.world.feed)
        audit_feed(replace(restless.feed(), catalog=catalog), report, restless.world.stop)
        assert report.differences == []
        assert report.counts["busy"] == 0


def test_a_listing_that_never_rests_is_left_to_the_next_audit(
    restless: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.ingest.audit.LOOKS", 2)
    damage.lose_a_photo(restless)
    days = itertools.count(5)
    catalog = Interrupted(restless.feed().catalog, lambda: new_pictures(restless, next(days)), 1000)
    report = AuditReport(restless.world.feed)
    audit_feed(replace(restless.feed(), catalog=catalog), report, restless.world.stop)
    assert (report.differences, report.counts["busy"]) == ([], 3)


def test_beside_cycles_an_audit_tells_no_race_as_damage(restless: Ward) -> None:
    """The feed changes all the time while one audit follows the other."""
    ended = threading.Event()

    def audits() -> list[AuditReport]:
        reports = [restless.audit(deep=False)]
        while not ended.is_set():
            reports.append(restless.audit(deep=len(reports) % 2 == 0))
        return reports

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(audits)
        try:
            for day in range(5, 13):
                new_pictures(restless, day)
        finally:
            ended.set()
        reports = running.result()
    assert [found for report in reports for found in report.differences] == []
    assert restless.audit().ok
