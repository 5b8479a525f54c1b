import threading
import time

import pytest

from service.ingest.accounts import Account


def test_q99_so_many_sessions_may_be_open_at_once_and_the_next_one_waits() -> None:
    account, never = Account(2), threading.Event()
    entered = threading.Event()

    def third() -> None:
        with account.session(never) as admitted:
            assert admitted
            entered.set()

    with account.session(never) as one:
        with account.session(never) as two:
            thread = threading.Thread(target=third)
            thread.start()
            assert one
            assert two
            assert not entered.wait(0.3)
        assert entered.wait(5)
    thread.join(5)


def test_whoever_is_stopped_while_waiting_leaves_within_a_second() -> None:
    account, stop = Account(), threading.Event()
    left: list[bool] = []

    def waiting() -> None:
        with account.session(stop) as admitted:
            left.append(admitted)

    with account.session(threading.Event()):
        thread = threading.Thread(target=waiting)
        thread.start()
        stop.set()
        began = time.monotonic()
        thread.join(5)
        assert left == [False]
        assert time.monotonic() - began < 1
    with account.session(threading.Event()) as admitted:
        assert admitted


def test_a_failure_inside_gives_the_session_back() -> None:
    account = Account()

    def fail() -> None:
        with account.session(threading.Event()) as admitted:
            assert admitted
            raise LookupError

    for _ in range(3):
        with pytest.raises(LookupError):
            fail()
