from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from service.config import KINDS, FeedConfig, check_config, load_config
from service.errors import ConfigError
from service.reso_config import Constellation1Feed, RealtracsFeed, ResoFeed
from service.rets_config import RetsFeed

FEED: dict[str, Any] = {
    "kind": "rets",
    "login_url": "https://mls.example/Login",
    "username": "reader",
    "password_env": "MLS_PASSWORD",
    "class": "ResidentialProperty",
    "query": "(LastUpdated={since})",
}

EXAMPLE = """
[catalog]
url = "sqlite:///data/catalog.db"

[store]
url = "s3://host:9000/bucket?secure=true&region=us-east-1"
access_key_env = "S3_ACCESS_KEY"
secret_key_file = "{secret}"

[feeds.crea]
kind = "rets"
login_url = "https://mls.example/Login"
username = "reader"
password_env = "MLS_PASSWORD"
user_agent = "listing-photos/1.0"
user_agent_password_env = "CREA_UA_PASSWORD"
rets_version = "RETS/1.7.2"
search_format = "STANDARD-XML"
resource = "Property"
class = "ResidentialProperty"
query = "(LastUpdated={{since}})"
object_type = "Photo"
photos = "all"
interval = "15m"
[feeds.crea.fields]
listing = "ListingKey"
photos_changed = "PhotosChangeTimestamp"
photos_count = "PhotosCount"
"""


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLS_PASSWORD", "CREA_UA_PASSWORD", "S3_ACCESS_KEY"):
        monkeypatch.setenv(name, f"planted-{name}")


def checked(feed: dict[str, Any]) -> FeedConfig:
    return check_config({"feeds": {"crea": feed}}, "x.toml").feeds["crea"]


def mistake(given: dict[str, Any] = FEED, **changes: Any) -> str:
    """The error text for a feed with these keys changed; None removes one."""
    feed = {key: value for key, value in (given | changes).items() if value is not None}
    with pytest.raises(ConfigError) as caught:
        check_config({"feeds": {"crea": feed}}, "x.toml")
    return str(caught.value)


def test_a_complete_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("planted-in-a-file\n", encoding="utf-8")
    file = tmp_path / "listing-photos.toml"
    file.write_text(EXAMPLE.format(secret=tmp_path / "secret"), encoding="utf-8")
    config = load_config(file)
    feed = config.feeds["crea"]
    assert isinstance(feed, RetsFeed)
    assert feed.password.get_secret_value() == "planted-MLS_PASSWORD"
    assert config.store.secret_key is not None
    assert config.store.secret_key.get_secret_value() == "planted-in-a-file"
    assert feed.interval == timedelta(minutes=15)
    assert feed.class_ == "ResidentialProperty"


def test_one_object_type_may_be_given_in_short() -> None:
    feed = checked(FEED | {"object_type": "LargePhoto"})
    assert isinstance(feed, RetsFeed)
    assert feed.object_types == ("LargePhoto",)
    assert "both given" in mistake(object_type="Photo", object_types=["Photo"])


def test_what_is_not_given_has_a_default() -> None:
    feed = checked(FEED)
    assert isinstance(feed, RetsFeed)
    assert (feed.photos, feed.rets_version, feed.purge_share) == ("all", "RETS/1.7.2", 0.2)


def test_a_misspelt_key_is_named_with_the_one_that_was_meant() -> None:
    text = mistake(intervall="15m")
    assert text.startswith("x.toml: feeds.crea.intervall: unknown key; did you mean interval?")
    assert "password_env" in text


def test_a_value_that_is_not_allowed_is_named_with_those_that_are() -> None:
    text = mistake(search_format="STANDARD")
    assert "feeds.crea.search_format: 'STANDARD' is not allowed" in text
    assert "'COMPACT-DECODED'" in text


def test_a_missing_key_is_named() -> None:
    assert "feeds.crea.query: missing" in mistake(query=None)


def test_a_missing_secret_names_both_ways_to_give_it() -> None:
    assert "feeds.crea.password_env or feeds.crea.password_file: missing" in mistake(password_env=None)


def test_a_secret_in_the_text_is_refused_and_not_repeated() -> None:
    text = mistake(password="hunter2")
    assert "password must not stand in the file" in text
    assert "hunter2" not in text


def test_an_environment_variable_that_is_not_set_is_named() -> None:
    assert "the environment variable NOT_SET is not set" in mistake(password_env="NOT_SET")


def test_a_secret_file_that_cannot_be_read_is_named() -> None:
    text = mistake(password_env=None, password_file="/nowhere/secret")
    assert "password_file: /nowhere/secret cannot be read" in text


