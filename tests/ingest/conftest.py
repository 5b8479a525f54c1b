"""Loaded feeds that tests damage, and mend again."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from service.stores.embedded import EmbeddedStore
from tests.ingest.damage import BY_SEQUENCE, Ward, ward_of


@pytest.fixture(scope="module")
def wards(s3: EmbeddedStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Ward]]:
    """Every test leaves its ward as it found it; after a failure the next one gets a new one."""
    with ExitStack() as stack:
        kept: dict[str, Ward] = {}

        def ward(form: str) -> Ward:
            if form not in kept or not kept[form].audit().ok:
                folder = tmp_path_factory.mktemp("ward")
                kept[form] = stack.enter_context(ward_of(s3, folder, form, delete_after="36h"))
            return kept[form]

        yield ward


@pytest.fixture
def ward(wards: Callable[[str], Ward]) -> Ward:
    """A feed whose records list their photos."""
    return wards(BY_SEQUENCE)
