"""The story of realtracs: media are asked for by listing, and photos fetched by their own time."""

from collections.abc import Sequence
from pathlib import Path

from service.simulator.web_api.dialects import REALTRACS
from service.simulator.web_api.listings import Listing, Medium
from service.simulator.web_api.web_api import WebApi
from tools.fixture_web_api import CHANGES, KEYS, TOKEN, ApiStage, ApiStyle, Question, about
from tools.fixture_web_api_story import FARM, tell_story

COLUMNS = "ListingKey,PhotosCount,ModificationTimestamp"


class Asking:
    """By ModificationTimestamp (R7), then Media of each listing in which it has moved."""

    def found(self, stage: ApiStage) -> list[str]:
        """`ge`: what was last seen is found again."""
        listings = stage.api.listings.all()
        return [one.key for one in listings if stage.since is None or one.modified >= stage.since]

    def looks_into(self, stage: ApiStage, key: str) -> bool:
        """Where the listing's own time differs."""
        known, listing = stage.seen.get(key), stage.api.listings.get(key)
        return known is None or listing is None or known.modified != listing.modified

    def questions(self, stage: ApiStage, looked: Sequence[str]) -> Sequence[Question]:
        """Property twice, Media for each listing."""
        usual = {"$count": "true", "$top": "2"}
        since = {"$filter": f"ModificationTimestamp ge {stage.since}"} if stage.since else {}
        return [
            Question(KEYS, "Property", {"$select": "ListingKey", **usual}, {"$select": "ListingKey"}),
            *(one for key in looked for one in about(key, COLUMNS, usual, "ListingKey")),
            Question(CHANGES, "Property", {"$select": COLUMNS, **since, **usual}),
        ]

    def stamp(self, stage: ApiStage, listing: Listing, medium: Medium) -> str | None:
        """The photo's own time (R6)."""
        assert stage.api.listings.get(listing.key)
        return medium.changed


STYLE = ApiStyle(
    name="realtracs",
    title="Realtracs",
    about="Property by ModificationTimestamp, Media by ListingKey alone; a photo is fetched when its "
    "MediaModificationTimestamp differs.",
    feed={
        "kind": "realtracs",
        "keys_interval": "0s",
        "purge_share": 0.5,
        "page_size": 2,
        "listings_per_query": 1,
    },
    dialect=REALTRACS,
    asking=Asking(),
    account=TOKEN,
)


def tell(root: Path) -> None:
    """Write the fixture under `root`."""
    tell_story(ApiStage(root, STYLE, WebApi(f"/{STYLE.name}/", REALTRACS)), _link)


def _link(stage: ApiStage) -> None:
    with stage.step(
        "09-tour-linked",
        "A tour that others host: its link stands in the manifest, and nobody fetches it (R3).",
    ):
        tour = Medium("t1", "2024-05-09T08:00:00Z", category="Virtual Tour", link="https://tours.example/7")
        stage.add(FARM, tour)
