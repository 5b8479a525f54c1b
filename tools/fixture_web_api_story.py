"""The story that all Web API fixtures tell."""

from collections.abc import Callable

from tools.fixture_web_api import ApiStage

FARM, BARN, SHED = "5001", "5002", "5003"


def tell_story(stage: ApiStage, *more: Callable[[ApiStage], None]) -> None:
    """The story that all feeds of this kind tell; `more` tells one step each of one feed alone."""
    _grow(stage)
    _change(stage)
    _shrink(stage)
    for tell_more in more:
        tell_more(stage)
    with stage.step(
        f"{9 + len(more):02}-page-cut",
        "The first page breaks off in its middle, and comes whole when it is asked for again: nothing "
        "is missed, and nothing is taken to be gone.",
    ) as step:
        stage.put(FARM, ("f1", 205), ("f3", 203), ("f2", 202))
        step.begin_with("cut.http")


def _grow(stage: ApiStage) -> None:
    with stage.step("01-first-load", "Three listings on two pages; one has no photos."):
        stage.put(FARM, ("f1", 201), ("f2", 202))
        stage.put(BARN, ("b1", 211), ("b2", 212), ("b3", 213), captions={"b1": "Barn, from the road"})
        stage.put(SHED)
    with stage.step("02-nothing-changed", "What is known is not asked for."):
        pass
    with stage.step("03-photo-replaced", "One picture differs under the same key: it alone is fetched."):
        stage.put(BARN, ("b1", 211), ("b2", 214), ("b3", 213))


def _change(stage: ApiStage) -> None:
    with stage.step("04-caption-changed", "A caption differs: the manifest changes, no picture is fetched."):
        stage.put(BARN, ("b1", 211), ("b2", 214), ("b3", 213), captions={"b3": "Behind the barn"})
    with stage.step("05-order-changed", "Two photos have changed places: no picture is fetched."):
        stage.put(BARN, ("b2", 214), ("b1", 211), ("b3", 213))
    with stage.step("06-photo-added", "One photo more, between the others: it alone is fetched."):
        stage.put(FARM, ("f1", 201), ("f3", 203), ("f2", 202))


def _shrink(stage: ApiStage) -> None:
    with stage.step("07-photo-removed", "One photo is no longer listed."):
        stage.put(BARN, ("b2", 214), ("b3", 213))
    with stage.step("08-listing-removed", "A listing is in no answer any more.") as step:
        step.remove(SHED)
