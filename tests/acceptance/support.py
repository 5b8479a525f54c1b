"""The project's own commands as processes, against a loopback MLS and the shared S3 server."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.ingest.support import S3

PASSWORD, SECRET = "planted-mls-password", "S3_SECRET_KEY"


def environment(s3: S3 | None = None) -> dict[str, str]:
    """What the commands get as secrets."""
    keys = {"S3_ACCESS_KEY": s3.access_key, SECRET: s3.secret_key} if s3 else {}
    return {**os.environ, "MLS_PASSWORD": PASSWORD, "COLUMNS": "200", **keys}


def service(*words: str, s3: S3 | None = None, module: str = "service") -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-W", "error", "-m", module, *words]
    return subprocess.run(
        command, env=environment(s3), capture_output=True, text=True, timeout=100, check=False
    )


def start(*words: str, s3: S3 | None = None, log: Path, module: str = "service") -> subprocess.Popen[bytes]:
    """Start a command; its output goes to `log`. The caller stops it."""
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", module, *words], env=environment(s3), stdout=out, stderr=out
        )


def wait_until(true: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait for a condition, with a bound."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def write_config(
    folder: Path, login_urls: dict[str, str], store: str, more: str = "", feed: str = ""
) -> Path:
    """A configuration file; `more` stands before the feeds, `feed` in each of them."""
    lines = [
        f'{more}\n[catalog]\nurl = "sqlite:///{folder / "catalog.db"}"\n[store]\nurl = "{store}"',
        ""
        if store.startswith("embedded")
        else f'access_key_env = "S3_ACCESS_KEY"\nsecret_key_env = "{SECRET}"',
    ]
    lines += [
        f"""
[feeds.{name}]
kind = "rets"
login_url = "{url}"
username = "reader"
password_env = "MLS_PASSWORD"
search_format = "COMPACT"
class = "ResidentialProperty"
query = "(ModificationTimestamp={{since}}+)"
keys_interval = "0s"
{feed}
"""
        for name, url in login_urls.items()
    ]
    file = folder / "listing-photos.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file
