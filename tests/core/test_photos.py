from hypothesis import given
from hypothesis import strategies as st

from parsers.records import Image
from service.core.photos import EXTENSIONS, listing_prefix, manifest_key, object_name, segment


def test_an_object_is_named_by_its_bytes_and_type() -> None:
    assert object_name(Image("ab" * 32, 10, "image/png")) == "ab" * 32 + ".png"


def test_a_listing_key_becomes_one_path_segment() -> None:
    assert listing_prefix("crea", "A/1 Ü") == "crea/A%2F1%20%C3%9C/"
    assert manifest_key("crea", "20270724") == "crea/20270724/manifest.json"


def test_dots_alone_cannot_climb() -> None:
    assert segment("..") == "%2E%2E"
    assert segment(".") == "%2E"
    assert segment("../x") == "..%2Fx"


def test_a_key_over_200_bytes_is_hashed() -> None:
    assert segment("k" * 200) == "k" * 200
    assert segment("k" * 300).startswith("sha256=")
    assert segment("k" * 300) != segment("k" * 301)


@given(st.text())
def test_a_segment_is_safe_whatever_the_key(key: str) -> None:
    safe = segment(key)
    assert "/" not in safe
    assert safe.strip(".")
    assert 0 < len(safe.encode("ascii")) <= 200


def test_a_key_that_spells_another_ones_hash_is_told_apart() -> None:
    assert segment(segment("k" * 300)) != segment("k" * 300)
    assert segment("") != segment("\0")


@given(st.lists(st.text(max_size=220), unique=True, max_size=8))
def test_different_keys_have_different_segments(keys: list[str]) -> None:
    assert len({segment(key) for key in keys}) == len(keys)


def test_every_stored_type_has_an_extension_of_its_own() -> None:
    assert len(set(EXTENSIONS.values())) == len(EXTENSIONS)
