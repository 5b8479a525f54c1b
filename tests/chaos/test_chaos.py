"""A short chaos run: fixed seeds, few cycles, many faults. `make chaos` plays hundreds of cycles."""

from pathlib import Path

import pytest

from service.simulator.faults import FaultPlan
from service.stores.embedded import EmbeddedStore
from tests.chaos.run import chaos
from tests.chaos.scenes import scene
from tests.faults.s3_front import StoreFault


@pytest.mark.parametrize(("way", "seed"), [("sequence-pages", 12), ("set-batches", 13), ("set-urls", 14)])
def test_when_the_faults_stop_the_state_is_that_of_a_run_without_faults(
    s3: EmbeddedStore, tmp_path: Path, way: str, seed: int
) -> None:
    played = scene(way, seed, cycles=4, listings=6, rates=(0.3,))
    with chaos(played, s3, tmp_path) as run:
        wrong = run.play()
        assert not wrong, "\n".join([f"seed {seed}", *wrong])
        assert run.stage.faults_met().total() > 2
        assert run.reader.looks > 2


def test_puts_that_a_store_has_acknowledged_and_lost_are_found_by_an_audit_and_made_good(
    s3: EmbeddedStore, tmp_path: Path
) -> None:
    with chaos(scene("sequence", 15, cycles=0), s3, tmp_path) as run:
        run.stage.front.faults.plan = FaultPlan(1, 0.3, (StoreFault.PUT_LOST,))
        assert run.stage.patient().ok
        run.stage.front.faults.plan = None
        assert any(line.startswith("missing") for line in run.audit(repair=True))
        assert run.converge() == []
