"""Health when something is wrong: what is down is named, and the answer comes in time."""

import socket
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from service.errors import ConfigError
from service.stores import migrations
from service.stores.embedded import EmbeddedStore
from service.web import health
from service.web.server import WebServer
from tests.web.inside import FEED, inside


def test_a_dead_thread_makes_the_process_unhealthy(s3: EmbeddedStore, tmp_path: Path) -> None:
    with inside(s3, tmp_path, dead=[FEED]) as site:
        answer = site.get("/healthz")
        assert (answer.status_code, answer.json()) == (503, {"ok": False, "dead": [FEED]})
        assert '<span class="badge bad">dead</span>' in site.get("/").text


def test_a_pending_migration_is_not_ready(s3: EmbeddedStore, tmp_path: Path) -> None:
    with inside(s3, tmp_path) as site:
        assert site.get("/readyz").status_code == 200
        engine = create_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
        migrations.downgrade(engine, "base")
        engine.dispose()
        answer = site.get("/readyz")
        assert answer.status_code == 503
        assert list(answer.json()["problems"]) == ["catalog"]
        assert "a migration is pending" in answer.json()["problems"]["catalog"]
        page = site.get("/")
        assert (page.status_code, site.get("/healthz").status_code) == (503, 200)
        assert "listing_photos_catalog_up 0.0" in site.get("/metrics").text


def test_a_store_that_is_down_is_not_ready_and_named(s3: EmbeddedStore, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with inside(s3, tmp_path, store_url=f"s3://127.0.0.1:{port}/photos?secure=false") as site:
        answer = site.get("/readyz")
        assert answer.status_code == 503
        assert list(answer.json()["problems"]) == ["store"]
        assert site.get(f"/feeds/{FEED}/1001").status_code == 503


def test_a_store_that_hangs_is_told_in_time_and_asked_once(
    s3: EmbeddedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "READY_SECONDS", 0.3)
    silent = socket.create_server(("127.0.0.1", 0))
    url = f"s3://127.0.0.1:{silent.getsockname()[1]}/photos?secure=false"
    with silent, inside(s3, tmp_path, store_url=url) as site:
        began = time.monotonic()
        answers = [site.get("/readyz") for _ in range(3)]
        assert time.monotonic() - began < 20
        assert {answer.status_code for answer in answers} == {503}
        assert answers[0].json()["problems"] == {"store": "no answer within 0.3 s"}
        silent.settimeout(20)
        asked, _ = silent.accept()
        silent.settimeout(0)
        with pytest.raises(BlockingIOError):
            silent.accept()
        silent.close()
        asked.close()


def test_a_port_that_is_taken_is_told_before_anything_starts() -> None:
    async def nothing(*_: object) -> None: ...

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match=r"web\.listen"):
        WebServer(nothing, taken.getsockname())
