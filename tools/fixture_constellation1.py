"""The story of constellation1: media come inside their listings, and a URL names its content."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from service.simulator.answers import RawAnswer
from service.simulator.web_api.dialects import CONSTELLATION1
from service.simulator.web_api.listings import Listing, Medium
from service.simulator.web_api.web_api import WebApi
from tools.fixture_web_api import CHANGES, KEYS, ApiStage, ApiStyle, Question
from tools.fixture_web_api_story import BARN, tell_story

COLUMNS = "ListingKey,PhotosCount,PhotosChangeTimestamp,ModificationTimestamp"


class Asking:
    """By PhotosChangeTimestamp, Media inside (C11); by ModificationTimestamp, for new listings without."""

    def found(self, stage: ApiStage) -> list[str]:
        """By each clock; `ge`: what was last seen is found again."""
        listings = stage.api.listings.all()
        if not stage.photos_since or not stage.since:
            return [one.key for one in listings]
        by_photos = [one.key for one in listings if one.photos_changed >= stage.photos_since]
        return by_photos + [one.key for one in listings if one.modified >= stage.since]

    def looks_into(self, stage: ApiStage, key: str) -> bool:
        """Always: the media are there."""
        return stage.api.listings.get(key) is not None

    def questions(self, stage: ApiStage, looked: Sequence[str]) -> Sequence[Question]:
        """Property with Media, and every key (C10)."""
        usual = {"$ignorenulls": "true", "$top": "2"}
        narrow = "OriginatingSystemName eq 'LOOPBACK'"
        assert len(looked) <= len(stage.api.listings.all())
        keys = Question(
            KEYS, "Property", {"$filter": narrow, "$select": "ListingKey", **usual}, {"$select": "ListingKey"}
        )
        if not stage.since:
            return [keys, _changes(narrow, {**usual, "$orderby": "ListingKey asc"})]
        modified = f"ModificationTimestamp ge {stage.since}"
        return [
            keys,
            _changes(f"{narrow} and PhotosChangeTimestamp ge {stage.photos_since}", usual),
            Question(
                "modified",
                "Property",
                {"$select": COLUMNS, "$filter": f"{narrow} and {modified}", **usual},
                {"$filter": "{since}ModificationTimestamp ge {since}"},
            ),
        ]

    def stamp(self, stage: ApiStage, listing: Listing, medium: Medium) -> str | None:
        """The photo's own time, which decides nothing."""
        assert stage.api.listings.get(listing.key)
        return medium.changed


def _changes(narrow: str, usual: Mapping[str, str]) -> Question:
    sent = {"$select": COLUMNS, "$expand": "Media", "$filter": narrow, **usual}
    return Question(CHANGES, "Property", sent, {"$expand": "Media{since}"})


STYLE = ApiStyle(
    name="constellation1",
    title="Constellation1",
    about="Tokens for client credentials; Property with Media inside, by PhotosChangeTimestamp; a photo is "
    "fetched when its MediaURL is new.",
    feed={
        "kind": "constellation1",
        "originating_system": "LOOPBACK",
        "keys_interval": "0s",
        "purge_share": 0.5,
        "page_size": 2,
    },
    dialect=CONSTELLATION1,
    asking=Asking(),
    photos_alone=True,
    account={"client_id": "reader", "client_secret": "loopback-only"},
)

UNAUTHORIZED = RawAnswer(
    401,
    "Unauthorized",
    (("Content-Type", "application/json"), ("WWW-Authenticate", "Bearer")),
    b'{"error":{"code":"401","message":"The token has expired."}}',
)


def tell(root: Path) -> None:
    """Write the fixture under `root`."""
    tell_story(ApiStage(root, STYLE, WebApi(f"/{STYLE.name}/", CONSTELLATION1)), _expire)


def _expire(stage: ApiStage) -> None:
    with stage.step(
        "09-token-expired",
        "The first request is refused, since its token has ended early: the client gets another one and "
        "asks again.",
    ) as step:
        stage.put(BARN, ("b2", 214), ("b3", 213), ("b4", 216))
        step.begin_with("unauthorized.http", UNAUTHORIZED)
