"""Metrics count cycles while they run, time what is slow, and go on when the catalog is down."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.errors import RetryLater, StopFeed
from service.ingest.cycle import run_cycle
from service.ingest.report import Report
from service.metrics import FeedGauges, Metrics
from service.stores.embedded import EmbeddedStore
from tests.ingest.support import listing, photo, world


@dataclass
class Counted:
    """A cycle whose counts the test moves."""

    counts: dict[str, int] = field(default_factory=dict)
    end: str = "ok"

    def snapshot(self) -> Mapping[str, int]:
        return dict(self.counts)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"listing_photos_{name}", labels)


def test_a_cycle_is_counted_while_it_runs_and_not_twice_when_it_ends() -> None:
    metrics, cycle = Metrics(), Counted({"uploaded": 3, "bytes": 100})

    def uploaded() -> float | None:
        return value(metrics, "photos_total", feed="crea", outcome="uploaded")

    with metrics.cycle("crea", cycle):
        assert uploaded() == 3
        cycle.counts["uploaded"] = 5
        assert uploaded() == 5
        assert value(metrics, "runs_total", feed="crea", end="ok") is None
    assert uploaded() == 5
    with metrics.cycle("crea", Counted({"uploaded": 2})):
        assert uploaded() == 7
    assert value(metrics, "received_bytes_total", feed="crea") == 100
    assert value(metrics, "runs_total", feed="crea", end="ok") == 2


def test_counters_never_fall_while_cycles_begin_and_end() -> None:
    metrics, seen, ended = Metrics(), list[float](), threading.Event()

    def scrape() -> None:
        while not ended.is_set():
            seen.append(value(metrics, "photos_total", feed="crea", outcome="uploaded") or 0)

    scraper = threading.Thread(target=scrape)
    scraper.start()
    for _ in range(200):
        with metrics.cycle("crea", cycle := Counted()):
            cycle.counts["uploaded"] = 1
    ended.set()
    scraper.join()
    assert seen == sorted(seen)
    assert value(metrics, "photos_total", feed="crea", outcome="uploaded") == 200


@pytest.mark.parametrize(
    ("error", "end"), [(RetryLater("x"), "failed"), (StopFeed("x"), "failed"), (OSError("x"), "crashed")]
)
def test_a_cycle_that_raises_is_counted_by_what_it_raised(error: Exception, end: str) -> None:
    metrics = Metrics()
    with pytest.raises(type(error)), metrics.cycle("crea", Counted()):
        raise error
    assert value(metrics, "runs_total", feed="crea", end=end) == 1
    assert value(metrics, "runs_total", feed="crea", end="ok") is None


@contextmanager
def failing(timer: Callable[[], Any]) -> Iterator[None]:
    with pytest.raises(RetryLater), timer():
        raise RetryLater("x")
    yield


def test_puts_and_fetches_are_timed_by_how_they_ended() -> None:
    metrics = Metrics()
    with metrics.put():
        pass
    with failing(metrics.put), failing(lambda: metrics.fetch("crea")):
        pass
    assert value(metrics, "put_seconds_count", end="ok") == 1
    assert value(metrics, "put_seconds_count", end="failed") == 1
    assert value(metrics, "fetch_seconds_count", feed="crea", end="failed") == 1


def test_a_catalog_that_is_down_costs_only_what_it_would_tell() -> None:
    metrics, down = Metrics(), [False]

    def feeds() -> Iterator[FeedGauges]:
        yield FeedGauges("crea", None, 900, 10, 200, 3, 1, 0, leased=True, stopped=False)
        if down[0]:
            raise RetryLater("the catalog is away")

    metrics.watch(feeds, lambda: 4)
    assert value(metrics, "stored_photos", feed="crea") == 200
    assert value(metrics, "catalog_up") == 1
    assert value(metrics, "lag_seconds", feed="crea") is None  # it never began
    down[0] = True
    assert value(metrics, "stored_photos", feed="crea") is None
    assert value(metrics, "catalog_up") == 0
    assert value(metrics, "upload_queue") == 4


def test_a_real_cycle_is_counted_down_to_what_it_did_not_have_to_do(
    s3: EmbeddedStore, tmp_path: Path
) -> None:
    with world(s3, tmp_path, "STANDARD-XML") as house:
        metrics = house.house.metrics
        house.mls.put(listing("SECRET-KEY", photo(1), photo(2), photo(3)))

        def cycle() -> None:
            house.now[0] = house.now[0].replace(year=house.now[0].year + 1)
            report = Report(house.feed)
            with metrics.cycle(house.feed, report):
                run_cycle(house.house.feed(house.feed), report, house.stop)

        cycle()
        assert value(metrics, "photos_total", feed=house.feed, outcome="downloaded") == 3
        assert value(metrics, "put_seconds_count", end="ok") == 4  # three photos, one manifest
        assert value(metrics, "fetch_seconds_count", feed=house.feed, end="ok") == 1
        assert value(metrics, "downloads_avoided_total", feed=house.feed) == 0
        house.mls.put(listing("SECRET-KEY", photo(1), photo(2), photo(3), photo(4, day=1), day=1))
        cycle()
        assert value(metrics, "photos_total", feed=house.feed, outcome="downloaded") == 4
        assert value(metrics, "downloads_avoided_total", feed=house.feed) == 3
        assert value(metrics, "runs_total", feed=house.feed, end="ok") == 2
        said = metrics.exposition().decode()
        assert "SECRET-KEY" not in said
        assert "http" not in said


# What is deployed names only metrics that there are.

ALERTS, DASHBOARD = Path("deploy/prometheus-alerts.yml"), Path("deploy/grafana-dashboard.json")


def exposed() -> set[str]:
    """Every name that a scrape can hold."""
    metrics = Metrics()
    metrics.watch(lambda: [FeedGauges("crea", 1, 1, 1, 1, 1, 1, 1, leased=True, stopped=True)], lambda: 0)
    with metrics.cycle("crea", Counted()), metrics.put(), metrics.fetch("crea"):
        pass
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {sample.name for family in families for sample in family.samples}


def expressions(node: Any) -> Iterator[str]:
    """Every PromQL text of a document."""
    if isinstance(node, dict):
        for name, held in node.items():
            if name in {"expr", "query", "definition"} and isinstance(held, str):
                yield held
            else:
                yield from expressions(held)
    elif isinstance(node, list):
        for held in node:
            yield from expressions(held)


@pytest.mark.parametrize("path", [ALERTS, DASHBOARD], ids=str)
def test_every_metric_that_a_deployed_file_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    queries = list(expressions(yaml.safe_load(text) if path is ALERTS else json.loads(text)))
    named = set(re.findall(r"\b(?:listing_photos|process)_\w+", " ".join(queries)))
    assert len(named) >= 8
    assert named <= exposed()
    assert set(re.findall(r"\blisting_photos_\w+", text)) <= exposed()


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    rules = [
        rule
        for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 8
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]


def test_no_panel_of_the_dashboard_lies_on_another() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
