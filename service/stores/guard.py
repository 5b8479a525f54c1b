"""Keeps one server process running for as long as its parent lives; started as a program of its own.

The parent holds the other end of this process's standard input. Its end of file, which comes even
when the parent is killed with -9, stops the server. A byte on it says that the server is ready:
from then on a server that dies is started again, with the same command. Standard library only, so
that it starts in a few milliseconds.

    python -I -S guard.py LOCK_FD COMMAND...

runs in the server's directory, writes `weed.pid` and `weed.log` there, and hands LOCK_FD, a
locked file, on to the server: the lock is free again only when both are gone.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

STOP_SECONDS = 3.0
"""From SIGTERM to SIGKILL. A stop takes about a second, except when the server waits for its own idle
connections, for up to half a minute; what was acknowledged survives a kill."""

STEADY_SECONDS = 60.0
"""A server that lived this long died by accident and not by habit."""

MAX_DEATHS = 8
"""Early deaths in a row, then it is given up; with the waits below that takes a quarter of a minute."""

WORD_SECONDS = 1.0
"""How long the word that the server was ready may be on its way when the server dies right after it."""

FIRST_WAIT = 0.1
"""Seconds before the first new start; every further death in a row doubles it."""

MAX_LOG_BYTES = 2**20
"""Of weed.log; the one before it is kept as weed.log.1."""


class Guard:
    """One server at a time, its log, and the end of both."""

    def __init__(self, lock: int, command: list[str]) -> None:
        self._lock = lock
        self._command = command
        self._turn = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._ready = threading.Event()
        self._stopping = threading.Event()

    def run(self) -> int:
        """Until the parent is gone (0), or the server dies before it is ready or too often (1)."""
        threading.Thread(target=self._follow_parent, daemon=True).start()
        deaths = 0
        while True:
            started = time.monotonic()
            self._live_once()
            steady = time.monotonic() - started > STEADY_SECONDS
            deaths = 1 if steady else deaths + 1
            if self._stopping.is_set():
                return 0
            if deaths >= MAX_DEATHS or not self._ready.wait(WORD_SECONDS):
                return 1
            self._stopping.wait(FIRST_WAIT * 2 ** (deaths - 1))

    def _live_once(self) -> None:
        with self._turn:
            if self._stopping.is_set():
                return
            child = subprocess.Popen(  # noqa: S603 - the command is EmbeddedStore's own
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(self._lock,),
            )
            self._child = child
        # Whole or not at all: others read it at any moment.
        Path("weed.pid.new").write_text(f"{child.pid}\n", encoding="ascii")
        Path("weed.pid.new").replace("weed.pid")
        if child.stdout:
            keep_log(child.stdout, Path("weed.log"))
        child.wait()

    def _follow_parent(self) -> None:
        while os.read(0, 1):
            self._ready.set()
        with self._turn:
            self._stopping.set()
            child = self._child
        if child:
            child.terminate()
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


def keep_log(lines: IO[bytes], path: Path) -> None:
    """Append every line until the end, in at most two files of MAX_LOG_BYTES."""
    for line in lines:
        # A full disk costs the line: a server must not die of its log.
        with suppress(OSError), path.open("ab", buffering=0) as log:
            if log.tell() > MAX_LOG_BYTES:
                path.replace(path.with_name(path.name + ".1"))
            log.write(line)


def main() -> int:
    """The program. Only the end of its input stops it, so Ctrl-C in a terminal lets uploads finish."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A function, since "ignore" would be inherited by the server.
        signal.signal(name, lambda *_: None)
    return Guard(int(sys.argv[1]), sys.argv[2:]).run()


if __name__ == "__main__":
    sys.exit(main())
