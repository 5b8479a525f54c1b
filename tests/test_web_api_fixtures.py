"""The stories of the Web API fixtures, told into a folder of the test: true to their own raw answers."""

import io
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from service.config import check_config
from service.simulator.answers import RawAnswer
from service.simulator.fixture import (
    SINCE,
    Exchange,
    Fixture,
    FixtureAnswers,
    Step,
    load_fixture,
    read_answer,
)
from service.simulator.fixture_site import own_settings, site_of
from service.simulator.server import LoopbackServer
from tools import fixture_constellation1, fixture_realtracs, fixture_spark_photos, fixture_spark_replication

STORIES = (fixture_realtracs, fixture_constellation1, fixture_spark_replication, fixture_spark_photos)
PROMISED = (
    *("first-load", "nothing-changed", "photo-replaced", "caption-changed", "order-changed"),
    *("photo-added", "photo-removed", "listing-removed", "page-cut"),
)


@pytest.fixture(scope="module", params=STORIES, ids=lambda story: story.STYLE.name)
def fixture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    root = tmp_path_factory.mktemp("fixtures")
    story: ModuleType = request.param
    story.tell(root)
    return load_fixture(root / story.STYLE.name)


def body_of(answer: RawAnswer) -> bytes:
    assert isinstance(answer.body, bytes)
    return answer.body


def of(step: Step, transaction: str) -> Iterator[Exchange]:
    return (one for one in step.exchanges if one.transaction == transaction)


def test_the_promised_steps_are_there(fixture: Fixture) -> None:
    names = [step.name.partition("-")[2] for step in fixture.steps]
    assert set(PROMISED) <= set(names)
    assert ("token-expired" in names) == (fixture.name == "constellation1")


def test_the_settings_are_those_of_a_feed(fixture: Fixture) -> None:
    with LoopbackServer({fixture.name: site_of(fixture, FixtureAnswers(fixture))}) as server:
        table = {**fixture.settings, **own_settings(fixture, server)}
    config = check_config({"feeds": {fixture.name: table}}, fixture.name)
    assert config.feeds[fixture.name].kind == fixture.name


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.STYLE.name)
def test_telling_it_again_gives_the_same_bytes(story: ModuleType, tmp_path: Path) -> None:
    told = []
    for name in ("one", "two"):
        story.tell(tmp_path / name)
        files = (path for path in (tmp_path / name).rglob("*") if path.is_file())
        told.append({path.relative_to(tmp_path / name): path.read_bytes() for path in files})
    assert told[0] == told[1]


def test_every_answer_can_be_reached(fixture: Fixture) -> None:
    for step in fixture.steps:
        for exchange in step.exchanges:
            params = {name: value.replace(SINCE, "x") for name, value in exchange.params.items()}
            first = next(one for one in step.exchanges if one.matches(exchange.transaction, params))
            assert first == exchange or first.once


def test_exactly_the_pictures_that_are_expected_to_be_asked_for_are_there(fixture: Fixture) -> None:
    for step in fixture.steps:
        urls = [exchange.params["URL"] for exchange in of(step, "Media")]
        assert sorted(urls) == list(step.expected.asked)
        assert len(urls) == step.expected.cycle.downloaded
        texts = [exchange.answer.read_text(errors="replace") for exchange in of(step, "Get")]
        for url in urls:
            assert any(f'"/{fixture.name}/{url}"' in text for text in texts), url


def test_every_picture_is_whole_and_in_the_set_that_it_is_expected_in(fixture: Fixture) -> None:
    for step in fixture.steps:
        expected = {entry["Sha256"] for listing in step.expected.listings.values() for entry in listing.media}
        for exchange in of(step, "Media"):
            picture = body_of(read_answer(exchange.answer))
            assert sha256(picture).hexdigest() in expected
            with Image.open(io.BytesIO(picture)) as image:
                image.load()


def test_captions_and_orders_change_without_a_download(fixture: Fixture) -> None:
    for step in fixture.steps:
        if re.search("caption|order|removed|nothing", step.name):
            assert step.expected.asked == ()
            assert step.expected.cycle.moved or "removed" in step.name or "nothing" in step.name


def test_what_breaks_off_comes_whole_when_it_is_asked_for_again(fixture: Fixture) -> None:
    (step,) = (step for step in fixture.steps if step.name.endswith("page-cut"))
    cut, whole = (one for one in step.exchanges if one.answer.name == "cut.http" or _follows(step, one))
    answer = read_answer(cut.answer)
    assert cut.once
    assert len(body_of(answer)) < int(answer.header("Content-Length") or 0)
    assert body_of(read_answer(whole.answer)).startswith(body_of(answer))
    assert step.expected.cycle.removed == 0


def _follows(step: Step, exchange: Exchange) -> bool:
    """Whether it answers what the cut one answers."""
    return not exchange.once and any(one.once and one.params == exchange.params for one in step.exchanges)
