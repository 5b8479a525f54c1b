"""Tests run from the project's root, like every command; one S3 server serves a whole worker."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.stores.embedded import EmbeddedStore

os.chdir(Path(__file__).parent.parent)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """A real S3 server. Tests keep apart by the names of their feeds."""
    with EmbeddedStore(tmp_path_factory.mktemp("s3")) as server:
        yield server
