"""What the daemon answers over HTTP: pages, photos, actions, health, metrics, and what it refuses."""

import hmac
import re
import signal
import time
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from service.core.photos import segment
from service.stores.embedded import EmbeddedStore
from tests.acceptance.support import PASSWORD, service, wait_until
from tests.stores.support import fresh_name
from tests.web.support import HOSTILE_KEY, TOKEN, Running, running

FOLDER = segment(HOSTILE_KEY)


def signed_in(site: Running) -> requests.Session:
    browser = requests.Session()
    assert browser.post(f"{site.url}/login", data={"token": TOKEN}, timeout=30).url == f"{site.url}/"
    return browser


def photo_paths(site: Running, key: str) -> list[str]:
    page = site.get(f"/feeds/{site.feed}/{quote(segment(key))}")
    return re.findall(r'<img src="(/photo/[^"]+)"', page.text)


@pytest.mark.parametrize(
    "path", ["/", "/feeds/{feed}", "/nowhere", "/metrics", "/healthz", "/static/style.css", "/feeds/none"]
)
def test_every_answer_keeps_a_browser_from_doing_more_than_it_says(site: Running, path: str) -> None:
    headers = site.get(path.format(feed=site.feed)).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self';")
    assert "script" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "server" not in headers


def test_a_photo_is_served_as_the_manifest_has_it(site: Running) -> None:
    media = site.get(f"/api/feeds/{site.feed}/listings/1001").json()["media"]
    for path, entry in zip(photo_paths(site, "1001"), media, strict=True):
        answer = site.get(path)
        assert sha256(answer.content).hexdigest() == entry["Sha256"]
        assert answer.headers["Content-Type"] == entry["MediaType"] == "image/jpeg"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_a_key_that_no_path_can_hold_has_its_page_its_photo_and_its_manifest(site: Running) -> None:
    page = site.get(f"/feeds/{site.feed}?q=a/1")
    (link,) = re.findall(rf'href="(/feeds/{site.feed}/[^"]+)"', page.text)
    assert "A/1 &lt;i&gt;&amp;%2F" in site.get(link).text
    (path,) = photo_paths(site, HOSTILE_KEY)
    assert site.get(path).headers["Content-Type"] == "image/jpeg"
    api = f"/api/feeds/{site.feed}/listings/{quote(HOSTILE_KEY, safe='')}"
    assert site.get(api).json()["listing"] == HOSTILE_KEY


def test_only_what_the_listings_own_manifest_names_is_served(site: Running) -> None:
    own, other = photo_paths(site, "1001")[0], photo_paths(site, HOSTILE_KEY)[0]
    name, foreign = own.rpartition("/")[2], other.rpartition("/")[2]
    folder = own.rpartition("/")[0]
    for path in (
        f"{folder}/manifest.json",
        f"{folder}/{foreign}",
        f"{folder}/{name.replace('.jpg', '.png')}",
        f"{folder}/%2e%2e%2f{FOLDER}%2f{foreign}",
        f"/photo/{site.feed}/%2e%2e/{name}",
        f"/photo/{site.feed}-shut/1001/{name}",
        f"/photo/none/1001/{name}",
        f"/photo/{site.feed}/1001%00/{name}",
        f"/photo/{site.feed}/1001%2f/{name}",
        f"/photo/{site.feed}/{'x' * 300}/{name}",
        f"/feeds/{site.feed}/..%2f..",
        f"/api/feeds/{site.feed}/listings/..%2f1001",
    ):
        # As it stands: the client would tidy the path up.
        request = requests.Request("GET", site.url + own).prepare()
        request.url = site.url + path
        assert requests.Session().send(request, timeout=30).status_code == 404, path


def test_every_listing_is_on_exactly_one_page(site: Running) -> None:
    path, keys = f"/feeds/{site.feed}?q=", list[str]()
    while path:
        page = site.get(path).text
        keys += re.findall(rf'<th scope="row"><a href="/feeds/{site.feed}/[^"]*">([^<]*)</a>', page)
        more = re.search(r'href="([^"]*)" rel="next"', page)
        path = more[1].replace("&amp;", "&") if more else ""
    assert len(keys) == len(set(keys))
    assert {"1001", *(f"L{number:03}" for number in range(60))} <= set(keys)


