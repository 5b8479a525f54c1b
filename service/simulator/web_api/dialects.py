"""What distinguishes one provider's Web API from another's: one value each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Entity = Literal["Property", "Media"]

_OPTIONS = frozenset(
    {"$filter", "$select", "$expand", "$top", "$orderby", "$count", "$ignorenulls", "$skiptoken"}
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server is asked and how it answers.

    `root` is where its data are, seen from the feed's own path. `options` may be sent; `filterable`
    names the fields that a filter of an entity may name, all of them where it says nothing. `top` is
    the size of a page that nobody chose, `most_rows` and `most_expanded` the largest that may be
    asked for. `sign` begins the annotations. `counts_page`: the count is that of the page (C4), and
    a full page always links on, be it to an empty one (C7). `link_in_path`: the token of a next link
    is part of its path (C8). `url` is what a picture's URL is made of; `signed` URLs differ in every
    answer (X1). `expand_cut` is how many rows an expansion holds that does not say how many (X12).
    """

    root: str = ""
    options: frozenset[str] = _OPTIONS
    filterable: Mapping[Entity, frozenset[str]] = field(default_factory=dict)
    top: int = 100
    most_rows: int = 1000
    most_expanded: int = 1000
    sign: str = "@odata."
    counts_page: bool = False
    link_in_path: bool = False
    url: Literal["key", "content"] = "key"
    signed: bool = False
    expand_cut: int | None = None
    orders_from: int = 1


RESO = Dialect()

REALTRACS = Dialect(
    root="reso/",
    options=_OPTIONS - {"$orderby", "$expand", "$ignorenulls"},  # R2
    filterable={"Media": frozenset({"ListingKey", "MediaCategory"})},  # R1
)

CONSTELLATION1 = Dialect(
    root="odata/",  # C2
    top=10,  # C5
    most_expanded=500,
    sign="@@odata.",  # C4
    counts_page=True,
    link_in_path=True,
    url="content",  # C14
    orders_from=0,  # C13
)

SPARK_REPLICATION = Dialect(
    root="Reso/OData/",  # P1
    options=frozenset({"$filter", "$select", "$count", "$top", "$expand", "$skiptoken"}),  # P2
    filterable={
        "Property": frozenset({"ModificationTimestamp", "ListingKey"}),
        "Media": frozenset({"ResourceRecordKey"}),
    },
    url="content",
)

SPARK_PHOTOS = Dialect(root="v1/", url="content")
