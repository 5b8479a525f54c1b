"""`python -m service.replay` as a user runs it."""

import json
import re
import shutil
import signal
from pathlib import Path

import requests
from requests.auth import HTTPDigestAuth

from service.stores.embedded import EmbeddedStore
from tests.acceptance.support import service, start, wait_until

REPLAY = "service.replay"
ALL = sorted(path.parent.name for path in Path("fixtures").glob("*/feed.toml"))


def steps_of(fixture: str) -> list[str]:
    return sorted(path.parent.name for path in Path("fixtures", fixture).glob("*/exchanges.toml"))


def test_every_fixture_replays_as_expected_and_a_second_time_moves_nothing(tmp_path: Path) -> None:
    first = service("--json", "--keep", str(tmp_path), module=REPLAY)
    document = json.loads(first.stdout)
    assert first.returncode == 0, [step["differences"] for step in document["steps"]]
    assert [(s["feed"], s["step"]) for s in document["steps"]] == [(f, s) for f in ALL for s in steps_of(f)]
    manifest = tmp_path / "bucket" / document["manifests"][0]
    for entry in json.loads(manifest.read_text(encoding="utf-8"))["media"]:
        assert (tmp_path / "bucket" / entry["Key"]).stat().st_size == entry["Bytes"]

    second = service("--json", "--keep", str(tmp_path), module=REPLAY)
    again = json.loads(second.stdout)
    assert second.returncode == 0, again
    assert [step["step"] for step in again["steps"]] == [f"{steps_of(f)[-1]} again" for f in ALL]
    for step in again["steps"]:
        assert (step["counts"]["downloaded"], step["counts"]["uploaded"]) == (0, 0)


def test_a_fixture_can_be_aimed_at_another_store_and_catalog(s3: EmbeddedStore, tmp_path: Path) -> None:
    # The bucket is shared with other tests, so the fixture gets a name of its own.
    copy = tmp_path / "aimed-elsewhere"
    shutil.copytree(Path("fixtures") / ALL[0], copy)
    catalog = f"sqlite:///{tmp_path / 'catalog.db'}"
    done = service(str(copy), "--store", s3.url, "--catalog", catalog, s3=s3, module=REPLAY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "aimed-elsewhere" in done.stdout
    assert s3.url in done.stdout


def test_a_result_that_differs_ends_with_1_and_says_what(tmp_path: Path) -> None:
    copy = tmp_path / "tampered"
    shutil.copytree(Path("fixtures") / ALL[0], copy)
    file = copy / steps_of(ALL[0])[0] / "expected.json"
    expected = json.loads(file.read_text(encoding="utf-8"))
    expected["cycle"]["downloaded"] += 1
    key = next(iter(expected["listings"]))
    expected["listings"][key]["default"] = "99"
    file.write_text(json.dumps(expected), encoding="utf-8")
    done = service(str(copy), module=REPLAY)
    assert done.returncode == 1
    assert re.search(r"downloaded: expected \d+, got \d+", done.stdout)
    assert f"listing {key}: default: expected 99" in done.stdout


def test_a_fixture_that_is_not_there_is_a_users_mistake() -> None:
    done = service("no-such-fixture", module=REPLAY)
    assert done.returncode == 2
    assert "no-such-fixture" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_lets_any_client_log_in(tmp_path: Path) -> None:
    log = tmp_path / "log"
    server = start(ALL[0], "--serve", log=log, module=REPLAY)
    try:
        wait_until(lambda: "Ctrl-C" in log.read_text(), "the server's words")
        text = log.read_text()
        said = dict(re.findall(r"(login URL|user name|password)\s+(\S+)", text))
        auth = HTTPDigestAuth(said["user name"], said["password"])
        answer = requests.get(
            said["login URL"], auth=auth, headers={"RETS-Version": "RETS/1.7.2"}, timeout=10
        )
        assert answer.status_code == 200
        assert 'ReplyCode="0"' in answer.text
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
