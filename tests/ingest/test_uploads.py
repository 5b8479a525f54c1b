import threading

from service.ingest.uploads import Uploaders
from tests.acceptance.support import wait_until


def test_the_queue_is_bounded_and_its_reader_waits() -> None:
    release, begun, submitted = threading.Event(), threading.Semaphore(0), 0

    def task() -> None:
        begun.release()
        assert release.wait(10)

    def reader(uploaders: Uploaders) -> None:
        nonlocal submitted
        for _ in range(10):
            uploaders.submit(task)
            submitted += 1

    with Uploaders(2) as uploaders:
        thread = threading.Thread(target=reader, args=(uploaders,))
        thread.start()
        for _ in range(2):
            assert begun.acquire(timeout=10)
        wait_until(lambda: submitted == 4, "a full queue")
        assert thread.is_alive()
        release.set()
        thread.join(10)
        assert submitted == 10


def test_leaving_waits_for_every_task() -> None:
    done: list[int] = []
    with Uploaders(3) as uploaders:
        for number in range(20):
            uploaders.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    assert sorted(done) == list(range(20))
