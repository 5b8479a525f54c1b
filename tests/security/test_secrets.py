"""Secrets are planted everywhere, and looked for in all that a person or a file may hold afterwards."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from service.stores.embedded import EmbeddedStore
from tests.acceptance.support import environment
from tests.security.echo_mls import ANSWERS, UA_PASSWORD, EchoMls

FEED = """
[feeds.{name}]
kind = "rets"
login_url = "{url}"
username = "reader"
password_env = "MLS_PASSWORD"
user_agent_password_env = "MLS_AGENT_PASSWORD"
search_format = "COMPACT"
class = "ResidentialProperty"
query = "{query}"
paging = "none"
keys_interval = "24h"
"""


def command(env: Mapping[str, str], *words: str, module: str = "service") -> str:
    """All that a command says."""
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        env={**os.environ, **env},
        capture_output=True,
        timeout=110,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return (done.stdout + done.stderr).decode()


def write_configuration(folder: Path, mls: EchoMls, s3: EmbeddedStore) -> Path:
    feeds = {
        "photos": ("/login", "(ModificationTimestamp={since}+)"),
        "search": ("/login", "(ModificationTimestamp={since}+),(Fails=fails)"),
        "login": ("/login-broken", "(A={since})"),
        "refused": ("/login-refused", "(A={since})"),
    }
    text = f'[catalog]\nurl = "sqlite:///{folder / "catalog.db"}"\n[store]\nurl = "{s3.url}"\n'
    text += 'access_key_env = "S3_ACCESS_KEY"\nsecret_key_env = "S3_SECRET_KEY"\n'
    for name, (path, query) in feeds.items():
        text += FEED.format(name=name, url=mls.server.url(path), query=query)
    file = folder / "listing-photos.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def mls() -> Iterator[EchoMls]:
    mls = EchoMls()
    yield mls
    mls.server.stop()


def texts_of(catalog: Path) -> dict[str, str]:
    """Every text of the catalog, by table and column."""
    found: dict[str, str] = {}
    with closing(sqlite3.connect(catalog)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            rows = database.execute(f"SELECT * FROM {table}")  # noqa: S608 - the names are the catalog's own
            columns = [column for column, *_ in rows.description]
            for row in rows:
                for column, value in zip(columns, row, strict=True):
                    found[f"{table}.{column}"] = found.get(f"{table}.{column}", "") + f"\n{value}"
    return found


def environment_of(s3: EmbeddedStore) -> dict[str, str]:
    return {**environment(s3), "MLS_AGENT_PASSWORD": UA_PASSWORD}


def check_for_leaks(seen: Mapping[str, str], mls: EchoMls, s3: EmbeddedStore) -> None:
    whole = [*mls.secrets, s3.secret_key, s3.access_key]
    halves = [secret[:12] for secret in mls.secrets[:2]]  # of passwords, also where a text was cut
    leaks = [
        f"{secret} in {place}" for place, text in seen.items() for secret in whole + halves if secret in text
    ]
    assert leaks == []


@pytest.mark.timeout(300)
def test_no_command_and_no_catalog_tells_a_planted_secret(
    mls: EchoMls, s3: EmbeddedStore, tmp_path: Path
) -> None:
    config, env = str(write_configuration(tmp_path, mls, s3)), environment_of(s3)
    seen = {"once": command(env, "once", "-c", config, "--json", "--log-level", "debug")}
    commands = {
        "status": ("status", "-c", config),
        "status --json": ("status", "-c", config, "--json"),
        "status --parked": ("status", "-c", config, "--parked"),
        "plan": ("plan", "-c", config, "photos"),
        "plan that fails": ("plan", "-c", config, "search"),
    }
    with ThreadPoolExecutor(2) as pool:
        done = {name: pool.submit(command, env, *words) for name, words in commands.items()}
        seen |= {name: said.result() for name, said in done.items()}
    seen |= texts_of(tmp_path / "catalog.db")
    _check_it_was_tried(mls, seen)
    check_for_leaks(seen, mls, s3)


@pytest.mark.timeout(300)
def test_no_recording_and_no_replay_tells_a_planted_secret(
    mls: EchoMls, s3: EmbeddedStore, tmp_path: Path
) -> None:
    config, env = str(write_configuration(tmp_path, mls, s3)), environment_of(s3)
    out = tmp_path / "recorded"
    words = ("-c", config, "--feed", "photos", "--out", str(out), "--log-level", "debug")
    seen = {"record": command(env, *words, module="service.record")}
    seen["replay"] = command(env, str(out), module="service.replay")
    for file in sorted(path for path in out.rglob("*") if path.is_file()):
        seen[str(file)] = file.read_bytes().decode("latin-1")
    assert any("scrubbed" in text for text in seen.values())
    check_for_leaks(seen, mls, s3)


def _check_it_was_tried(mls: EchoMls, seen: Mapping[str, str]) -> None:
    """The test is worth nothing if the secrets were never sent, or nothing was said."""
    headers = "".join(str(request.headers) for request in mls.server.requests)
    assert "planted-session-cookie" in headers
    assert "planted-nonce" in headers
    assert any("planted-signature" in request.target for request in mls.server.requests)
    assert seen["owed.why"].count("\n") >= len(ANSWERS) - 1
    assert "[hidden]" in seen["owed.why"]
    assert "[hidden]" in seen["owed.evidence"]
    assert seen["runs.error"].count("[hidden]") >= 2
    for name in ("once", "status", "status --json", "status --parked"):
        assert "[hidden]" in seen[name], name


@contextmanager
def bad_database() -> Iterator[tuple[int, list[bytes]]]:
    """Asks for the password in plain text, and refuses it."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                first = connection.recv(4096)
                if first[4:8] in {b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"}:  # TLS, GSSAPI: no
                    connection.sendall(b"N")
                    connection.recv(4096)
                connection.sendall(b"R\0\0\0\x08\0\0\0\x03")
                heard.append(connection.recv(4096))
                words = b'SFATAL\0C28P01\0Mpassword authentication failed for user "keeper"\0\0'
                connection.sendall(b"E" + (len(words) + 4).to_bytes(4, "big") + words)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def test_a_database_password_that_is_refused_is_not_repeated(mls: EchoMls, tmp_path: Path) -> None:
    password = "planted-database-password"
    with bad_database() as (port, heard):
        file = tmp_path / "c.toml"
        url = f"postgresql+psycopg://keeper@127.0.0.1:{port}/photos?gssencmode=disable&sslmode=disable"
        file.write_text(
            f'[catalog]\nurl = "{url}"\npassword_env = "DB"\n'
            + FEED.format(name="photos", url=mls.server.url("/login"), query="(A={since})"),
            encoding="utf-8",
        )
        env = {**environment(), "MLS_AGENT_PASSWORD": UA_PASSWORD, "DB": password}
        said = command(env, "status", "-c", str(file))
    assert any(password.encode() in word for word in heard)
    assert "password authentication failed" in said
    assert password not in said
