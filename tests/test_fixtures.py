"""The fixtures themselves: whole, reproducible, and true to their own raw answers.

What a step expects is checked here without the project's code: parts are read by
requests_toolbelt, pictures by Pillow, digests by hashlib.
"""

import io
import re
from collections.abc import Iterator
from hashlib import sha256
from html import unescape
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin

import pytest
from PIL import Image
from requests_toolbelt.multipart.decoder import MultipartDecoder

from service.config import check_config
from service.simulator.answers import RawAnswer
from service.simulator.fixture import SINCE, Exchange, Fixture, Step, load_fixture, read_answer
from service.simulator.front_desk import Account
from tools.make_fixtures import make_fixtures

ROOT = Path("fixtures")
ALL = [load_fixture(path.parent) for path in sorted(ROOT.glob("*/feed.toml"))]
FIXTURES = [fixture for fixture in ALL if isinstance(fixture.credentials, Account)]
"""Those of RETS feeds; tests/test_web_api_fixtures.py looks at the others."""
STEPS = [(fixture, step) for fixture in FIXTURES for step in fixture.steps]


def name_of(value: Fixture | Step) -> str:
    return value.name


def files_under(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_promised_fixtures_are_there_with_at_least_six_steps_each() -> None:
    promised = {"crea-standard-xml", "compact-whole-set", "default-only", "compact-batched", "compact-urls"}
    assert promised <= {fixture.name for fixture in FIXTURES}
    assert {"realtracs", "constellation1", "spark-replication"} <= {fixture.name for fixture in ALL}
    assert all(len(fixture.steps) >= 6 for fixture in ALL)


def test_making_them_again_gives_the_same_bytes(tmp_path: Path) -> None:
    for made in make_fixtures(tmp_path):
        assert files_under(made) == files_under(ROOT / made.name)


def test_making_them_replaces_what_is_there_and_leaves_other_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    stale = tmp_path / "default-only" / "99-old"
    stale.mkdir(parents=True)
    make_fixtures(tmp_path)
    assert (tmp_path / "mine").exists()
    assert not stale.exists()


@pytest.mark.parametrize("fixture", FIXTURES, ids=name_of)
def test_the_settings_are_those_of_a_feed(fixture: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", fixture.account.password)
    own = {"login_url": "http://127.0.0.1/", "username": "reader", "password_env": "PLANTED"}
    config = check_config({"feeds": {fixture.name: {**fixture.settings, **own}}}, fixture.name)
    assert config.feeds[fixture.name].kind == fixture.settings.get("kind", "rets")


@pytest.mark.parametrize(("fixture", "step"), STEPS, ids=name_of)
def test_every_answer_file_is_named_by_an_exchange_that_can_be_reached(fixture: Fixture, step: Step) -> None:
    files = set((ROOT / fixture.name / step.name).glob("*.http"))
    assert {path.resolve() for path in files} == {one.answer.resolve() for one in step.exchanges}
    for exchange in step.exchanges:
        params = {
            name: value.replace(SINCE, "2024-05-01T00:00:00Z") for name, value in exchange.params.items()
        }
        matching = [one for one in step.exchanges if one.matches(exchange.transaction, params)]
        assert matching == [exchange]


@pytest.mark.parametrize(("fixture", "step"), STEPS, ids=name_of)
def test_exactly_what_is_recorded_is_expected_to_be_asked(fixture: Fixture, step: Step) -> None:
    recorded = [exchange.params["ID"] for exchange in bundles_of(step)]
    assert sorted(recorded) == list(step.expected.asked), fixture.name


def bundles_of(step: Step) -> list[Exchange]:
    return [exchange for exchange in step.exchanges if exchange.transaction == "GetObject"]


def pictures_by_url(step: Step, answer: RawAnswer) -> Iterator[bytes]:
    """What the URLs of a GetObject answer lead to, as far as Pillow can read it; redirects are followed."""
    hosted = {one.params["URL"]: one.answer for one in step.exchanges if one.transaction == "Photo"}
    head = "\n".join(value for _, value in answer.headers)
    for url in re.findall(r"photos/[^\s<]+", unescape(f"{head}\n{body_of(answer).decode('latin-1')}")):
        found = read_answer(hosted[url])
        while location := found.header("Location"):
            found = read_answer(hosted[urljoin(url, location)])
        yield from pictures_of(found)


def pictures_of_step(step: Step) -> Iterator[tuple[Exchange, bytes]]:
    """Every picture that the answers of a step lead to, with the GetObject that it is due to."""
    for exchange in bundles_of(step):
        answer = read_answer(exchange.answer)
        yield from ((exchange, picture) for picture in pictures_of(answer))
        yield from ((exchange, picture) for picture in pictures_by_url(step, answer))


def body_of(answer: RawAnswer) -> bytes:
    assert isinstance(answer.body, bytes)
    return answer.body


def parts_of(answer: RawAnswer) -> list[bytes]:
    """The bodies of the parts; of an answer that is one object, its body."""
    content_type = answer.header("Content-Type") or ""
    if "multipart" not in content_type.lower():
        return [body_of(answer)]
    # The toolbelt knows neither apostrophes around a boundary (Q3), nor preambles (Q6), nor parts
    # that end before an empty line has ended their head (Q10).
    content_type = content_type.replace("'", '"')
    match = re.search(r'boundary="?([^";]+)', content_type, re.IGNORECASE)
    assert match
    body = body_of(answer).replace(b"/>\r\n\r\n--", b"/>\r\n\r\n\r\n--")
    start = body.index(f"--{match[1]}".encode())
    return [part.content for part in MultipartDecoder(body[start:], content_type).parts]


def pictures_of(answer: RawAnswer) -> Iterator[bytes]:
    """The parts that Pillow can read to their end."""
    for part in parts_of(answer):
        try:
            with Image.open(io.BytesIO(part)) as image:
                image.load()
        except OSError:
            continue
        yield part


@pytest.mark.parametrize(("fixture", "step"), STEPS, ids=name_of)
def test_as_many_pictures_are_in_the_answers_as_should_be_downloaded(fixture: Fixture, step: Step) -> None:
    assert len(list(pictures_of_step(step))) == step.expected.cycle.downloaded, fixture.name


@pytest.mark.parametrize(("fixture", "step"), STEPS, ids=name_of)
def test_every_url_that_is_recorded_is_named_by_an_answer_or_a_redirect(fixture: Fixture, step: Step) -> None:
    texts = [unescape(exchange.answer.read_bytes().decode("latin-1")) for exchange in step.exchanges]
    for exchange in step.exchanges:
        if exchange.transaction == "Photo":
            name = re.escape(exchange.params["URL"].rpartition("/")[2])
            assert any(re.search(rf"[/ ]{name}\s", text) for text in texts), fixture.name


@pytest.mark.parametrize("fixture", FIXTURES, ids=name_of)
def test_every_expected_photo_came_in_an_answer_about_its_listing_with_its_size(fixture: Fixture) -> None:
    came: dict[tuple[str, str], bytes] = {}
    for step in fixture.steps:
        for exchange, picture in pictures_of_step(step):
            listings = [ids.partition(":")[0] for ids in exchange.params["ID"].split(",")]
            came |= {(listing, sha256(picture).hexdigest()): picture for listing in listings}
        for listing, expected in step.expected.listings.items():
            for entry in expected.media:
                picture = came[listing, str(entry["Sha256"])]
                assert entry["Bytes"] == len(picture)
                with Image.open(io.BytesIO(picture)) as image:
                    assert (entry["ImageWidth"], entry["ImageHeight"]) == image.size
                    assert entry["MediaType"] == image.get_format_mimetype()


@pytest.mark.parametrize("fixture", FIXTURES, ids=name_of)
def test_what_should_be_uploaded_is_what_no_listing_had_before(fixture: Fixture) -> None:
    """Pictures that are shown for the first time, step by step: none is uploaded twice, none is missed."""
    for before, after in pairwise([None, *fixture.steps]):
        assert after
        had = shown(before) if before else set()
        assert after.expected.cycle.uploaded == len(shown(after) - had), after.name


def shown(step: Step) -> set[tuple[str, str]]:
    return {
        (listing, str(entry["Sha256"]))
        for listing, expected in step.expected.listings.items()
        for entry in expected.media
    }


@pytest.mark.parametrize(("fixture", "step"), STEPS, ids=name_of)
def test_media_are_in_order_with_one_default(fixture: Fixture, step: Step) -> None:
    for key, listing in step.expected.listings.items():
        orders = [entry["Order"] for entry in listing.media]
        assert orders == sorted(set(orders)), (fixture.name, key)  # type: ignore[type-var]
        preferred = [entry["MediaKey"] for entry in listing.media if entry["PreferredPhotoYN"]]
        assert preferred == ([listing.default] if listing.media else [])


def test_the_steps_walk_through_every_case_of_a_set() -> None:
    cases = "first-load nothing-changed photo-replaced photos-added photos-removed default-photo-changed"
    cases += " order-changed bad-part bundle-cut recovered listing-gone set-emptied back-on-the-market"
    for fixture in FIXTURES:
        if fixture.name in {"crea-standard-xml", "compact-whole-set"}:
            assert [step.name[3:] for step in fixture.steps] == cases.split()


def test_a_cut_answer_promises_more_bytes_than_it_has() -> None:
    cut = [
        exchange.answer
        for _, step in STEPS
        if step.name.endswith("-cut")
        for exchange in step.exchanges
        if exchange.transaction != "Search"
        if (length := read_answer(exchange.answer).header("Content-Length"))
        and int(length) > len(body_of(read_answer(exchange.answer)))
    ]
    assert len(cut) == 5
