import shutil
from pathlib import Path

import pytest
from pydantic import SecretStr

from service.config import Config, check_config
from service.errors import ConfigError
from service.recording.files import feed_table
from service.recording.take import Take, plan_take
from service.rets_config import RetsFeed

FIXTURE = Path("fixtures/compact-whole-set")

ACCOUNT = {
    "kind": "rets",
    "login_url": "https://rets.board.example/login",
    "hosts": ["images.board.example"],
    "username": "jdoe77",
    "password": SecretStr("planted"),
    "user_agent": "Acme/1",
    "user_agent_password": SecretStr("planted"),
    "session_cookie": "Acme-Session",
    "sessions": 2,
}
FEED = {
    "search_format": "COMPACT",
    "class": "RES",
    "query": "(ModificationTimestamp={since}+)",
    "keys_interval": "1h",
    "timeout": "2m",
    "purge_share": 0.5,
    "fields": {"listing": "LIST_1"},
}


def config(**more: object) -> Config:
    return check_config({"feeds": {"live": {**ACCOUNT, **FEED, **more}}}, "test")


def planned(out: Path, given: Config | None = None, feed: str = "live", step: str | None = None) -> Take:
    return plan_take(given or config(), feed, out, step=step, listings=None, people=False)


def test_the_table_holds_what_the_file_says_and_nothing_of_the_account() -> None:
    settings = config().feeds["live"]
    assert isinstance(settings, RetsFeed)
    assert feed_table(settings) == {
        **FEED,
        "kind": "rets",
        "keys_interval": "0s",
        "timeout": "120s",
    }


def test_the_first_step_takes_the_settings_of_the_configuration(tmp_path: Path) -> None:
    take = planned(tmp_path / "new")
    assert (take.step, take.earlier) == ("01-first-load", None)
    assert take.settings.fields.listing == "LIST_1"
    assert take.settings.login_url == ACCOUNT["login_url"]
    assert take.settings.keys_interval.total_seconds() == 0


def test_a_later_step_takes_the_settings_of_the_fixture_and_the_account_of_the_configuration(
    tmp_path: Path,
) -> None:
    out = Path(shutil.copytree(FIXTURE, tmp_path / "copy"))
    take = planned(out)
    assert take.earlier
    assert take.step == f"{len(take.earlier.steps) + 1}-next-cycle"
    assert take.settings.class_ == take.earlier.settings["class"]
    assert (take.settings.username, take.settings.user_agent) == ("jdoe77", "Acme/1")


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"query": "(Agent=jdoe77),(ModificationTimestamp={since}+)"}, "query"),
        ({"keys_query": "(Url=rets.board.example/*)"}, "keys_query"),
        ({"class": "planted"}, "class"),
    ],
)
def test_settings_that_name_the_account_are_refused(more: dict[str, str], key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"feeds.live.{key} names the account") as raised:
        planned(tmp_path / "new", config(**more))
    assert more[key] not in str(raised.value)


@pytest.mark.parametrize(
    ("out", "feed", "step", "says"),
    [
        ("new", "other", None, r"no feed 'other' in the configuration \(allowed: live\)"),
        ("new", "live", "../x", "allowed: small letters"),
        ("", "live", None, "feed.toml"),
        ("file", "live", None, "feed.toml"),
        ("a.b", "live", None, "feed name 'a.b'"),
    ],
)
def test_what_cannot_be_recorded_is_told(
    out: str, feed: str, step: str | None, says: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=says):
        planned(tmp_path / out, feed=feed, step=step)


def test_a_step_that_would_be_played_too_early_is_refused(tmp_path: Path) -> None:
    out = Path(shutil.copytree(FIXTURE, tmp_path / "copy"))
    last = max(path for path in out.iterdir() if path.is_dir())
    last.rename(out / "99-last")
    with pytest.raises(ConfigError, match="would be played before 99-last"):
        planned(out)


def test_listings_need_a_query_for_keys_in_which_they_can_stand(tmp_path: Path) -> None:
    given = config(keys_query="(LIST_1=0+)")
    with pytest.raises(ConfigError, match="=\\*"):
        plan_take(given, "live", tmp_path / "new", step=None, listings=2, people=False)
