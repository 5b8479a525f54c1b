"""The story of spark-replication: a first pass, then what changed with 20 minutes of overlap."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from parsers.odata.query import instant
from service.simulator.web_api.dialects import SPARK_REPLICATION
from service.simulator.web_api.listings import Listing, Medium
from service.simulator.web_api.web_api import WebApi
from tools.fixture_web_api import CHANGES, KEYS, TOKEN, ApiStage, ApiStyle, Question, about
from tools.fixture_web_api_story import tell_story

COLUMNS = "ListingKey,ModificationTimestamp,PhotosCount,PhotosChangeTimestamp"

OVERLAP = timedelta(minutes=20)
"""Of the server's cache (P3)."""


class Asking:
    """By ModificationTimestamp, then Media of each listing whose PhotosChangeTimestamp differs (P4)."""

    def found(self, stage: ApiStage) -> list[str]:
        """What changed since the last cycle, and what changed shortly before it."""
        return [one.key for one in stage.api.listings.all() if one.modified > _since(stage)]

    def looks_into(self, stage: ApiStage, key: str) -> bool:
        """Where the time of its photos differs."""
        known, listing = stage.seen.get(key), stage.api.listings.get(key)
        return known is None or listing is None or known.photos_changed != listing.photos_changed

    def questions(self, stage: ApiStage, looked: Sequence[str]) -> Sequence[Question]:
        """Property once or twice, Media for each listing."""
        usual = {"$count": "true", "$top": "2"}
        since = {"$filter": f"ModificationTimestamp gt {_since(stage)}"} if stage.since else {}
        return [
            Question(KEYS, "Property", {"$select": "ListingKey", **usual}, {"$select": "ListingKey"}),
            *(one for key in looked for one in about(key, COLUMNS, usual, "ResourceRecordKey")),
            Question(CHANGES, "Property", {"$select": COLUMNS, **since, **usual}),
        ]

    def stamp(self, stage: ApiStage, listing: Listing, medium: Medium) -> str | None:
        """The photo's own time."""
        assert stage.api.listings.get(listing.key)
        return medium.changed


def _since(stage: ApiStage) -> str:
    return (instant(stage.since, OVERLAP) or "") if stage.since else ""


STYLE = ApiStyle(
    name="spark-replication",
    title="Spark replication",
    about="Property by ModificationTimestamp with 20 minutes of overlap, Media by listing; a photo is "
    "fetched when its MediaURL is new.",
    feed={
        "kind": "spark-replication",
        "keys_interval": "0s",
        "purge_share": 0.5,
        "page_size": 2,
        "listings_per_query": 1,
    },
    dialect=SPARK_REPLICATION,
    asking=Asking(),
    account=TOKEN,
)


def tell(root: Path) -> None:
    """Write the fixture under `root`."""
    tell_story(ApiStage(root, STYLE, WebApi(f"/{STYLE.name}/", SPARK_REPLICATION)))
