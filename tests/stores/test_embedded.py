"""The embedded S3 server's life: start, crash, stop, orphans, and who may hold its directory."""

import contextlib
import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from service.errors import ConfigError, RetryLater
from service.stores import embedded, guard, weed
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.stores.support import bucket_of, wait_until

OWNER = """
import sys, time
from pathlib import Path
from service.stores.embedded import EmbeddedStore
with EmbeddedStore(Path(sys.argv[1])) as server:
    print(server._guard.pid, flush=True)
    time.sleep(600)
"""


def put(store: MinioStore, key: str, content: bytes) -> None:
    store.put(
        key,
        io.BytesIO(content),
        len(content),
        sha256(content).hexdigest(),
        media_type="image/jpeg",
        cache_control="public",
    )


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A dead child of a process that does not wait for it still has its number.
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text(encoding="ascii", errors="replace").split()[2] == "Z")


def pid_in(directory: Path) -> int:
    return int((directory / "weed.pid").read_text(encoding="ascii"))


@contextlib.contextmanager
def owner(directory: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that holds the directory, and its guard's number; killed at the end."""
    command = [sys.executable, "-c", OWNER, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_what_was_put_is_there_at_the_next_start_at_the_same_address(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as server, bucket_of(server) as store:
        put(store, "feed/1/a.jpg", b"kept")
        first = (server.url, server.access_key, server.secret_key)
        pid = server.pid
    assert not is_running(pid)
    assert not (tmp_path / "weed.pid").exists()
    with EmbeddedStore(tmp_path) as server, bucket_of(server) as store:
        assert store.get("feed/1/a.jpg") == b"kept"
        assert (server.url, server.access_key, server.secret_key) == first


def test_whoever_has_the_access_file_can_read_the_bucket(s3: EmbeddedStore) -> None:
    path = s3._directory / "access.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    access = json.loads(path.read_bytes())
    host = access["endpoint"].removeprefix("http://")
    reader = MinioStore(host, access["access_key"], access["secret_key"], access["bucket"], secure=False)
    with bucket_of(s3) as store:
        put(store, "access/1/a.jpg", b"seen")
    assert reader.get("access/1/a.jpg") == b"seen"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/net/tcp")
def test_nothing_listens_beyond_loopback(s3: EmbeddedStore) -> None:
    folder = Path(f"/proc/{s3.pid}")
    links = [str(link.readlink()) for link in (folder / "fd").iterdir() if link.is_symlink()]
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    listening = [
        fields[1]
        for name in ("tcp", "tcp6")
        for fields in map(str.split, (folder / "net" / name).read_text(encoding="ascii").splitlines()[1:])
        if fields[3] == "0A" and fields[9] in inodes
    ]
    ports = {int(address.rpartition(":")[2], 16) for address in listening}
    assert {address.partition(":")[0] for address in listening} == {"0100007F"}
    assert int(s3.endpoint.rpartition(":")[2]) in ports
    known = {port + offset for port in s3._access["ports"].values() for offset in (0, weed.GRPC_OFFSET)}
    assert ports <= known


def test_a_server_killed_under_load_comes_back_with_every_acknowledged_put(tmp_path: Path) -> None:
    acknowledged: dict[str, bytes] = {}
    stop = threading.Event()

    def load(store: MinioStore, thread: int) -> None:
        for number in range(10_000):
            if stop.is_set():
                return
            key, content = f"feed/{thread}/{number}.jpg", b"%d-%d" % (thread, number) * 1000
            with contextlib.suppress(RetryLater):
                put(store, key, content)
                acknowledged[key] = content

    with EmbeddedStore(tmp_path) as server, bucket_of(server) as store:
        endpoint, first = server.endpoint, server.pid
        threads = [threading.Thread(target=load, args=(store, thread)) for thread in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(acknowledged) > 40)
        os.kill(first, signal.SIGKILL)
        before = len(acknowledged)
        wait_until(lambda: len(acknowledged) > before + 40)
        stop.set()
        for thread in threads:
            thread.join(30)
        assert server.pid != first
        assert server.endpoint == endpoint
        assert {key: store.get(key) for key in acknowledged} == acknowledged


def test_the_server_goes_when_its_owner_is_killed_and_the_next_owner_finds_everything(tmp_path: Path) -> None:
    with owner(tmp_path) as (process, _):
        pid = pid_in(tmp_path)
        with pytest.raises(ConfigError, match=f"in use by process {process.pid}"):
            EmbeddedStore(tmp_path).__enter__()
        assert is_running(pid)
        process.kill()
    # The next owner does not wait to be told: it may come while the old server is still there.
    with EmbeddedStore(tmp_path) as server, bucket_of(server) as store:
        assert not is_running(pid)
        put(store, "feed/1/a.jpg", b"mine")
        assert store.get("feed/1/a.jpg") == b"mine"


def test_a_server_that_lost_even_its_guard_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with owner(tmp_path) as (process, guard_pid):
        pid = pid_in(tmp_path)
        os.kill(pid, signal.SIGSTOP)  # else it would end with its log's pipe, which is no rule
        process.send_signal(signal.SIGSTOP)  # so that it cannot take part
        os.kill(guard_pid, signal.SIGKILL)
        process.kill()
    assert is_running(pid)
    server = EmbeddedStore(tmp_path)
    with monkeypatch.context() as patience:
        patience.setattr(guard, "STOP_SECONDS", 0.1)
        server.__enter__()
    assert not is_running(pid)
    assert server.pid != pid
    server.close()


def test_a_number_that_is_another_processs_by_now_is_left_alone(tmp_path: Path) -> None:
    server = EmbeddedStore(tmp_path)
    server._write_access()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (tmp_path / "weed.pid").write_text(f"{other.pid}\n", encoding="ascii")
        server._kill_server()
        assert other.poll() is None
        other.kill()


def test_two_in_one_process_do_not_share_a_directory(s3: EmbeddedStore) -> None:
    second = EmbeddedStore(s3._directory)
    with pytest.raises(ConfigError, match=f"in use by process {os.getpid()}"):
        second.__enter__()
    with bucket_of(s3) as store:
        store.ensure_bucket()


def test_ports_are_kept_while_they_are_free() -> None:
    ports = weed.free_ports({})
    assert weed.free_ports(ports) == ports
    for taken in (ports["filer"], ports["s3"] + weed.GRPC_OFFSET):
        with socket.create_server((weed.HOST, taken)):
            others = weed.free_ports(ports)
        assert taken not in {port + offset for port in others.values() for offset in (0, weed.GRPC_OFFSET)}


@pytest.mark.parametrize("broken", ["[1", "[1]", "{}", "null"])
def test_an_access_file_that_cannot_be_used_is_replaced(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "access.json"
    path.write_text(broken, encoding="ascii")
    server = EmbeddedStore(tmp_path)
    server._write_access()
    assert json.loads(path.read_bytes())["secret_key"] == server.secret_key
    assert len(server.secret_key) == 40


def test_a_server_that_cannot_start_shows_the_end_of_its_log_and_lets_go(tmp_path: Path) -> None:
    (tmp_path / "filerldb2").write_text("not a folder", encoding="ascii")
    with pytest.raises(ConfigError) as caught:
        EmbeddedStore(tmp_path).__enter__()
    assert "does not start" in str(caught.value)
    assert "filerldb2" in str(caught.value)
    for name in ("lock", "weed.lock"):
        held = embedded._hold(tmp_path / name)
        assert held is not None
        os.close(held)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(ConfigError, match="file/objects cannot be used"):
        EmbeddedStore(tmp_path / "file" / "objects").__enter__()


def test_no_secret_is_on_a_command_line_or_in_the_log(s3: EmbeddedStore) -> None:
    assert s3._guard is not None
    for pid in (s3.pid, s3._guard.pid):
        command = embedded._command_of(pid)
        assert f"-s3.port={s3.endpoint.rpartition(':')[2]} " in command
        assert s3.secret_key not in command
    assert s3.secret_key not in (s3._directory / "weed.log").read_text(encoding="utf-8")


def test_ports_are_chosen_apart_from_each_other_and_from_outgoing_ones() -> None:
    for _ in range(50):
        ports = weed.free_ports({}).values()
        every = {port + offset for port in ports for offset in (0, weed.GRPC_OFFSET)}
        assert len(every) == 2 * len(weed.SERVICES)
        assert max(every) < 32_768


def test_the_executable_is_there() -> None:
    version = subprocess.run([weed.executable(), "version"], capture_output=True, text=True, check=True)
    assert re.match(r"version \S+ \d+\.\d+", version.stdout)
