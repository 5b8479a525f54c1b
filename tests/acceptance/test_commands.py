"""once, plan, status, migrate: as a user runs them, exit codes and texts included."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.simulator.answers import RawAnswer, text_answer
from service.simulator.documents import reply
from service.simulator.front_desk import Account, Site
from service.simulator.mls import Mls
from service.simulator.server import LoopbackServer
from service.stores.embedded import EmbeddedStore
from tests.acceptance.support import PASSWORD, service, write_config
from tests.ingest.support import listing, photo


class Strict:
    """An MLS that may deny its photos."""

    def __init__(self, mls: Mls) -> None:
        self.mls = mls
        self.denied = False

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        if self.denied and transaction == "GetObject":
            return text_answer(reply(20407, "Unauthorized Retrieval."))
        return self.mls.answer(transaction, params)


@dataclass
class Desk:
    """A configuration file and the MLS behind it."""

    answers: Strict
    server: LoopbackServer
    config: Path
    s3: EmbeddedStore
    feed: str


@pytest.fixture
def desk(s3: EmbeddedStore, tmp_path: Path) -> Iterator[Desk]:
    answers = Strict(Mls([listing("1001", photo(1), photo(2))]))
    feed = f"acc-{abs(hash(tmp_path)) % 10**9}"
    with LoopbackServer({feed: Site(Account("reader", PASSWORD), answers)}) as server:
        config = write_config(tmp_path, {feed: server.login_url(feed)}, s3.url)
        yield Desk(answers, server, config, s3, feed)


def test_once_syncs_and_says_so(desk: Desk) -> None:
    first = service("once", "-c", str(desk.config), "--json", s3=desk.s3)
    assert first.returncode == 0, first.stderr
    (report,) = json.loads(first.stdout)
    assert (report["counts"]["downloaded"], report["counts"]["uploaded"], report["ok"]) == (2, 2, True)
    second = service("once", "-c", str(desk.config), s3=desk.s3)
    assert second.returncode == 0
    assert desk.feed in second.stdout
    assert desk.server.open_sessions(desk.feed) == 0


def test_plan_shows_what_a_cycle_would_do_and_changes_nothing(desk: Desk) -> None:
    for _ in range(2):
        shown = service("plan", "-c", str(desk.config), "--json", s3=desk.s3)
        assert shown.returncode == 0, shown.stderr
        (entry,) = json.loads(shown.stdout)
        assert (entry["listing"], entry["ask"], entry["reason"]) == ("1001", "the whole set", "new")
    assert not [seen for seen in desk.server.requests if seen.transaction == "GetObject"]
    service("once", "-c", str(desk.config), s3=desk.s3)
    assert json.loads(service("plan", "-c", str(desk.config), "--json", s3=desk.s3).stdout) == []


def test_status_shows_feeds_backlog_and_success(desk: Desk) -> None:
    fresh = json.loads(service("status", "-c", str(desk.config), "--json", s3=desk.s3).stdout)
    assert fresh["feeds"][0]["last_success"] is None
    service("once", "-c", str(desk.config), s3=desk.s3)
    shown = json.loads(service("status", "-c", str(desk.config), "--json", "--check", s3=desk.s3).stdout)
    (feed,) = shown["feeds"]
    assert (feed["listings"], feed["photos"], feed["owed"], feed["parked"]) == (1, 2, 0, 0)
    assert feed["last_success"]
    assert desk.feed in service("status", "-c", str(desk.config), s3=desk.s3).stdout


def test_status_shows_a_parked_listing_with_its_reason(desk: Desk) -> None:
    desk.answers.denied = True
    failed = service("once", "-c", str(desk.config), s3=desk.s3)
    assert failed.returncode == 1
    assert "20407" in failed.stdout
    shown = json.loads(service("status", "-c", str(desk.config), "--json", s3=desk.s3).stdout)
    (parked,) = shown["parked"][desk.feed]
    assert (parked["listing"], parked["attempts"]) == ("1001", 1)
    assert "20407" in parked["why"]
    table = service("status", "-c", str(desk.config), s3=desk.s3).stdout
    assert "parked" in table
    assert "20407" in table


def test_migrate_can_be_run_again_and_again(desk: Desk) -> None:
    for _ in range(2):
        done = service("migrate", "-c", str(desk.config), s3=desk.s3)
        assert (done.returncode, done.stdout.strip()) == (0, "the catalog is up to date")


def test_a_wrong_password_names_the_feed_and_what_to_check(desk: Desk, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("planted-wrong-password", encoding="utf-8")
    text = desk.config.read_text(encoding="utf-8")
    desk.config.write_text(text.replace('password_env = "MLS_PASSWORD"', f'password_file = "{wrong}"'))
    failed = service("once", "-c", str(desk.config), s3=desk.s3)
    assert failed.returncode == 1
    assert desk.feed in failed.stdout
    assert "password" in failed.stdout
    assert "planted" not in failed.stdout + failed.stderr
    assert "Traceback" not in failed.stderr
    assert service("status", "-c", str(desk.config), "--check", s3=desk.s3).returncode == 1


def test_an_unreachable_host_is_told_and_does_not_stop_the_other_feed(desk: Desk, tmp_path: Path) -> None:
    urls = {desk.feed: desk.server.login_url(desk.feed), "nowhere": "http://127.0.0.1:9/login"}
    config = write_config(tmp_path, urls, desk.s3.url)
    failed = service("once", "-c", str(config), "--json", s3=desk.s3)
    reports = {report["feed"]: report for report in json.loads(failed.stdout)}
    assert failed.returncode == 1
    assert reports[desk.feed]["ok"]
    assert "nowhere" in reports["nowhere"]["error"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("once", "-c", "{config}", "nofeed"), "no feed 'nofeed'"),
        (("once", "-c", "/nowhere/x.toml"), "/nowhere/x.toml: No such file"),
        (("nonsense",), "nonsense"),
    ],
)
def test_a_users_mistake_ends_with_2_and_no_traceback(desk: Desk, words: tuple[str, ...], told: str) -> None:
    failed = service(*(word.format(config=desk.config) for word in words), s3=desk.s3)
    assert failed.returncode == 2
    assert told in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_typo_in_the_configuration_is_named(desk: Desk) -> None:
    desk.config.write_text(desk.config.read_text(encoding="utf-8").replace("keys_interval", "key_interval"))
    failed = service("status", "-c", str(desk.config), s3=desk.s3)
    assert failed.returncode == 2
    assert "did you mean keys_interval?" in failed.stderr


def test_help_teaches_every_command() -> None:
    shown = service("--help")
    for word in ("run", "once", "plan", "status", "migrate", "Exit codes"):
        assert word in shown.stdout


def test_an_embedded_store_needs_no_other_service(desk: Desk, tmp_path: Path) -> None:
    config = write_config(
        tmp_path, {desk.feed: desk.server.login_url(desk.feed)}, f"embedded:{tmp_path / 'objects'}"
    )
    for downloaded in (2, 0):
        done = service("once", "-c", str(config), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[0]["counts"]["downloaded"] == downloaded
