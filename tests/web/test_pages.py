"""What the pages say of states that a healthy daemon does not show."""

import hmac
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
import requests

from parsers.records import Image, ListingState, PhotoRef
from service.core.manifest import render_manifest
from service.core.photos import StoredPhoto, StoredSet, manifest_key
from service.core.schedule import Breaker
from service.stores.embedded import EmbeddedStore
from tests.ingest.support import jpeg
from tests.stores.support import DAY, NOW
from tests.web.inside import FEED, Inside, inside

HOUR = timedelta(hours=1)
MARKUP = '<b>bold</b> & "quoted"'


@pytest.fixture
def site(s3: EmbeddedStore, tmp_path: Path) -> Iterator[Inside]:
    with inside(s3, tmp_path) as made:
        yield made


def run(site: Inside, ago: timedelta, error: str | None = None, **counts: int) -> None:
    number = site.catalog.run_started(FEED, NOW - ago - HOUR / 60)
    site.catalog.run_ended(number, NOW - ago, counts, error)


def state(site: Inside) -> str:
    said: str = site.get(f"/api/feeds/{FEED}").json()["state"]
    return said


def test_a_feed_is_in_the_worst_of_its_states(site: Inside) -> None:
    assert state(site) == "not yet run"
    first = site.catalog.run_started(FEED, NOW - HOUR)
    assert state(site) == "first load"
    site.catalog.run_ended(first, NOW - HOUR / 2, {}, None)
    assert state(site) == "up to date"
    site.catalog.owe(FEED, [ListingState("1")], None, NOW)
    assert state(site) == "catching up"
    site.catalog.hold(FEED, "listings", "9 of 10 are missing", NOW)
    assert state(site) == "deletions held"
    run(site, HOUR / 3, "the server is away")
    assert state(site) == "failing"
    site.catalog.set_breaker(FEED, Breaker().stop("wrong password"))
    assert state(site) == "stopped"


@pytest.mark.parametrize(("minutes", "said"), [(45, "up to date"), (46, "late")])
def test_late_begins_behind_the_third_interval(site: Inside, minutes: int, said: str) -> None:
    run(site, timedelta(minutes=minutes))
    assert state(site) == said
    lag = f'listing_photos_lag_seconds{{feed="{FEED}"}} {minutes * 60}.0'
    assert lag in site.get("/metrics").text


def test_what_is_held_parked_or_stopped_is_told_with_its_reason(site: Inside) -> None:
    run(site, DAY, f"refused {MARKUP}")
    site.catalog.hold(FEED, "listings", f"9 of 10 {MARKUP}", NOW - HOUR)
    failures = Breaker(6, NOW + HOUR, why="away")
    site.catalog.set_breaker(FEED, failures)
    site.catalog.take_lease(FEED, "host-7 <pid 12>", 30)
    site.catalog.owe(FEED, [ListingState("K<1>"), ListingState("K2")], None, NOW)
    site.catalog.postpone(
        FEED, "K<1>", why=f"denied {MARKUP}", due_at=NOW + DAY, parked=True, evidence="<html>Log in</html>"
    )
    page = site.get("/").text
    escaped = "&lt;b&gt;bold&lt;/b&gt; &amp; &#34;quoted&#34;"
    for said in (
        f"Last error: refused {escaped}",
        'Deletions held back (listings) since <time datetime="2026-03-01T11:00:00.250000+00:00"',
        f"9 of 10 {escaped}",
        "6 failures in a row",
        "Worked on by host-7 &lt;pid 12&gt;",
        f"denied {escaped}",
        "<pre>&lt;html&gt;Log in&lt;/html&gt;</pre>",
    ):
        assert said in page, said
    assert MARKUP not in page
    metrics = site.get("/metrics").text
    for name, value in (("owed_listings", 2), ("parked_listings", 1), ("holds", 1), ("lease_held", 1)):
        assert f'listing_photos_{name}{{feed="{FEED}"}} {value}.0' in metrics
    assert "listing_photos_upload_queue 3.0" in metrics


