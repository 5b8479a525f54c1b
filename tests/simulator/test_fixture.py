import json
from collections.abc import Callable
from pathlib import Path

import pytest

from service.errors import ConfigError
from service.simulator.fixture import FixtureAnswers, load_fixture, read_answer

FEED = """
title = "A feed"
about = "For these tests"
[account]
username = "reader"
password = "loopback-only"
[feed]
kind = "rets"
class = "RES"
"""
EXCHANGES = """
about = "The first look"
[[exchange]]
transaction = "Search"
params = { Query = "(Changed={since}+)", Offset = "1" }
answer = "changes.http"
[[exchange]]
transaction = "GetObject"
params = { ID = "A 7/Ü:*" }
answer = "photos.http"
[[exchange]]
transaction = "GetObject"
answer = "any.http"
[[exchange]]
transaction = "Photo"
params = { URL = "photos/7/1.jpg?t=1" }
answer = "picture.http"
"""
COUNTS = ("listings", "downloaded", "uploaded", "unchanged", "moved", "removed", "failed")
ENTRY = {
    "MediaKey": "1",
    "SequenceID": 1,
    "Order": 1,
    "PreferredPhotoYN": True,
    "MediaType": "image/jpeg",
    "ImageWidth": 96,
    "ImageHeight": 72,
    "MediaModificationTimestamp": None,
    "Sha256": "00",
    "Bytes": 1,
}
EXPECTED = {
    "cycle": dict.fromkeys(COUNTS, 1),
    "asked": ["A 7/Ü:*"],
    "owed": {"1": "cut"},
    "listings": {"1": {"default": "1", "media": [ENTRY]}},
}