def test_a_secret_given_twice_is_refused() -> None:
    assert "both given" in mistake(password_file="/nowhere/secret")


@pytest.mark.parametrize("value", ["15", "15 minutes", 15, ""])
def test_a_duration_without_a_unit_is_refused(value: Any) -> None:
    assert "a number with s, m, h or d" in mistake(interval=value)


def test_a_url_with_a_password_in_it_is_refused_and_not_repeated() -> None:
    text = mistake(login_url="https://reader:hunter2@mls.example/Login")
    assert "login_url" in text
    assert "hunter2" not in text


def test_an_unknown_time_zone_is_refused() -> None:
    assert "an IANA zone" in mistake(timezone="Eastern")


def test_a_feed_name_that_is_no_path_segment_is_refused() -> None:
    with pytest.raises(ConfigError, match="letters, digits"):
        check_config({"feeds": {"a/b": FEED}}, "x.toml")


def test_every_mistake_is_told_at_once() -> None:
    given = {"store": {"url": "minio"}, "feeds": {"crea": FEED | {"interval": "soon"}}}
    with pytest.raises(ConfigError) as caught:
        check_config(given, "x.toml")
    assert len(str(caught.value).splitlines()) == 2


def test_a_file_that_is_not_there_and_one_that_is_not_toml_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[feeds", encoding="utf-8")
    with pytest.raises(ConfigError, match="not TOML"):
        load_config(tmp_path / "bad.toml")


def test_no_feed_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="feeds"):
        check_config({"feeds": {}}, "x.toml")


def test_secrets_do_not_show_in_the_configurations_own_text() -> None:
    assert "planted" not in repr(check_config({"feeds": {"crea": FEED}}, "x.toml"))


# Kinds.


TOKEN: dict[str, Any] = {"kind": "realtracs", "token_env": "MLS_PASSWORD"}
CLIENT: dict[str, Any] = {"kind": "constellation1", "client_id": "us", "client_secret_env": "MLS_PASSWORD"}


def test_a_kind_decides_which_keys_there_are() -> None:
    realtracs, constellation1 = checked(TOKEN), checked(CLIENT | {"size": "500x320"})
    assert isinstance(realtracs, RealtracsFeed)
    assert (realtracs.base_url, realtracs.documents) == ("https://www.realtracs.com/reso", True)
    assert isinstance(constellation1, Constellation1Feed)
    assert constellation1.token is None
    assert "feeds.crea.query: unknown key" in mistake(TOKEN, query="(LastUpdated={since})")


def test_an_unknown_kind_is_told_with_the_near_one_and_all_that_are_allowed() -> None:
    text = mistake(kind="spark-replicator")
    assert text.startswith("x.toml: feeds.crea.kind: 'spark-replicator' is no kind of feed")
    assert "did you mean spark-replication?" in text
    assert all(kind in text for kind in KINDS)
    assert "feeds.crea.kind: missing (allowed: rets, realtracs" in mistake(kind=None)


def test_a_misspelt_key_in_a_table_of_a_feed_is_named_with_the_one_that_was_meant() -> None:
    text = mistake(TOKEN, limits={"requests_per_hours": 1000})
    assert "feeds.crea.limits.requests_per_hours: unknown key; did you mean requests_per_hour?" in text
    text = mistake({**TOKEN, "kind": "reso", "base_url": "https://mls.example"}, fields={"ordr": "Order"})
    assert "feeds.crea.fields.ordr: unknown key; did you mean order? (allowed: caption" in text


@pytest.mark.parametrize(
    "wrong",
    [
        {"token_env": None},
        {"client_id": "us"},
        {"token_env": None, "client_id": "us", "client_secret_env": "MLS_PASSWORD"},
    ],
)
def test_a_web_api_feed_has_a_token_or_the_credentials_of_a_client(wrong: dict[str, Any]) -> None:
    assert "feeds.crea: allowed: token_env (or token_file); or token_url" in mistake(TOKEN, **wrong)


@pytest.mark.parametrize("size", ["big", "0", "500x", "x320", "ll", "600px"])
def test_a_size_that_no_one_serves_is_refused(size: str) -> None:
    assert "feeds.crea.size" in mistake(CLIENT, size=size)


def test_a_web_api_feeds_secrets_are_read_and_hidden() -> None:
    feed = checked({**TOKEN, "kind": "reso", "base_url": "https://mls.example"})
    assert isinstance(feed, ResoFeed)
    assert feed.token is not None
    assert feed.token.get_secret_value() == "planted-MLS_PASSWORD"
    assert "planted" not in repr(feed)
    assert "token must not stand in the file" in mistake(TOKEN, token="hunter2")
