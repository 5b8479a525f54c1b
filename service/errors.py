"""What goes wrong outside the pure core, by what to do about it.

    ServiceError
    |-- ConfigError     the user can mend it: names the key, what is wrong and what is allowed
    |-- RetryLater      with backoff; the work stays owed
    |   |-- TransferCut a body ended before its end
    |   `-- FeedBusy    another process works on the feed
    |-- SkipItem        park this item with its reason; the rest goes on
    |-- LeaseLost       this process no longer has the feed: its cycle ends at once
    `-- StopFeed        configuration or account: this feed stops, the others go on

Every text says what happened; `feed` and `listing` say where, `hint` what to do.
"""


class ServiceError(Exception):
    """An expected failure: reported without a traceback."""

    def __init__(
        self, what: str, *, feed: str | None = None, listing: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.feed = feed
        self.listing = listing
        self.hint = hint

    def __str__(self) -> str:
        where = " ".join(
            f"{name} {value}" for name, value in (("feed", self.feed), ("listing", self.listing)) if value
        )
        text = f"{where}: {self.what}" if where else self.what
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(ServiceError):
    """A configuration that cannot be used."""


class RetryLater(ServiceError):  # noqa: N818 - named for the verdict
    """Ask again; `after` is the wait that the peer asked for, in seconds, where it did."""

    def __init__(
        self,
        what: str,
        *,
        feed: str | None = None,
        listing: str | None = None,
        hint: str | None = None,
        after: float | None = None,
    ) -> None:
        super().__init__(what, feed=feed, listing=listing, hint=hint)
        self.after = after


class TransferCut(RetryLater):
    """The connection ended, or stalled, inside a body. Nothing may be deleted on its evidence."""


class FeedBusy(RetryLater):
    """Another process works on this feed, or died so recently that it still may."""


class SkipItem(ServiceError):  # noqa: N818 - named for the verdict
    """This item cannot be had; the reason is kept with it."""


class LeaseLost(ServiceError):  # noqa: N818 - named for the verdict
    """The feed was taken over: nothing more may be written, deleted or asked in its name."""


class StopFeed(ServiceError):  # noqa: N818 - named for the verdict
    """This feed cannot go on until somebody changes its configuration or its account."""
