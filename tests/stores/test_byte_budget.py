"""The bound on bytes that all uploads hold together."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.stores.byte_budget import ByteBudget
from tests.stores.support import wait_until


def test_threads_never_hold_more_than_the_limit_together() -> None:
    budget, lock, held, most = ByteBudget(100), threading.Lock(), [0], [0]

    def hold(count: int) -> None:
        with budget.hold(count):
            with lock:
                held[0] += count
                most[0] = max(most[0], held[0])
            with lock:
                held[0] -= count

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(hold, [30, 60, 10, 45] * 50))
    assert 0 < most[0] <= 100


def test_a_larger_holder_passes_alone_and_is_not_overtaken() -> None:
    budget, large_is_in, small_is_in = ByteBudget(100), threading.Event(), threading.Event()
    large_may_go = threading.Event()

    def large() -> None:
        with budget.hold(5000):
            large_is_in.set()
            assert large_may_go.wait(10)

    def small() -> None:
        with budget.hold(1):
            small_is_in.set()

    threads = [threading.Thread(target=large), threading.Thread(target=small)]
    with budget.hold(1):
        threads[0].start()
        wait_until(budget._turn.locked)
        threads[1].start()
        assert not large_is_in.wait(0.05)
        assert not small_is_in.is_set()
    assert large_is_in.wait(10)
    assert not small_is_in.wait(0.05)
    large_may_go.set()
    assert small_is_in.wait(10)
    for thread in threads:
        thread.join(10)


def test_an_error_gives_its_bytes_back() -> None:
    budget = ByteBudget(10)
    with pytest.raises(ValueError, match="mine"), budget.hold(10):
        raise ValueError("mine")
    done = threading.Event()

    def again() -> None:
        with budget.hold(10):
            done.set()

    threading.Thread(target=again, daemon=True).start()
    wait_until(done.is_set)
