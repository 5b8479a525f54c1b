"""The scripted server and the sources of tests/feeds, against which nobody may get anywhere."""

from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path
from typing import TypeAlias

import pytest

from parsers.records import Outcome, PhotoRef, Redirect
from service.core.ports import IncomingPhoto
from service.feeds.photo_urls import PhotoUrls
from tests.feeds.conftest import Configure, configure, open_source, server
from tests.security.servers import Victim, victim

__all__ = ["configure", "open_source", "server"]

Fetch: TypeAlias = Callable[..., Outcome | bytes]

PUBLIC_LOGIN = "https://192.0.43.7/login"


@pytest.fixture
def bystander() -> Iterator[Victim]:
    """Where nobody should come."""
    with victim() as here:
        yield here


@pytest.fixture
def fetch(configure: Configure) -> Fetch:
    """The picture at a URL, for a feed with a public address, or the reason why there is none."""

    def get(
        url: str, *networks: str, login: str = PUBLIC_LOGIN, ca_file: Path | None = None
    ) -> Outcome | bytes:
        allowed = tuple(map(ip_network, networks))
        config = configure(login_url=login, photo_networks=allowed, ca_file=ca_file)
        photo = IncomingPhoto("100", PhotoRef("1", 1), Redirect(url))
        with closing(PhotoUrls("mls", config)) as urls:
            (found,) = [got.outcome or b"".join(got.chunks) for got in urls.fetch(photo, Redirect(url))]
        return found

    return get