def answer(text: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n{text}".encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "a-feed"
    for name in ("01-first", "02-second"):
        step = folder / name
        step.mkdir(parents=True)
        (step / "exchanges.toml").write_text(EXCHANGES, encoding="utf-8")
        (step / "expected.json").write_text(json.dumps(EXPECTED), encoding="utf-8")
        for file in ("changes", "photos", "any", "picture"):
            (step / f"{file}.http").write_bytes(answer(f"{file} of {name}"))
    (folder / "feed.toml").write_text(FEED, encoding="utf-8")
    return folder


def test_a_fixture_is_its_feed_and_its_steps_in_order(folder: Path) -> None:
    fixture = load_fixture(folder)
    assert (fixture.name, fixture.title, fixture.about) == ("a-feed", "A feed", "For these tests")
    assert (fixture.account.username, fixture.account.password) == ("reader", "loopback-only")
    assert fixture.settings == {"kind": "rets", "class": "RES"}
    assert [(step.name, step.about) for step in fixture.steps] == [
        ("01-first", "The first look"),
        ("02-second", "The first look"),
    ]


def test_an_expected_result_is_read_into_names(folder: Path) -> None:
    expected = load_fixture(folder).steps[0].expected
    assert expected.cycle.model_dump() == EXPECTED["cycle"]
    assert expected.asked == ("A 7/Ü:*",)
    assert expected.owed == {"1": "cut"}
    assert expected.listings["1"].default == "1"
    assert list(expected.listings["1"].media) == [ENTRY]


def body(answers: FixtureAnswers, transaction: str, **params: str) -> object:
    found = answers.answer(transaction, params)
    return found.body if found else None


def test_a_request_gets_the_first_answer_whose_params_it_has(folder: Path) -> None:
    answers = FixtureAnswers(load_fixture(folder))
    assert body(answers, "GetObject", ID="A 7/Ü:*", Type="Photo") == b"photos of 01-first"
    assert body(answers, "GetObject", ID="2:*") == b"any of 01-first"
    assert body(answers, "Search", Query="(Changed=+)", Offset="1") == b"changes of 01-first"
    assert (
        body(answers, "Search", Query="(Changed=2024-05-01T00:00:00+)", Offset="1") == b"changes of 01-first"
    )


def test_a_picture_is_found_by_the_url_that_an_answer_gives(folder: Path) -> None:
    answers = FixtureAnswers(load_fixture(folder))
    assert body(answers, "Photo", URL="photos/7/1.jpg?t=1") == b"picture of 01-first"
    assert body(answers, "Photo", URL="photos/7/1.jpg?t=2") is None


def test_metadata_is_made_of_the_settings_and_need_not_be_recorded(folder: Path) -> None:
    answers = FixtureAnswers(load_fixture(folder))
    classes = answers.answer("GetMetadata", {"Type": "METADATA-CLASS", "ID": "Property"})
    assert classes
    assert isinstance(classes.body, bytes)
    assert b"<DATA>\tRES\tModificationTimestamp\t</DATA>" in classes.body


@pytest.mark.parametrize(
    "params",
    [
        {"Query": "(Changed=2024+)"},
        {"Query": "(Changed=2024+)", "Offset": "2"},
        {"Query": "(Changed=2024)", "Offset": "1"},
        {"Query": "x(Changed=2024+)", "Offset": "1"},
    ],
)
def test_a_request_that_differs_in_a_listed_param_gets_nothing(folder: Path, params: dict[str, str]) -> None:
    assert FixtureAnswers(load_fixture(folder)).answer("Search", params) is None


def test_answers_come_from_the_step_that_is_played(folder: Path) -> None:
    fixture = load_fixture(folder)
    answers = FixtureAnswers(fixture)
    answers.play(fixture.steps[1])
    assert body(answers, "GetObject", ID="x") == b"any of 02-second"


def test_a_raw_answer_keeps_every_byte_and_every_header(tmp_path: Path) -> None:
    path = tmp_path / "x.http"
    path.write_bytes(b"HTTP/1.1 207 Odd One\r\nA:1\r\na:  2: 3\r\n\r\n\x00\r\n\r\n\xff\n")
    found = read_answer(path)
    assert (found.status, found.reason) == (207, "Odd One")
    assert found.headers == (("A", "1"), ("a", "2: 3"))
    assert found.body == b"\x00\r\n\r\n\xff\n"


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / name
        content = path.read_bytes()
        assert old.encode() in content
        path.write_bytes(content.replace(old.encode(), new.encode()))

    return spoil


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (without("feed.toml"), ["feed.toml", "No such file"]),
        (replaced("feed.toml", "title =", "titel ="), ["feed.toml: title:", "feed.toml: titel:"]),
        (replaced("feed.toml", "[feed]", "[feed"), ["feed.toml: not TOML"]),
        (
            replaced("feed.toml", "class =", "password_env ="),
            ["feed.toml: feed: password_env", "leave it out"],
        ),
        (replaced("feed.toml", "username", "user"), ["account.username"]),
        (
            without("01-first/changes.http"),
            ["01-first", "exchanges.toml: exchange.0.answer", "'changes.http'"],
        ),
        (replaced("01-first/exchanges.toml", '"any.http"', '"../02-second/any.http"'), ["exchange.2.answer"]),
        (replaced("01-first/exchanges.toml", '"Search"', '"Serach"'), ["exchange.0.transaction"]),
        (replaced("01-first/exchanges.toml", "about", "abuot"), ["exchanges.toml: about:"]),
        (replaced("01-first/any.http", "HTTP/1.1", "HTTQ"), ["any.http", "HTTP/1.1 200 OK"]),
        (replaced("01-first/any.http", "Content-Type:", "Content-Type"), ["any.http", "has no colon"]),
        (without("02-second/exchanges.toml"), ["02-second", "exchanges.toml", "No such file"]),
        (without("02-second/expected.json"), ["02-second", "expected.json", "No such file"]),
        (replaced("01-first/expected.json", "{", "("), ["expected.json: not JSON"]),
        (replaced("01-first/expected.json", '"moved"', '"moves"'), ["cycle.moved", "cycle.moves"]),
        (replaced("01-first/expected.json", '"Sha256"', '"Sha265"'), ["listings.1.media", "Sha256, Sha265"]),
    ],
)
def test_a_mistake_is_told_with_its_file_and_its_key(
    folder: Path, spoil: Callable[[Path], None], told: list[str]
) -> None:
    spoil(folder)
    with pytest.raises(ConfigError) as raised:
        load_fixture(folder)
    for text in told:
        assert text in str(raised.value)


def test_a_folder_without_steps_is_told(tmp_path: Path) -> None:
    (tmp_path / "feed.toml").write_text(FEED, encoding="utf-8")
    with pytest.raises(ConfigError, match="has no step"):
        load_fixture(tmp_path)
