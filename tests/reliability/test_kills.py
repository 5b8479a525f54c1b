"""kill -9 at any step, then a restart: the same final state, and readers who never see anything wrong."""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.reliability.scenario import Scenario, change, load, scenario
from tests.reliability.undisturbed import FORM, Undisturbed

# `make kills` takes all there are, and hundreds at random.
LOAD = [
    "within owe",
    "after photo put#2",
    "within commit",
    "after commit",
    "after manifest put",
    "before end_lease",
]
CHANGE = [
    "after commit#4",
    "after manifest delete",
    "before sweep",
    "after sweep",
    "after deleted",
]


class Begin(Protocol):
    """Gives the scenario right before a phase."""

    def __call__(self, phase: str) -> AbstractContextManager[Scenario]: ...


@pytest.fixture
def begin(s3: EmbeddedStore, store: MinioStore, tmp_path: Path, catalog_url: str) -> Begin:
    @contextmanager
    def begun(phase: str) -> Iterator[Scenario]:
        with scenario(s3, store, tmp_path, catalog_url, FORM) as made:
            load(made.mls)
            if phase == "change":
                made.settle()
                change(made.mls)
            yield made
            assert made.reader.looks

    return begun


SQLITE = pytest.mark.parametrize("catalog_url", ["sqlite"], indirect=True)
POSTGRESQL = pytest.mark.parametrize("catalog_url", ["postgresql"], indirect=True)


def killed_and_made_good(made: Scenario, undisturbed: Undisturbed, phase: str, step: str) -> None:
    assert made.killed_at(step), "the daemon never came to this step"
    assert made.settle() == undisturbed.after(phase, FORM)


@SQLITE
@pytest.mark.parametrize("step", LOAD)
def test_a_daemon_killed_in_its_first_load_is_made_good(
    begin: Begin, undisturbed: Undisturbed, step: str
) -> None:
    with begin("load") as made:
        killed_and_made_good(made, undisturbed, "load", step)


@SQLITE
@pytest.mark.parametrize("step", CHANGE)
def test_a_daemon_killed_while_photos_and_listings_go_is_made_good(
    begin: Begin, undisturbed: Undisturbed, step: str
) -> None:
    with begin("change") as made:
        killed_and_made_good(made, undisturbed, "change", step)


@POSTGRESQL
@pytest.mark.parametrize("step", ["within commit#2", "after manifest delete"])
def test_on_postgresql_a_killed_daemon_is_made_good_just_so(
    begin: Begin, undisturbed: Undisturbed, step: str
) -> None:
    with begin("change") as made:
        killed_and_made_good(made, undisturbed, "change", step)


@SQLITE
def test_kills_at_random_instants_one_after_the_other_change_nothing_in_the_end(
    begin: Begin, undisturbed: Undisturbed
) -> None:
    chance = random.Random(1)  # noqa: S311 - chance, not a secret
    with begin("change") as made:
        for _ in range(4):
            made.killed_at(f"any#{chance.randrange(1, 60)}")
        assert made.settle() == undisturbed.after("change", FORM)
