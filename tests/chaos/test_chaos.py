"""A short chaos run: fixed seeds, a few cycles of each way of reading. `make chaos` plays hundreds."""

from pathlib import Path

import pytest

from service.stores.embedded import EmbeddedStore
from tests.chaos.run import chaos
from tests.chaos.scenes import scene


@pytest.mark.parametrize(
    ("way", "seed"), [("sequence", 11), ("sequence-pages", 12), ("set-batches", 13), ("set-urls", 14)]
)
def test_when_the_faults_stop_the_state_is_that_of_a_run_without_faults(
    s3: EmbeddedStore, tmp_path: Path, way: str, seed: int
) -> None:
    played = scene(way, seed, cycles=6)
    with chaos(played, s3, tmp_path) as run:
        wrong = run.play()
        assert not wrong, "\n".join([*wrong, f"again: {played.command}"])
        assert run.faults_met().total() > 5
        assert run.reader.looks > 5
