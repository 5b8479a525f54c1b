"""A catalog that is locked, full or down: the daemon waits, drops nothing, recovers by itself."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.stores.catalog import migrate
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.reliability.stage import in_first_load
from tests.reliability.undisturbed import Undisturbed
from tests.stores.support import postgres_server

SMALL = "8m"
"""A file system that holds the catalog's tables, its log, and not much more."""


@pytest.mark.parametrize("catalog_url", ["sqlite"], indirect=True)
def test_a_catalog_that_another_process_locks_for_a_while(
    s3: EmbeddedStore, store: MinioStore, tmp_path: Path, catalog_url: str, undisturbed: Undisturbed
) -> None:
    with in_first_load(s3, store, tmp_path, catalog_url) as stage:
        other = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        stage.gate.open.set()
        stage.has_said("database is locked", 2)
        assert not any("manifest" in key for key in stage.stored())
        other.execute("ROLLBACK")
        other.close()
        stage.recovers(undisturbed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root, where it may mount, can make a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)  # noqa: S607 - as found above


def test_a_disk_that_is_full_for_a_while(
    s3: EmbeddedStore, store: MinioStore, tmp_path: Path, small_disk: Path, undisturbed: Undisturbed
) -> None:
    url = f"sqlite:///{small_disk / 'catalog.db'}"
    migrate(url)
    with in_first_load(s3, store, tmp_path, url) as stage:
        ballast = small_disk / "ballast"
        fill(ballast)
        stage.gate.open.set()
        stage.has_said("database or disk is full", 2)
        assert not any("manifest" in key for key in stage.stored())
        ballast.unlink()
        stage.recovers(undisturbed)


def fill(path: Path) -> None:
    """Until nothing more fits."""
    with path.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(512))
        except OSError:
            return


def test_a_postgresql_that_is_restarted_in_the_middle(
    s3: EmbeddedStore, store: MinioStore, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    with postgres_server() as server:  # of its own: nobody else shall suffer
        url = server.fresh_database()
        migrate(url)
        with in_first_load(s3, store, tmp_path, url) as stage:
            server.go_down()
            stage.gate.open.set()
            stage.has_said("cycle.failed")
            assert not any("manifest" in key for key in stage.stored())
            server.come_up()
            stage.recovers(undisturbed)
