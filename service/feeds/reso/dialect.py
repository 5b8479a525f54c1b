"""What distinguishes one provider's Web API from another's, as values: nothing here decides by a name."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from parsers.odata.media import MediaNames
from service.core.plan import Gate
from service.reso_config import (
    Constellation1Feed,
    ODataFeed,
    RealtracsFeed,
    ResoFeed,
    ResoFields,
    SparkReplicationFeed,
)


@dataclass(frozen=True, slots=True)
class Clock:
    """A time by which changed rows are found, with a cursor of its own (X2).

    Rows of Property come with their Media where `expands`; rows of Media only name their listings.
    """

    field: str
    entity: Literal["Property", "Media"] = "Property"
    expands: bool = False

    @property
    def name(self) -> str:
        """What its cursor is kept under."""
        return self.field if self.entity == "Property" else f"{self.entity}.{self.field}"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server is asked, and what its answers mean.

    `stamps` are the times on Property that move when media do; while they are as stored, media are
    not asked for. `count` is how many photos a listing has, "" where nobody says. `after` is the
    operator before a cursor, which goes back by `overlap` when it is asked with (P3). `always` goes
    with every query, `order` with the first one of a full pass (C7). `counted`: $count is asked for.
    `steady`: its pages are those of one search, so that no row slips between two of them (Q65).
    `size` is added to a photo's URL (C15).
    """

    clocks: tuple[Clock, ...]
    stamps: tuple[str, ...]
    gate: Gate
    names: MediaNames
    listing: str = "ListingKey"
    count: str = "PhotosCount"
    after: Literal["ge", "gt"] = "ge"
    overlap: timedelta = timedelta(0)
    page: int = 1000
    expanded_page: int = 500
    always: tuple[tuple[str, str], ...] = ()
    order: str = ""
    counted: bool = True
    steady: bool = False
    size: str = ""


def dialect_of(config: ODataFeed) -> Dialect:
    """The dialect of a feed's kind, with what its configuration leaves open."""
    match config:
        case RealtracsFeed():
            return REALTRACS
        case Constellation1Feed():
            return _constellation1(config)
        case SparkReplicationFeed():
            return _spark_replication(config)
        case ResoFeed():
            return _generic(config)
    raise TypeError(f"no dialect for {type(config).__name__}")


REALTRACS = Dialect(
    clocks=(Clock("ModificationTimestamp"),),  # R7: never by another time
    stamps=("ModificationTimestamp",),
    gate=Gate.STAMP,  # R6
    names=MediaNames(listing="ListingKey", order="DisplayOrder"),  # R1, R2
)


def _constellation1(config: Constellation1Feed) -> Dialect:
    modified = "ModificationTimestamp"
    clocks = (
        # C11. A new listing without photos has no photo time, and is found by the other clock.
        (Clock("PhotosChangeTimestamp", expands=True), Clock(modified))
        if config.way == "expand"
        # C12. Media are the active ones: what is gone shows on Property alone.
        else (Clock("PhotosChangeTimestamp"), Clock(modified, "Media"))
    )
    return Dialect(
        clocks=clocks,
        stamps=("PhotosChangeTimestamp",),
        gate=Gate.URL,  # C14
        names=MediaNames(),
        always=(("$ignorenulls", "true"),),  # C6
        order="ListingKey asc",  # C7
        counted=False,  # C4: every answer says so
        steady=True,  # C5
        size="" if config.size == "original" else f"d={config.size}",
    )


def _spark_replication(config: SparkReplicationFeed) -> Dialect:
    stamps = {  # P4
        "PhotosChangeTimestamp": True,
        "VideosChangeTimestamp": config.links,
        "DocumentsChangeTimestamp": config.links or config.documents,
    }
    return Dialect(
        clocks=(Clock("ModificationTimestamp"),),
        stamps=tuple(name for name, matters in stamps.items() if matters),
        gate=Gate.URL,
        names=MediaNames(),
        after="gt",
        overlap=timedelta(minutes=20),  # P3
        steady=True,  # P2: by ListingKey
    )


def _generic(config: ResoFeed) -> Dialect:
    gates = {"timestamp": Gate.STAMP, "url": Gate.URL, "key": Gate.KEY}
    return Dialect(
        clocks=tuple(Clock(field, expands=config.expand) for field in config.clocks),
        stamps=config.stamps,
        gate=gates[config.gate],
        names=_names(config.fields),
        listing=config.fields.listing,
        count=config.fields.photos_count,
        overlap=config.overlap,
    )


def _names(fields: ResoFields) -> MediaNames:
    return MediaNames(
        key=fields.media_key,
        listing=fields.media_listing,
        order=fields.order,
        stamp=fields.media_stamp,
        url=fields.url,
        caption=fields.caption,
        category=fields.category,
        preferred=fields.preferred,
    )