def test_a_search_finds_keys_by_any_part_whatever_its_case(site: Running) -> None:
    assert "L042" in site.get(f"/feeds/{site.feed}?q=l042").text
    assert "L042" not in site.get(f"/feeds/{site.feed}?q=l041").text
    for nothing in ("%25", "_", "x'--", "%00", "%ff"):
        assert "No listing" in site.get(f"/feeds/{site.feed}?q=zz{nothing}").text


def test_the_api_says_what_the_page_says(site: Running) -> None:
    feeds = site.get("/api/feeds").json()
    assert [feed["status"]["feed"] for feed in feeds] == [site.feed, f"{site.feed}-shut"]
    one = site.get(f"/api/feeds/{site.feed}").json()
    assert one["status"]["listings"] >= 62
    assert one["interval"] == 2.0
    assert one["runs"][0]["started"].endswith("Z")
    assert site.get("/api/feeds/none").json() == {"error": "The configuration has no such feed."}


# Changing something.


def test_a_retry_needs_the_token_and_works_with_it(site: Running) -> None:
    form = {"feed": site.feed, "listing": "P-2"}
    found = f"/api/feeds/{site.feed}/listings/P-2"
    site.answers.denied.discard("P-2")
    assert requests.post(f"{site.url}/retry", data=form, timeout=30).status_code == 403
    wrong = requests.post(f"{site.url}/login", data={"token": TOKEN[:-1]}, timeout=30)
    assert (wrong.status_code, wrong.cookies.get_dict()) == (403, {})
    assert site.get(found).status_code == 404
    answer = signed_in(site).post(f"{site.url}/retry", data=form, timeout=30)
    assert "1 listing is due now." in answer.text
    wait_until(lambda: site.get(found).status_code == 200, "the retried listing's manifest", 60)


def test_a_form_of_another_site_is_refused_even_with_the_cookie(site: Running) -> None:
    browser = signed_in(site)
    port = int(site.url.rpartition(":")[2])
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{port - 1}"):
        answer = browser.post(
            f"{site.url}/retry", data={"feed": site.feed}, headers={"Origin": origin}, timeout=30
        )
        assert answer.status_code == 403
        assert "another site" in answer.text
    own = browser.post(f"{site.url}/retry", data={"feed": f"{site.feed}-shut"}, timeout=30)
    assert own.status_code == 200


def test_a_ticket_is_good_for_its_time_only_and_cannot_be_made_without_the_token(site: Running) -> None:
    answer = requests.post(f"{site.url}/login", data={"token": TOKEN}, timeout=30, allow_redirects=False)
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    until, _, mark = answer.cookies["listing-photos"].partition(".")
    assert 0 < int(until) - time.time() <= 8 * 3600
    old = str(int(time.time()) - 1)
    signed_old = hmac.new(TOKEN.encode(), f"ticket until {old}".encode(), sha256).hexdigest()
    for forged in (
        f"{int(until) + 1}.{mark}",
        f"{until}.{mark[:-1]}",
        f"{old}.{signed_old}",
        f"{until}.",
        "9" * 5000 + "." + mark,
        "\u0663.x",
        "",
    ):
        answer = requests.post(
            f"{site.url}/retry",
            data={"feed": site.feed},
            headers={"Cookie": f"listing-photos={forged}".encode()},
            timeout=30,
        )
        assert answer.status_code == 403, forged


def test_a_form_that_is_no_form_of_ours_changes_nothing(site: Running) -> None:
    browser = signed_in(site)
    many = {f"field{number}": "x" for number in range(20)}
    assert browser.post(f"{site.url}/retry", data=many, timeout=30).status_code == 400
    assert browser.post(f"{site.url}/retry", data={"feed": "x" * 9000}, timeout=30).status_code == 413
    assert browser.post(f"{site.url}/retry", data={"feed": "none"}, timeout=30).status_code == 404
    assert browser.get(f"{site.url}/retry", timeout=30).status_code == 405
    binary = browser.post(f"{site.url}/retry", data=b"\xff\x00=%ff", timeout=30)
    assert binary.status_code == 404