def test_of_many_parked_listings_the_first_are_shown_and_the_rest_counted(site: Inside) -> None:
    keys = [f"K{number:03}" for number in range(60)]
    site.catalog.owe(FEED, [ListingState(key) for key in keys], None, NOW)
    for key in keys:
        site.catalog.postpone(FEED, key, why="denied", due_at=NOW + DAY, parked=True)
    page = site.get("/").text
    assert page.count("denied") == 50
    assert "10 more" in page


def test_history_shows_a_first_load_and_what_came_after_it(site: Inside) -> None:
    run(site, 3 * HOUR, uploaded=100_000)
    run(site, 2 * HOUR, uploaded=50, failed=2)
    run(site, 1 * HOUR, "away", uploaded=0)
    page = site.get("/").text
    assert 'aria-label="The last 3 cycles: 1 failed, 1 without some photos"' in page
    heights = [int(part.split('"')[0]) for part in page.split('width="4" height="')[1:]]
    assert heights[0] == heights[2] == 32
    assert 8 < heights[1] < 16
    assert "100000 photos uploaded" in page


# The gallery, where the bucket does not hold what it should.


def keep(site: Inside, key: str, *photos: StoredPhoto, feed: str = FEED, folder: str | None = None) -> str:
    """Put a manifest into the bucket; returns the listing's path."""
    document = render_manifest(feed, StoredSet(key, 1, "s", photos, updated=NOW))
    return put(site, folder or key, document)


def put(site: Inside, folder: str, document: bytes) -> str:
    site.desk.store.put(
        manifest_key(FEED, folder),
        io.BytesIO(document),
        len(document),
        sha256(document).hexdigest(),
        media_type="application/json",
        cache_control="no-store",
    )
    return f"/feeds/{FEED}/{folder}"


def test_a_manifest_that_is_none_of_ours_is_told_and_not_shown(site: Inside) -> None:
    for number, document in enumerate((b"", b"{}", b"[1]", b"\xff", json.dumps({"media": "x"}).encode())):
        answer = site.get(put(site, f"bad-{number}", document))
        assert answer.status_code == 503
        assert "its manifest cannot be read" in answer.text
    foreign = site.get(keep(site, "A", folder="B"))
    assert "another listing" in foreign.text


def test_a_listing_without_photos_says_so(site: Inside) -> None:
    assert "The feed has no photos of this listing." in site.get(keep(site, "empty")).text


def test_a_photo_that_is_missing_in_the_bucket_is_not_found(site: Inside) -> None:
    lost = StoredPhoto(PhotoRef("1", 1), Image("ab" * 32, 10, "image/jpeg", 4, 3))
    assert site.get(keep(site, "lost", lost)).status_code == 200
    answer = site.get(f"/photo/{FEED}/lost/{lost.name}")
    assert answer.status_code == 404
    assert "audit --repair" in answer.text


def test_with_a_public_address_the_browser_asks_the_bucket(s3: EmbeddedStore, tmp_path: Path) -> None:
    body = jpeg(1)
    shown = StoredPhoto(PhotoRef("1", 1), Image(sha256(body).hexdigest(), len(body), "image/jpeg", 48, 36))
    with inside(s3, tmp_path, public_url="https://photos.example/bucket/") as site:
        document = render_manifest(FEED, StoredSet("A/1", 1, "s", (shown,), updated=NOW))
        put(site, "A/1", document)
        answer = site.get(f"/feeds/{FEED}/A%252F1")
        # The object's key holds a percent sign, which a URL must spell as %25.
        assert f'src="https://photos.example/bucket/{FEED}/A%252F1/{shown.name}"' in answer.text
        assert "img-src 'self' https://photos.example;" in answer.headers["Content-Security-Policy"]


def test_without_a_token_nobody_signs_in(s3: EmbeddedStore, tmp_path: Path) -> None:
    with inside(s3, tmp_path, token=None) as site:
        assert "No token is configured" in site.get("/login").text
        for token in ("", "None"):
            answer = requests.post(f"{site.url}/login", data={"token": token}, timeout=30)
            assert answer.status_code == 403
        empty = hmac.new(b"", b"ticket until 99999999999", sha256).hexdigest()
        ticket = {"listing-photos": f"99999999999.{empty}"}
        form = {"feed": FEED}
        assert requests.post(f"{site.url}/retry", data=form, cookies=ticket, timeout=30).status_code == 403
