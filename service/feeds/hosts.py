"""Which hosts may be asked, and how a URL is written where people read it.

Two rules. A feed's own requests carry credentials, so they go to the login host and the configured
hosts alone (Q87). A photo's URL is whatever an answer says, so it may name any public host, but
never one inside the network that the daemon runs in, unless the operator has named that network.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Protocol, TypeAlias
from urllib.parse import urljoin, urlsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from service.errors import RetryLater, SkipItem, StopFeed

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

LONGEST_PLACE = 200
"""Characters of a URL that are shown: an answer may name one of any length."""

# IANA gives addresses to hosts from here alone (RFC 4291 2.4); `is_global` knows the exceptions inside.
_UNICAST = ip_network("2000::/3")

# Addresses that carry an IPv4 address in their last 32 bits: IPv4-mapped and IPv4-compatible ones
# (RFC 4291 2.5.5), and what a NAT64 gateway makes of an IPv4 host (RFC 6052 2.1).
_CARRIERS = tuple(map(ip_network, ("::ffff:0:0/96", "::/96", "64:ff9b::/96")))

_LOOPBACK = ("127.0.0.0/8", "::1/128")

# Public by their numbers alone: those of protocols, where Oracle keeps its metadata, the relays of 6to4,
# documentation (older Pythons do not know them all), and Azure's channel to its own hosts.
_SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "168.63.129.16/32")))


class HostRule(Protocol):
    """Asked before anything is sent; raises when it must not be."""

    def check_url(self, url: str) -> None:
        """Before a request, and before each redirect is followed."""

    def check_address(self, address: str) -> None:
        """The IP address that a direct connection is about to be made to."""


def place(url: str) -> str:
    """A URL without what may be secret: user, query, fragment, path parameters.

    >>> place("https://user:pw@mls.example/rets/search;jsessionid=1?ID=2")
    'https://mls.example/rets/search'
    """
    parts = _split(url)
    if parts is None or not (parts.scheme and parts.host):
        return "a text that is no URL"
    return f"{parts.scheme}://{parts.netloc}{(parts.path or '').partition(';')[0]}"[:LONGEST_PLACE]


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
    if parts is None:
        return url
    return urlsplit(parts.url)._replace(scheme=there.scheme, netloc=there.netloc).geturl()


class FeedHosts:
    """The login host, on any port, and the hosts of the configuration (`name` or `name:port`)."""

    def __init__(self, feed: str, login_url: str, hosts: Iterable[str]) -> None:
        self._feed = feed
        self._secure = login_url.startswith("https:")
        self._login_host = _host(_split(login_url))
        self._allowed = {self._login_host, *(host.lower() for host in hosts)}

    def check_url(self, url: str) -> None:
        """Raise StopFeed for another host, and for a step down from https to http."""
        parts = _split(url)
        host = _host(parts)
        if parts is None or parts.scheme not in ("http", "https") or not host:
            raise StopFeed(
                f"the server names {place(url)}, which is not HTTP",
                feed=self._feed,
                hint=f"check feeds.{self._feed}.login_url",
            )
        if self._allowed.isdisjoint({host, f"{host}:{parts.port}"}):
            raise StopFeed(
                f"the server sends to the host {host}, which may not have this feed's credentials",
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
        """Raise RetryLater for an address of no host, such as a cloud's metadata service (169.254.169.254).

        Any other may be right: the operator named the host.
        """
        ip = _carried(ip_address(address.partition("%")[0]))
        if (ip.is_link_local or ip.is_multicast or ip.is_unspecified) and _literal(self._login_host) != ip:
            raise RetryLater(
                f"a host of this feed has the address {address}, which is no server's",
                feed=self._feed,
                hint=f"check the name service, and feeds.{self._feed}.login_url",
            )


class PublicHosts:
    """Any public address, those of `networks`, and the one that a login URL without a name is at."""

    def __init__(self, feed: str, login_url: str, networks: Iterable[Network] = ()) -> None:
        self._feed = feed
        self._networks = (*networks, *_networks_of(_host(_split(login_url))))

    def check_url(self, url: str) -> None:
        """Raise SkipItem for what is not HTTP, and for a private address in any spelling.

        A proxy would look up a name by itself, but must not be asked for an address either.
        """
        parts = _split(url)
        host = _host(parts)
        if parts is None or parts.scheme not in ("http", "https") or not host:
            raise SkipItem(f"{place(url)} is not HTTP", feed=self._feed)
        literal = _literal(host)
        if literal is not None:
            self.check_address(str(literal))

    def check_address(self, address: str) -> None:
        """Raise SkipItem for an address that is neither public nor allowed."""
        ip = _carried(ip_address(address.partition("%")[0]))
        if not _is_public(ip) and not any(ip in network for network in self._networks):
            raise SkipItem(
                f"a photo's URL leads to the private address {ip}",
                feed=self._feed,
                hint=f"if that is right, add its network to feeds.{self._feed}.photo_networks",
            )


def _networks_of(login_host: str) -> tuple[Network, ...]:
    """What a login URL allows by itself: an address is no name that somebody else could move."""
    ip = ip_address("127.0.0.1") if login_host == "localhost" else _literal(login_host)
    if ip is None:
        return ()
    return tuple(map(ip_network, _LOOPBACK if ip.is_loopback else (str(ip),)))


def _is_public(ip: Address) -> bool:
    unicast = ip.version == 4 or ip in _UNICAST
    inner = ip.sixtofour if isinstance(ip, IPv6Address) else None
    special = ip.is_multicast or any(ip in network for network in _SPECIAL)
    return unicast and ip.is_global and not special and (inner is None or _is_public(inner))


def _carried(ip: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, or the address itself."""
    if ip.version == 6 and int(ip) > 1 and any(ip in carrier for carrier in _CARRIERS):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def _literal(host: str) -> Address | None:
    """The address that a host is spelled as: also 2130706433, 0x7f.1 and 0177.1, as resolvers read them."""
    plain = host.partition("%")[0].rstrip(".")
    try:
        return _carried(ip_address(plain if ":" in plain else socket.inet_aton(plain)))
    except (OSError, ValueError):
        return None


def _host(parts: Url | None) -> str:
    """The host in lower case, an IPv6 address without its brackets; "" where there is none."""
    return (parts.host or "").strip("[]") if parts else ""


def _split(url: str) -> Url | None:
    """As the library reads it that connects: two readings could be of two hosts. None for what it refuses."""
    try:
        return parse_url(url)
    except LocationParseError:
        return None
