"""A bucket that is down, full, slow or overloaded: the daemon waits, drops nothing, recovers by itself."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import pytest

from service.simulator.faults import Fault, FaultPlan
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.faults import tcp_proxy
from tests.faults.s3_front import StoreFault
from tests.faults.tcp_proxy import Trouble
from tests.reliability.scenario import stop
from tests.reliability.stage import Stage, in_first_load
from tests.reliability.undisturbed import Undisturbed

K = TypeVar("K", bound=StrEnum)


class Always(FaultPlan[K]):
    """One fault for every request, from its first byte on; none asks for an hour's patience."""

    def fault(self, transaction: str, number: int) -> Fault[K] | None:  # noqa: ARG002 - FaultPlan's
        return Fault(self.kinds[0], 0.0)


@pytest.fixture
def stage(s3: EmbeddedStore, store: MinioStore, tmp_path: Path, catalog_url: str) -> Iterator[Stage]:
    with in_first_load(s3, store, tmp_path, catalog_url) as made:
        yield made


pytestmark = pytest.mark.parametrize("catalog_url", ["sqlite"], indirect=True)


def test_a_store_that_is_down_for_a_while(stage: Stage, undisturbed: Undisturbed) -> None:
    stage.proxy.refuse()
    stage.gate.open.set()
    stage.has_said("cycle.ended", 2)
    assert stage.stored() == []
    stage.proxy.accept()
    stage.recovers(undisturbed)


def test_a_store_that_refuses_and_then_loses_its_answers_for_a_while(
    stage: Stage, undisturbed: Undisturbed
) -> None:
    for fault in (StoreFault.SLOW_DOWN, StoreFault.FULL):
        stage.front.faults.plan = Always(1, 1.0, (fault,))
        stage.gate.open.set()
        stage.has_said("cycle.ended", 2)
        assert stage.stored() == []
    stage.front.faults.plan = Always(1, 1.0, (StoreFault.UNHEARD,))
    stage.has_said("cycle.ended", 2)
    assert stage.stored()
    stage.front.faults.plan = None
    stage.recovers(undisturbed)


def test_puts_that_a_store_lost_are_found_and_made_good_by_the_audit(
    stage: Stage, undisturbed: Undisturbed
) -> None:
    """It answered as if it had done them: only a look into the bucket can tell."""
    stage.front.faults.plan = FaultPlan(1, 0.5, (StoreFault.PUT_LOST,))
    stage.gate.open.set()
    stage.has_said("cycle.ended")
    stop(stage.process)
    assert stage.front.faults.injected()
    stage.front.faults.plan = None
    stage.made.run("audit", "--repair")
    stage.made.reader.wrong.clear()  # until now readers had to see what the store made of it
    stage.process = stage.made.start()
    stage.recovers(undisturbed)
    assert stage.made.run("audit", "--deep") == 0


def test_a_slow_store_costs_only_time(
    stage: Stage, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp_proxy, "SLOW_BYTES", 500)
    monkeypatch.setattr(tcp_proxy, "SLOW_SECONDS", 0.1)
    stage.proxy.faults.plan = Always(1, 1.0, (Trouble.SLOW,))
    stage.gate.open.set()
    stage.recovers(undisturbed)
    assert stage.proxy.faults.injected()
    assert "listing.postponed" not in stage.made.log.read_text()
