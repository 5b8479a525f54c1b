from ipaddress import ip_network

import pytest

from service.errors import SkipItem, StopFeed
from service.feeds.hosts import FeedHosts, PublicHosts, place

LOGIN = "https://rets.mls.example:6103/login"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h.example/a/b;jsessionid=9?sig=1#f", "https://h.example/a/b"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("http://h:port/x?token=1", "a text that is no URL"),
        ("/relative?token=1", "a text that is no URL"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert place(url) == shown


@pytest.mark.parametrize(
    "url", [LOGIN, "https://rets.mls.example/other", "https://Img.Example/x", "https://two.example:8443/x"]
)
def test_the_login_host_and_configured_hosts_are_allowed(url: str) -> None:
    FeedHosts("mls", LOGIN, ["IMG.example", "two.example:8443"]).check_url(url)


@pytest.mark.parametrize("url", ["https://evil.example/x", "https://two.example/x", "https://mls.example/x"])
def test_q87_another_host_stops_the_feed_and_names_the_key(url: str) -> None:
    with pytest.raises(StopFeed, match=r"feed mls: .* host [\w.]+example.*feeds\.mls\.hosts"):
        FeedHosts("mls", LOGIN, ["two.example:8443"]).check_url(url)


def test_credentials_do_not_step_down_from_https_to_http() -> None:
    with pytest.raises(StopFeed, match="from https to http://rets"):
        FeedHosts("mls", LOGIN, []).check_url("http://rets.mls.example/search?x=1")


@pytest.mark.parametrize("url", ["ftp://rets.mls.example/x", "rets.mls.example/x", "http://h:x/", ""])
def test_what_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(StopFeed, match="not HTTP"):
        FeedHosts("mls", LOGIN, []).check_url(url)
    with pytest.raises(SkipItem, match="not HTTP"):
        PublicHosts("mls", LOGIN).check_url(url)


PRIVATE = ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "::ffff:192.168.1.1", "fe80::1%eth0"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_with_the_key_that_allows_them(address: str) -> None:
    with pytest.raises(SkipItem, match=r"private address .*feeds\.mls\.photo_networks"):
        PublicHosts("mls", "https://192.0.43.7/login").check_address(address)


@pytest.mark.parametrize(
    ("login", "allowed", "refused"),
    [
        ("https://127.0.0.1/login", ["127.0.0.1", "127.8.8.8", "::1"], ["10.0.0.1", "169.254.169.254"]),
        ("https://localhost:1/login", ["127.0.0.1", "::1"], ["10.0.0.1"]),
        ("https://10.0.0.1/login", ["10.0.0.1", "::ffff:10.0.0.1"], ["10.0.0.2", "127.0.0.1"]),
        ("https://rets.mls.example/login", ["10.7.0.9"], ["10.8.0.1", "::1"]),
    ],
)
def test_private_addresses_are_allowed_by_a_network_or_by_the_address_of_the_login_url(
    login: str, allowed: list[str], refused: list[str]
) -> None:
    networks = [ip_network("10.7.0.0/16")] if "mls" in login else []
    rule = PublicHosts("mls", login, networks)
    for address in allowed:
        rule.check_address(address)
    for address in refused:
        with pytest.raises(SkipItem, match="private address"):
            rule.check_address(address)


def test_public_addresses_may_be_asked() -> None:
    rule = PublicHosts("mls", "https://192.0.43.7/login")
    rule.check_address("192.0.43.8")
    rule.check_address("2606:4700::1111")
    rule.check_url("https://cdn.example/1.jpg")
