"""The story of spark-photos: every listing's photos, in the order of an array, without any time."""

from collections.abc import Sequence
from pathlib import Path

from service.simulator.web_api.dialects import SPARK_PHOTOS
from service.simulator.web_api.listings import Listing, Medium
from service.simulator.web_api.rows import SIZES
from service.simulator.web_api.spark_photos import SparkPhotos, resource_uri
from tools.fixture_web_api import TOKEN, ApiStage, ApiStyle, Question
from tools.fixture_web_api_story import BARN, FARM, SHED, tell_story

SIZE = "Uri1280"


class Asking:
    """Each listing of the configuration, every time."""

    def found(self, stage: ApiStage) -> list[str]:
        """Those that are there."""
        return [one.key for one in stage.api.listings.all()]

    def looks_into(self, stage: ApiStage, key: str) -> bool:
        """Always: nothing tells which have changed."""
        return stage.api.listings.get(key) is not None

    def questions(self, stage: ApiStage, looked: Sequence[str]) -> Sequence[Question]:
        """The photos of each; a listing that is gone is answered with 404."""
        assert len(looked) == len(stage.api.listings.all())
        return [Question(f"photos-{key}", f"listings/{key}/photos") for key in (FARM, BARN, SHED)]

    def stamp(self, stage: ApiStage, listing: Listing, medium: Medium) -> str | None:
        """The photo's ResourceUri, which moves with its picture (L3)."""
        assert stage.api.listings.get(listing.key)
        return resource_uri(listing, medium)


STYLE = ApiStyle(
    name="spark-photos",
    title="Spark listing photos",
    about="The photos of listings by Id and ResourceUri, in the size Uri1280; the first one is primary.",
    feed={
        "kind": "spark-photos",
        "listings": [FARM, BARN, SHED],
        "size": SIZE,
        "keys_interval": "0s",
        "purge_share": 0.5,
    },
    dialect=SPARK_PHOTOS,
    asking=Asking(),
    account=TOKEN,
    suffix=SIZES[SIZE],
)


def tell(root: Path) -> None:
    """Write the fixture under `root`."""
    tell_story(ApiStage(root, STYLE, SparkPhotos(f"/{STYLE.name}/")))
