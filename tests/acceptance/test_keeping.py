"""audit, sweep and rebuild as a user runs them, beside a daemon too."""

import io
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from service.core.photos import IMMUTABLE
from service.simulator.front_desk import Account, Site
from service.simulator.mls import Mls
from service.simulator.server import LoopbackServer
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.acceptance.support import PASSWORD, service, start, wait_until, write_config
from tests.ingest.support import listing, photo


@dataclass
class Office:
    """A configuration, the MLS behind it, and the bucket."""

    mls: Mls
    config: Path
    s3: EmbeddedStore
    store: MinioStore
    feed: str

    def run(self, *words: str) -> tuple[int, str]:
        done = service(*words, "-c", str(self.config), s3=self.s3)
        assert "Traceback" not in done.stderr
        assert self.s3.secret_key not in done.stdout + done.stderr
        return done.returncode, done.stdout if "--json" in words else done.stdout + done.stderr

    def json(self, *words: str) -> tuple[int, dict[str, Any]]:
        code, text = self.run(*words, "--json")
        (document,) = json.loads(text)
        return code, document

    def objects(self) -> list[str]:
        return [info.key for info in self.store.list(f"{self.feed}/")]

    def put(self, key: str, content: bytes) -> None:
        digest = sha256(content).hexdigest()
        body = io.BytesIO(content)
        self.store.put(key, body, len(content), digest, media_type="image/jpeg", cache_control=IMMUTABLE)


@pytest.fixture
def office(s3: EmbeddedStore, tmp_path: Path) -> Iterator[Office]:
    mls = Mls([listing("1001", photo(1), photo(2)), listing("1002", photo(1, 11))])
    feed = f"keep-{abs(hash(tmp_path)) % 10**9}"
    with LoopbackServer({feed: Site(Account("reader", PASSWORD), mls)}) as server:
        options = 'delete_after = "0s"\ninterval = "1s"'
        config = write_config(tmp_path, {feed: server.login_url(feed)}, s3.url, feed=options)
        store = MinioStore.from_url(s3.url, s3.access_key, s3.secret_key, uploaders=2)
        made = Office(mls, config, s3, store, feed)
        assert made.run("once")[0] == 0
        yield made
        store.close()


def test_an_audit_finds_damage_a_repair_mends_it_and_a_sweep_deletes_what_is_left(office: Office) -> None:
    victim = next(key for key in office.objects() if key.endswith(".jpg") and "/1001/" in key)
    orphan = f"{office.feed}/1001/{'ab' * 32}.jpg"
    stranger = f"{office.feed}/1001/\x1b[2Jstrange [bold]x[/bold].jpg"
    office.put(victim, office.store.get(victim)[::-1])
    for key in (orphan, stranger):
        office.put(key, b"left behind")
    code, told = office.run("audit", "--deep")
    assert code == 1
    assert f"differing: {victim}: other bytes" in told
    assert f"orphaned: {orphan}: no set needs it (queue)" in told
    assert "strange [bold]x[/bold].jpg: no photo's or manifest's name (leave)" in told
    assert "\x1b" not in told
    code, report = office.json("audit", "--deep", "--repair")
    assert (code, report["counts"]["mended"]) == (1, 2)
    found = {one["kind"]: one for one in report["differences"]}
    assert (found["differing"]["listing"], found["differing"]["key"]) == ("1001", victim)
    assert office.run("sweep") == (0, f"{office.feed}: 2 objects deleted\n")
    assert orphan not in office.objects()
    assert office.run("once")[0] == 0
    code, report = office.json("audit", "--deep")
    assert [one["key"] for one in report["differences"]] == [stranger]
    assert (report["counts"]["listings"], report["counts"]["objects"]) == (2, 6)


def test_a_lost_catalog_is_rebuilt_and_nothing_is_downloaded_again(office: Office) -> None:
    for file in office.config.parent.glob("catalog.db*"):
        file.unlink()
    office.put(f"{office.feed}/1003/manifest.json", b"{}")
    code, told = office.run("rebuild")
    assert code == 1
    assert f"{office.feed}/1003/manifest.json: not a manifest" in told
    office.store.delete([f"{office.feed}/1003/manifest.json"])
    code, report = office.json("rebuild")
    assert (code, report["counts"]["restored"], report["counts"]["kept"]) == (0, 0, 2)
    code, cycle = office.json("once")
    assert (code, cycle["counts"]["listings"], cycle["counts"]["downloaded"]) == (0, 2, 0)
    assert office.run("audit", "--deep")[0] == 0


def test_beside_a_daemon_an_audit_tells_no_damage_and_a_repair_takes_its_turn(
    office: Office, tmp_path: Path
) -> None:
    daemon = start("run", "-c", str(office.config), s3=office.s3, log=tmp_path / "log")
    try:
        for day in (1, 2):
            office.mls.put(listing("1001", photo(1, 100 * day, day=day), photo(2, day=day), day=day))
            code, report = office.json("audit", "--deep")
            assert (code, report["differences"]) == (0, [])
        office.put(f"{office.feed}/1002/{'cd' * 32}.png", b"left behind")
        code, report = office.json("audit", "--repair")
        assert (code, report["counts"]["orphaned"]) == (0, 1)
        orphan = f"{office.feed}/1002/{'cd' * 32}.png"
        wait_until(lambda: orphan not in office.objects(), "the daemon sweeps it")
        assert daemon.poll() is None
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)
