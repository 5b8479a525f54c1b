"""The guard: restarts, the end with its parent, and a bounded log. Each runs as a real process."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.stores import guard
from tests.stores.support import wait_until


@contextmanager
def guarding(directory: Path, *script: str) -> Iterator[subprocess.Popen[bytes]]:
    """A guard over a Python program."""
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT)
    child = [sys.executable, "-I", "-S", "-c", *script]
    command = [sys.executable, "-I", "-S", guard.__file__, str(lock), *child]
    process = subprocess.Popen(command, cwd=directory, stdin=subprocess.PIPE, pass_fds=(lock,))
    os.close(lock)
    try:
        yield process
    finally:
        if process.stdin:
            process.stdin.close()
        process.wait(20)


def log_of(directory: Path) -> str:
    path = directory / "weed.log"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def say_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"r")
    process.stdin.flush()


def test_a_server_that_dies_before_it_is_ready_ends_the_guard(tmp_path: Path) -> None:
    with guarding(tmp_path, "print('no'); raise SystemExit(3)") as process:
        assert process.wait(20) == 1
    assert log_of(tmp_path) == "no\n"


def test_a_server_that_dies_after_it_is_ready_is_started_again_and_again(tmp_path: Path) -> None:
    sleeper = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(600)"
    with guarding(tmp_path, sleeper) as process:
        wait_until(lambda: log_of(tmp_path).count("pid") == 1)
        say_ready(process)
        for lives in (2, 3):
            os.kill(int(log_of(tmp_path).split()[-1]), signal.SIGKILL)
            wait_until(lambda lives=lives: log_of(tmp_path).count("pid") == lives)  # type: ignore[misc]
        assert process.poll() is None
    assert process.returncode == 0


def test_the_end_of_the_parents_pipe_stops_the_server(tmp_path: Path) -> None:
    sleeper = "import time; print('up', flush=True); time.sleep(600)"
    with guarding(tmp_path, sleeper) as process:
        wait_until(lambda: "up" in log_of(tmp_path))
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process.send_signal(name)  # a terminal's Ctrl-C reaches everybody; only the parent decides
        say_ready(process)
        assert process.poll() is None
    assert process.returncode == 0


def test_a_server_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('up', flush=True); time.sleep(600)"
    )
    with guarding(tmp_path, stubborn) as process:
        wait_until(lambda: "up" in log_of(tmp_path))
    assert process.returncode == 0


def test_the_log_stays_bounded_and_keeps_its_newest_lines(tmp_path: Path) -> None:
    lines = b"".join(b"%07d %s\n" % (number, b"x" * 1015) for number in range(5000))
    path = tmp_path / "weed.log"
    guard.keep_log(io.BytesIO(lines), path)
    kept = sorted(tmp_path.iterdir())
    assert [file.name for file in kept] == ["weed.log", "weed.log.1"]
    assert sum(file.stat().st_size for file in kept) < 2 * guard.MAX_LOG_BYTES + 4096
    assert path.read_bytes().splitlines()[-1].startswith(b"0004999 ")


def test_a_log_that_cannot_be_written_costs_its_lines_and_nothing_else(tmp_path: Path) -> None:
    lines = io.BytesIO(b"one\ntwo\n")
    guard.keep_log(lines, tmp_path / "none" / "weed.log")
    assert lines.read() == b""
