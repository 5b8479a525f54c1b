"""An S3 server of our own on loopback: SeaweedFS, started with us, supervised, and stopped with us.

Everything that lasts is under one directory. `guard.py` stands between us and the server: it starts
it again when it dies, and stops it when we are gone, however we went. Two locks tell who is there:
`lock` is held by the process that owns the directory, `weed.lock` by its guard and its server, which
may outlive the owner for a moment.
"""

import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from service.errors import ConfigError, RetryLater
from service.stores import guard, weed
from service.stores.object_store import MinioStore

BUCKET = "photos"

READY_SECONDS = 30.0
"""A start takes about a second; a machine that swaps, or a crash to recover from, may need more."""

STARTS = 3
"""A free port can be taken in the moment between the choice and the use; not three times over."""


_PYTHON_NEEDS = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class EmbeddedStore:
    """`with EmbeddedStore(directory) as server:` gives an address, two keys and a bucket.

    The same directory has the same keys, and wherever possible the same port, each time; they stand
    in `access.json`, for whoever wants to read the bucket. ConfigError when the directory is in use
    or the server does not start.
    """

    bucket = BUCKET

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()
        self._access: dict[str, Any] = {}
        self._lock: int | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """`HOST:PORT` of the S3 service, plain HTTP."""
        return f"{weed.HOST}:{self._access['ports']['s3']}"

    @property
    def url(self) -> str:
        """The bucket, as `store.url` spells it."""
        return f"s3://{self.endpoint}/{self.bucket}?secure=false"

    @property
    def access_key(self) -> str:
        """Random per directory."""
        return str(self._access["access_key"])

    @property
    def secret_key(self) -> str:
        """Random per directory."""
        return str(self._access["secret_key"])

    @property
    def pid(self) -> int:
        """The server's process id; another one after a restart."""
        return int((self._directory / "weed.pid").read_text(encoding="ascii"))

    def __enter__(self) -> Self:
        """Start the server; it is ready on return."""
        try:
            self._take_directory()
            self._evict()
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.close()

    def close(self) -> None:
        """Stop the server and let go of the directory."""
        try:
            self._stop()
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    # Who holds the directory.

    def _take_directory(self) -> None:
        path = self._directory / "lock"
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock = _hold(path)
            if self._lock is None:
                holder = path.read_text(encoding="ascii").strip() or "?"
                raise ConfigError(f"store.url: {self._directory} is in use by process {holder}")
            os.truncate(self._lock, 0)
            os.write(self._lock, f"{os.getpid()}\n".encode("ascii"))
        except OSError as error:
            raise ConfigError(f"store.url: {self._directory} cannot be used: {error.strerror}") from error

    def _evict(self) -> None:
        """Wait for a server that lost its owner; kill it when even its guard is gone."""
        if not self._is_left_within(guard.STOP_SECONDS + 1):
            self._kill_server()
            if not self._is_left_within(guard.STOP_SECONDS):
                raise ConfigError(
                    f"store.url: a server that lost its owner still runs in {self._directory}",
                    hint="stop the process that weed.pid there names",
                )

    def _is_left_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while (held := _hold(self._directory / "weed.lock")) is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        os.close(held)
        return True

    def _kill_server(self) -> None:
        endpoint = str(_read_access(self._directory / "access.json").get("endpoint"))
        port = endpoint.rpartition(":")[2]
        # It may end by itself at any moment, and its number may by now be another process's.
        with suppress(OSError, ValueError):
            pid = self.pid
            if f"-s3.port={port} " in _command_of(pid):
                os.kill(pid, signal.SIGKILL)

    # The server.

    def _start(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        for _ in range(STARTS):
            self._write_access()
            self._spawn()
            if self._becomes_ready(deadline):
                return
            self._stop()
        raise ConfigError(
            f"store.url: the S3 server in {self._directory} does not start; weed.log ends with\n"
            + _tail(self._directory / "weed.log")
        )

    def _write_access(self) -> None:
        path = self._directory / "access.json"
        kept = _read_access(path)
        self._access = {
            "access_key": kept.get("access_key") or secrets.token_hex(10),
            "secret_key": kept.get("secret_key") or secrets.token_hex(20),
            "ports": weed.free_ports(kept.get("ports") or {}),
        }
        self._access |= {"endpoint": f"http://{self.endpoint}", "bucket": self.bucket}
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(self._access, out, indent=2)
        fresh.replace(path)

    def _spawn(self) -> None:
        lock = _hold(self._directory / "weed.lock")
        if lock is None:
            raise RetryLater(f"store.url: {self._directory} was taken in the meantime")
        program = [sys.executable, "-I", "-S", guard.__file__, str(lock)]
        # An environment of its own: none of our secrets, and none of the user's settings for weed.
        environment = {name: os.environ[name] for name in _PYTHON_NEEDS if name in os.environ} | {
            "HOME": str(self._directory),
            "TMPDIR": str(self._directory),
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }
        try:
            with (self._directory / "weed.log").open("ab") as log:
                self._guard = subprocess.Popen(  # noqa: S603 - our own guard, our own command
                    [*program, *weed.command(self._access["ports"])],
                    cwd=self._directory,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock,),
                    # Ctrl-C in a terminal is for us alone: uploads in flight need the server.
                    start_new_session=True,
                )
        finally:
            os.close(lock)

    def _becomes_ready(self, deadline: float) -> bool:
        """Whether a signed request succeeds; the guard then hears that it is to keep it running."""
        store = MinioStore.from_url(self.url, self.access_key, self.secret_key, uploaders=1)
        process = self._guard
        while process and process.stdin and process.poll() is None and time.monotonic() < deadline:
            try:
                if weed.listens(self._access["ports"]["s3"]):
                    store.ensure_bucket()
                    process.stdin.write(b"r")
                    process.stdin.flush()
                    return True
            except (RetryLater, ConfigError, BrokenPipeError):
                pass  # not ready yet, or dead: the loop's condition tells which
            time.sleep(0.02)
        return False

    def _stop(self) -> None:
        process, self._guard = self._guard, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(guard.STOP_SECONDS + 1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._evict()
        (self._directory / "weed.pid").unlink(missing_ok=True)
        weed.remove_sockets(self._access["ports"])


def _hold(path: Path) -> int | None:
    """A descriptor that holds the file's lock, None when another one does. Closing lets go."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _read_access(path: Path) -> dict[str, Any]:
    """Empty when there is none, or none that can be read: it is written anew at every start."""
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}


def _command_of(pid: int) -> str:
    """A process's command line, "" when there is none. Slim images have /proc and no ps; macOS ps only."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        ps = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(ps, capture_output=True, text=True, check=False).stdout  # noqa: S603 - fixed


def _tail(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return "\n".join(lines[-20:])