def test_no_secret_stands_in_anything_that_is_served(site: Running, s3: EmbeddedStore) -> None:
    browser = signed_in(site)
    paths = ["/", "/login", "/metrics", "/readyz", "/api/feeds"]
    paths += [f"/feeds/{site.feed}", f"/feeds/{site.feed}/1001"]
    served = "".join(browser.get(site.url + path, timeout=30).text for path in paths)
    assert "refused the account" in served
    for secret in (TOKEN, PASSWORD, s3.access_key, s3.secret_key):
        assert secret not in served
        assert secret not in site.log.read_text()


# Health and metrics.


def test_a_healthy_daemon_says_so_also_when_a_feed_must_be_mended(site: Running) -> None:
    assert (site.get("/healthz").status_code, site.get("/healthz").json()["ok"]) == (200, True)
    assert site.get("/readyz").json() == {"ok": True, "problems": {}}


def test_metrics_are_read_by_prometheus_and_name_feeds_and_ends_only(site: Running) -> None:
    answer = site.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = [
        sample
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name.startswith("listing_photos_")
    ]
    labels = {name for sample in samples for name in sample.labels}
    assert labels == {"feed", "outcome", "end", "le"}
    values = {(name, value) for sample in samples for name, value in sample.labels.items() if name != "le"}
    assert {value for name, value in values if name == "feed"} == {site.feed, f"{site.feed}-shut"}
    assert {value for name, value in values if name == "end"} <= {
        *("ok", "incomplete", "held", "failed", "stopped", "crashed")
    }


def test_metrics_tell_what_a_first_load_did(site: Running) -> None:
    feed = site.feed
    uploaded = site.metric("photos_total", feed=feed, outcome="uploaded")
    puts = site.metric("put_seconds_count", end="ok")
    fetches = site.metric("fetch_seconds_count", end="ok", feed=feed)
    assert uploaded is not None
    assert puts is not None
    assert fetches is not None
    assert uploaded >= 66
    assert puts >= uploaded + 62  # and their manifests
    assert fetches >= 62
    assert (site.metric("received_bytes_total", feed=feed) or 0) > 10_000
    assert (site.metric("photos_total", feed=feed, outcome="failed") or 0) >= 3
    assert site.metric("parked_listings", feed=feed) in {1, 2, 3}
    assert (site.metric("lag_seconds", feed=feed) or 999) < 100
    assert site.metric("runs_total", end="stopped", feed=f"{feed}-shut") is not None
    assert site.metric("upload_queue") is not None
    assert site.metric("catalog_up") == 1


def test_downloads_that_were_not_needed_are_counted(site: Running) -> None:
    def avoided() -> float:
        return site.metric("downloads_avoided_total", feed=site.feed) or 0

    wait_until(lambda: avoided() >= 66, "a cycle that found everything current")
    before = avoided()
    wait_until(lambda: avoided() > before, "one more such cycle")


# Starting and stopping.


def test_a_daemon_stops_at_once_though_browsers_hold_connections(s3: EmbeddedStore, tmp_path: Path) -> None:
    with running(s3, tmp_path, fresh_name("stop")) as daemon, requests.Session() as browser:
        assert browser.get(f"{daemon.url}/", timeout=30).ok
        taken = daemon.config.read_text().replace("127.0.0.1:0", daemon.url.removeprefix("http://"))
        second = tmp_path / "second.toml"
        second.write_text(taken, encoding="utf-8")
        refused = service("run", "-c", str(second), s3=s3)
        assert refused.returncode == 2
        assert "web.listen: 127.0.0.1" in refused.stderr
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(20) == 0
        assert '"abandoned": []' in daemon.log.read_text()
        with pytest.raises(requests.ConnectionError):
            daemon.get("/")
