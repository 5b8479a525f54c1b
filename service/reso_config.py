"""Feeds over HTTP and JSON: RESO Web API servers of several kinds, and the Spark listing photos service.

What is the same for all stands in `WebApiFeed`. A named kind sets what its provider documents, and
takes no key for it; the kind `reso` leaves it to the operator.
"""

from datetime import timedelta
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from service.sections import Duration, FeedSection, HttpUrl, Section

_Most = Field(default=None, ge=1)


class Limits(Section):
    """What the provider allows: all windows count at once (X10). Without a key there is no such limit."""

    requests_per_second: int | None = _Most
    """Requests in any second."""
    requests_per_minute: int | None = _Most
    """Requests in any minute."""
    requests_per_hour: int | None = _Most
    """Requests in any hour."""
    requests_per_day: int | None = _Most
    """Requests in any 24 hours."""
    bytes_per_hour: int | None = _Most
    """Bytes of answers and photos in any hour."""
    bytes_per_day: int | None = _Most
    """Bytes of answers and photos in any 24 hours."""


class WebApiFeed(FeedSection):
    """One account of a server that speaks HTTP and JSON."""

    base_url: HttpUrl
    """What stands before `/Property` and `/Media`."""
    token: SecretStr | None = None
    """A bearer token, where the provider gives one; else `token_url`, `client_id` and `client_secret`."""
    token_url: HttpUrl | None = None
    """Where bearer tokens are asked for with client credentials (OAuth 2; C1)."""
    client_id: str | None = None
    """The client's name."""
    client_secret: SecretStr | None = None
    """The client's secret."""
    hosts: tuple[str, ...] = ()
    """Other hosts that next links may name and that may be sent the token (X9)."""
    media_credentials: bool = False
    """Send the token with downloads from the host of `base_url`; no other host ever gets it (X9)."""
    connections: int = Field(default=16, ge=1, le=128)
    """Photos downloaded at once: about photos per second times the seconds that one takes."""
    keys_interval: Duration = timedelta(hours=12)
    """How often every key is compared, for removals and for listings that no query gave (C10, P5)."""
    limits: Limits = Limits()
    """A table of its own; see below."""

    batch_listings: ClassVar[int] = 20
    batch_objects: ClassVar[int] = 500
    """Listings and photos that are downloaded together: few enough that a set is settled soon after its
    photos came, many enough that every connection is busy."""

    @model_validator(mode="after")
    def _can_sign_in(self) -> Self:
        client = (self.token_url, self.client_id, self.client_secret)
        if (self.token is None) == (None in client) or (self.token and any(client[1:])):
            raise ValueError(
                "allowed: token_env (or token_file); or token_url, client_id and client_secret_env (or _file)"
            )
        return self


class ODataFeed(WebApiFeed):
    """One account of a RESO Web API server."""

    filter: str = ""
    """An OData expression that narrows the feed, such as `StandardStatus eq 'Active'`."""
    originating_system: str = ""
    """Only listings of this OriginatingSystemName, where a server has several (C10)."""
    page_size: int | None = Field(default=None, ge=1, le=1000)
    """Rows asked for per page ($top); without it as many as the provider allows, which is
    1,000 mostly, and 500 with $expand (C5)."""
    listings_per_query: int = Field(default=40, ge=1, le=200)
    """Listings whose media are asked for in one query, joined by `or`. A server that takes only one is found
    out."""
    documents: bool = False
    """Store media of the category Document too: PDF files."""
    links: bool = True
    """Keep media of other categories (videos, tours) as links in the manifest; none is fetched (R3)."""


class RealtracsFeed(ODataFeed):
    """Realtracs: a photo is fetched when its MediaModificationTimestamp differs (seed 000)."""

    kind: Literal["realtracs"]
    """The provider."""
    base_url: HttpUrl = "https://www.realtracs.com/reso"
    """What stands before `/Property` and `/Media`."""
    documents: bool = True
    """Store media of the category Document too: PDF files (R3)."""


