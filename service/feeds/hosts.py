"""Which hosts may be asked, and how a URL is written where people read it.

Two rules. A feed's own requests carry credentials, so they go to the login host and the configured
hosts alone (Q87). A photo's URL is whatever an answer says, so it may name any public host, but
never one inside the network that the daemon runs in.
"""

import socket
from collections.abc import Iterable
from functools import cached_property
from ipaddress import IPv6Address, ip_address
from typing import Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

from service.errors import SkipItem, StopFeed


class HostRule(Protocol):
    """Asked before anything is sent; raises when it must not be."""

    def check_url(self, url: str) -> None:
        """Before a request, and before each redirect is followed."""

    def check_address(self, address: str) -> None:
        """The IP address that a new direct connection has reached, before it is used."""


def place(url: str) -> str:
    """A URL without what may be secret: user, query, fragment, path parameters.

    >>> place("https://user:pw@mls.example/rets/search;jsessionid=1?ID=2")
    'https://mls.example/rets/search'
    """
    parts = _split(url)
    if parts is None or not parts.netloc:
        return "a text that is no URL"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.partition(';')[0]}"


def resolve(base: str, url: str) -> str:
    """A URL as an answer names it, relative to where the answer came from (Q41, Q86)."""
    try:
        return urljoin(base, url)
    except ValueError:  # what no parser takes is left to the rules below, which refuse it
        return url


def move(url: str, home: str) -> str:
    """The same path at the host of another URL (Q87).

    >>> move("http://10.0.0.5:6103/rets/search?a=1", "https://mls.example/login")
    'https://mls.example/rets/search?a=1'
    """
    parts, there = _split(url), urlsplit(home)
    return url if parts is None else parts._replace(scheme=there.scheme, netloc=there.netloc).geturl()


class FeedHosts:
    """The login host, on any port, and the hosts of the configuration (`name` or `name:port`)."""

    def __init__(self, feed: str, login_url: str, hosts: Iterable[str]) -> None:
        login = urlsplit(login_url)
        self._feed = feed
        self._secure = login.scheme == "https"
        self._allowed = {(login.hostname or "").lower(), *(host.lower() for host in hosts)}

    def check_url(self, url: str) -> None:
        """Raise StopFeed for another host, and for a step down from https to http."""
        parts = _split(url)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise StopFeed(
                f"the server names {place(url)}, which is not HTTP",
                feed=self._feed,
                hint=f"check feeds.{self._feed}.login_url",
            )
        if self._allowed.isdisjoint({parts.hostname, f"{parts.hostname}:{parts.port}"}):
            raise StopFeed(
                f"the server sends to the host {parts.hostname}, which may not have this feed's credentials",
                feed=self._feed,
                hint=f"if it belongs to the provider, add it to feeds.{self._feed}.hosts",
            )
        if self._secure and parts.scheme == "http":
            raise StopFeed(
                f"the server sends from https to {place(url)}, where everything could be read on the way",
                feed=self._feed,
                hint="ask the provider for an https URL",
            )

    def check_address(self, address: str) -> None:
        """Any: the operator named the host."""


class PublicHosts:
    """Any public address; private ones only for a feed that is private itself."""

    def __init__(self, feed: str, login_url: str) -> None:
        self._feed = feed
        self._login_host = urlsplit(login_url).hostname or ""

    def check_url(self, url: str) -> None:
        """Raise SkipItem for what is not HTTP."""
        parts = _split(url)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise SkipItem(f"{place(url)} is not HTTP", feed=self._feed)

    def check_address(self, address: str) -> None:
        """Raise SkipItem for a private address.

        The connection's own address is looked at: a name may resolve to another one when asked again.
        """
        if not _is_public(address) and not self._login_is_private:
            raise SkipItem(f"a photo's URL leads to the private address {address}", feed=self._feed)

    @cached_property
    def _login_is_private(self) -> bool:
        try:
            found = socket.getaddrinfo(self._login_host, None, type=socket.SOCK_STREAM)
        except OSError:
            return False
        return any(not _is_public(str(entry[4][0])) for entry in found)


def _is_public(address: str) -> bool:
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return ip.is_global


def _split(url: str) -> SplitResult | None:
    """None for what no URL parser takes: a bad port, a broken IPv6 address."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
