"""What a feed over HTTP and JSON is asked with: its token, its limits, its client and its downloads.

The token goes to the feed's own hosts; media are fetched without it, unless the feed says otherwise,
and then from the host of `base_url` alone (X9).
"""

from collections.abc import Callable
from datetime import datetime

from service.core.ports import Facts
from service.feeds.answer import Answer
from service.feeds.auth import Anonymous
from service.feeds.hosts import FeedHosts, PublicHosts
from service.feeds.limits import Limit, Quota
from service.feeds.media_downloads import MediaDownloads, OwnHost
from service.feeds.oauth import Bearer, ClientCredentials, GivenToken, Tokens
from service.feeds.odata_client import ODataClient
from service.feeds.transport import WAITS, Transport
from service.logs import Redactor
from service.reso_config import Limits, WebApiFeed

PACKED = "gzip, deflate, br"
"""Accept-Encoding of JSON (C3)."""

_WINDOWS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


class WebApi:
    """One account. Opened anew for every cycle, since its downloads have threads of their own.

    `waits` are the seconds before each try after the first.
    """

    def __init__(
        self,
        feed: str,
        config: WebApiFeed,
        facts: Facts,
        now: Callable[[], datetime],
        waits: tuple[float, ...] = WAITS,
    ) -> None:
        self._feed, self._config, self._waits = feed, config, waits
        self.abandoned = False
        self._downloads: MediaDownloads | None = None
        self._doors = self._own_transport(config.token_url or config.base_url, (), waits)
        self._tokens = self._new_tokens(now)
        self.quota = Quota(windows(config.limits), facts, now)
        transport = self._own_transport(config.base_url, config.hosts, (), Bearer(self._tokens))
        self.client = ODataClient(feed, transport, self.quota, waits)

    def open(self) -> None:
        """Have a token. Raises StopFeed where the account is at fault."""
        self._tokens.current()
        self._downloads = MediaDownloads(
            self._feed,
            self._media_transport,
            self.quota,
            connections=self._config.connections,
            max_bytes=self._config.max_photo_bytes,
            base=self._config.base_url,
        )
        if self.abandoned:
            self._downloads.abandon()

    @property
    def downloads(self) -> MediaDownloads:
        """The downloads of this cycle."""
        if self._downloads is None:
            raise RuntimeError(f"feed {self._feed} is not open")
        return self._downloads

    def close(self) -> None:
        """Close what is open; never raises."""
        if self._downloads is not None:
            self._downloads.close()
        self._downloads = None
        self.client.close()
        self._doors.close()

    def abandon(self) -> None:
        """Cut whatever runs, from another thread."""
        self.abandoned = True
        self._doors.abandon()
        self.client.abandon()
        if self._downloads is not None:
            self._downloads.abandon()

    def hide(self, text: str) -> str:
        """The text without secrets (X11)."""
        given = (self._config.token, self._config.client_secret)
        return Redactor(secret.get_secret_value() for secret in given if secret).clean(text)

    def _new_tokens(self, now: Callable[[], datetime]) -> Tokens:
        config = self._config
        if config.token is not None:
            return GivenToken(config.token.get_secret_value())
        secret = config.client_secret.get_secret_value() if config.client_secret else ""
        client = (config.client_id or "", secret)
        return ClientCredentials(self._feed, config.token_url or "", client, self._post, now)

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        return self._doors.send("POST", url, body, headers, f"check feeds.{self._feed}.token_url")

    def _own_transport(
        self,
        url: str,
        hosts: tuple[str, ...],
        waits: tuple[float, ...],
        auth: Anonymous | None = None,
    ) -> Transport:
        return Transport(
            self._feed,
            FeedHosts(self._feed, url, hosts),
            silence=self._config.timeout.total_seconds(),
            headers={"User-Agent": self._config.user_agent, "Accept-Encoding": PACKED},
            waits=waits,
            auth=auth,
            ca_file=self._config.ca_file,
        )

    def _media_transport(self) -> Transport:
        config = self._config
        own = OwnHost(Bearer(self._tokens), config.base_url) if config.media_credentials else None
        return Transport(
            self._feed,
            PublicHosts(self._feed, config.base_url, config.photo_networks),
            silence=config.timeout.total_seconds(),
            headers={"User-Agent": config.user_agent, "Accept": "image/*, application/pdf, */*"},
            waits=self._waits,
            auth=own,
            ca_file=config.ca_file,
        )


def windows(limits: Limits) -> tuple[Limit, ...]:
    """The limits of a configuration that are set."""
    found = (
        (what, getattr(limits, f"{what}_per_{span}", None), seconds)
        for what in ("requests", "bytes")
        for span, seconds in _WINDOWS.items()
    )
    return tuple(Limit(what, most, seconds) for what, most, seconds in found if most is not None)