class Constellation1Feed(ODataFeed):
    """Constellation1: a photo is fetched when its MediaURL is new (seed 001)."""

    kind: Literal["constellation1"]
    """The provider."""
    base_url: HttpUrl = "https://listings.constellation1apis.com/odata"
    """What stands before `/Property` and `/Media`."""
    token_url: HttpUrl | None = "https://authenticate.constellation1apis.com/oauth2/token"  # noqa: S105 - no secret
    """Where bearer tokens are asked for with client credentials (C1)."""
    size: str = Field(default="original", pattern=r"^(original|[lst]|[1-9]\d{0,4}(x[1-9]\d{0,4})?)$")
    """`original`; `l` (1024 wide), `s` (480), `t` (150); a width such as `600`; or `500x320` (C15). A change
    fetches every photo again."""
    way: Literal["expand", "media"] = "expand"
    """How changes are found: `expand` asks for Property with its Media (C11); `media` asks for changed Media,
    and for Property by its photo time, since only PhotosCount tells what is gone (C12)."""


class SparkReplicationFeed(ODataFeed):
    """Spark's replication endpoint: a photo is fetched when its MediaURL is new (seed 003)."""

    kind: Literal["spark-replication"]
    """The provider."""
    base_url: HttpUrl = "https://replication.sparkapi.com/Reso/OData"
    """What stands before `/Property` and `/Media` (P1)."""


class ResoFields(Section):
    """The names that this server uses; "" where it has none."""

    listing: str = Field(default="ListingKey", min_length=1)
    """The listing's key, on Property."""
    photos_count: str = "PhotosCount"
    """How many photos the listing has. Without it no photo is removed because of an empty answer (X7)."""
    media_key: str = Field(default="MediaKey", min_length=1)
    """The photo's key, on Media."""
    media_listing: str = Field(default="ResourceRecordKey", min_length=1)
    """The listing's key, on Media."""
    order: str = "Order"
    """What sorts a listing's photos, wherever it starts to count (X4); without it they stay as sent."""
    media_stamp: str = "MediaModificationTimestamp"
    """The time that moves when the picture does."""
    url: str = Field(default="MediaURL", min_length=1)
    """Where the picture is."""
    caption: str = "LongDescription"
    """The photo's caption."""
    category: str = "MediaCategory"
    """What kind of medium it is; without it all are photos."""
    preferred: str = "PreferredPhotoYN"
    """Whether it is the default photo; without it the first one is."""


class ResoFeed(ODataFeed):
    """Any RESO Web API server with Property and Media."""

    kind: Literal["reso"]
    """A Web API server that has no kind of its own."""
    clocks: tuple[str, ...] = Field(default=("ModificationTimestamp",), min_length=1)
    """Times on Property by which changes are found, each with a cursor of its own (X2):
    `ModificationTimestamp`, and `PhotosChangeTimestamp` too where photos can change without it."""
    stamps: tuple[str, ...] = Field(default=("PhotosChangeTimestamp",), min_length=1)
    """Times on Property that move when photos do: while all are as they were, media are not asked for."""
    overlap: Duration = timedelta(minutes=5)
    """How far behind its own answers the server may be: so much is asked for again (P3)."""
    gate: Literal["timestamp", "url", "key"] = "timestamp"
    """When a photo is fetched again: its `media_stamp` differs, its URL differs, or never. `url` is wrong
    where URLs are signed anew in every answer (X1)."""
    expand: bool = False
    """Ask for Media together with Property ($expand)."""
    fields: ResoFields = ResoFields()
    """A table of its own; see below."""


class SparkPhotosFeed(WebApiFeed):
    """The Spark Listing Photos service: a photo is fetched when its Id or ResourceUri is new (seed 004)."""

    kind: Literal["spark-photos"]
    """The service."""
    base_url: HttpUrl = "https://replication.sparkapi.com/v1"
    """What stands before `/listings/ID/photos`."""
    size: Literal["UriThumb", "Uri300", "Uri640", "Uri800", "Uri1024", "Uri1280", "UriLarge"] = "UriLarge"
    """Which of its sizes; the last is the original."""
    listings: tuple[str, ...] = Field(min_length=1)
    """The listings to follow."""
