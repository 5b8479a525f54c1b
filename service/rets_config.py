"""A feed of kind `rets`: one RETS account and the photos that it is to follow."""

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator

from service.sections import FeedSection, HttpUrl, Section


class RetsFields(Section):
    """The names that this server uses, for COMPACT columns and for STANDARD-XML elements alike."""

    listing: str = "ListingKey"
    """The listing's key, as GetObject wants it: on some servers the system key, not the MLS number (Q51)."""
    photos_changed: str = "PhotosChangeTimestamp"
    """The time that moves when the listing's photos do; "" where the server has none (Q103)."""
    photos_count: str = "PhotosCount"
    """How many photos the listing has; "" where the server has none, or where it is wrong."""
    modified: str = "ModificationTimestamp"
    """The time that {since} is compared with; the cursor is made of it."""
    photo_url: str = "PropMediaURL"
    """The name in ObjectData that holds a photo's URL, for answers with neither image nor Location (Q105)."""
    photo_stamp: str = "PropMediaModificationTimestamp"
    """The name in ObjectData that holds the time of that photo (Q105)."""


class RetsFeed(FeedSection):
    """One RETS account and the photos it is to follow."""

    kind: Literal["rets"]
    """The protocol."""
    login_url: HttpUrl
    """The server's login URL, http:// or https://."""
    username: str
    """The account."""
    password: SecretStr
    """Its password."""
    user_agent_password: SecretStr | None = None
    """For servers with user-agent authentication; without it no such header is sent (Q93)."""
    rets_version: Literal["RETS/1.5", "RETS/1.7", "RETS/1.7.2", "RETS/1.8"] = "RETS/1.7.2"
    """Sent with every request (Q94), and part of the user-agent digest (Q95)."""
    hosts: tuple[str, ...] = ()
    """Other hosts that capability URLs may name and that may be sent credentials (Q87)."""
    use_login_host: bool = False
    """Ask the login URL's host whatever host a capability URL names: behind a proxy some servers name an
    inner host that nobody else can reach (Q87). Off, since elsewhere the URL is right."""
    session_cookie: str = "RETS-Session-ID"
    """The cookie whose value goes into the user-agent digest (Q91)."""
    user_agent_digest_version: bool = True
    """Whether the user-agent digest holds the RETS version, as the standard says; some servers leave it
    out (Q93)."""

    search_format: Literal["STANDARD-XML", "COMPACT", "COMPACT-DECODED"] = "STANDARD-XML"
    """STANDARD-XML lists every photo with its own stamp (by sequence); COMPACT does not (by whole set)."""
    resource: str = "Property"
    """SearchType and Resource."""
    class_: str = Field(alias="class")
    """The class within the resource."""
    query: str
    """DMQL2 that finds what changed; {since} stands for the cursor. `(ModificationTimestamp={since}+)`
    on most servers, `(LastUpdated={since})` on CREA."""
    since_start: str = "1970-01-01T00:00:00Z"
    """What stands for {since} before anything was synchronised."""
    since_format: str = "%Y-%m-%dT%H:%M:%SZ"
    """The server's own form of {since} (Q104), as strftime writes it."""
    timezone: str = "UTC"
    """The zone of time stamps that carry none (Q102)."""
    keys_query: str | None = None
    """Finds every listing, for removals; default (ID=*) for STANDARD-XML, else (<listing field>=*)."""
    limit: int | None = Field(default=None, ge=1, le=100_000)
    """Rows asked for per Search (Q64). Without it 100, all that CREA allows; NONE with `paging = "none"`."""
    paging: Literal["offset", "keys", "none"] = "offset"
    """How a long result is read: by Offset, which most servers know; or, without Offset (Q63) or where rows
    move between pages (Q65), first its keys, then records by lists of keys; or all in one answer."""

    object_types: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=("Photo",), min_length=1)
    """GetObject Types, the best first: what a listing has not in one is asked for in the next. Names and
    sizes differ per server: `Photo` may be 128 pixels wide (Q52). `object_type = "Photo"` is the
    short form for one."""
    location: Literal[0, 1] = 0
    """0 asks for the pictures, many in one answer; 1 for their URLs, which are fetched one by one, without
    credentials. Where a server serves only the other, that is found out and kept (Q44, Q45)."""
    batch_listings: int = Field(default=1, ge=1, le=1000)
    """Listings per GetObject. More saves round trips where the server allows it, as CREA does not (Q48)."""
    batch_objects: int = Field(default=200, ge=1)
    """Photos per GetObject of several listings, as far as they are counted: what a cut can cost, and the
    length of a URL (Q48). A single listing may have more."""
    fields: RetsFields = RetsFields()
    """A table of its own; see below."""

    @model_validator(mode="before")
    @classmethod
    def _one_object_type(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "object_type" not in given:
            return given
        if "object_types" in given:
            raise ValueError("object_type and object_types are both given; allowed: one of them")
        rest = {key: value for key, value in given.items() if key != "object_type"}
        return rest | {"object_types": [given["object_type"]]}

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("allowed: an IANA zone such as UTC or America/Toronto") from error
        return name
