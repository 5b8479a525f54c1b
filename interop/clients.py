"""The clients that others wrote: what they are, and an environment of its own for each.

Versions are locked (requirements-*.txt, package-lock.json). What cannot be installed, or does not
start here, is a `Skip` with the reason that the installer or the interpreter gave. Their code is
never touched.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Protocol

HERE = Path(__file__).parent

INSTALL_SECONDS = 600
"""Two of them compile a C extension."""


class Skip(Exception):  # noqa: N818 - named for what becomes of the client
    """This client cannot be had or cannot run here; the text says why."""


@dataclass(frozen=True, slots=True)
class Driver:
    """How to start a client's driver, from the project's root."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Client(Protocol):
    """A client to be driven."""

    @property
    def title(self) -> str:
        """Its name and version."""

    def prepare(self, folder: Path) -> Driver:
        """Install it into a folder of its own, unless it is there. Raises Skip."""


@dataclass(frozen=True, slots=True)
class PythonClient:
    """A package from PyPI, in a virtual environment. `module` is what its driver imports."""

    name: str
    module: str
    driver: str
    requirements: Path

    @property
    def title(self) -> str:
        """Its name and version."""
        return _title(self.name, self.requirements, "{}==")

    def prepare(self, folder: Path) -> Driver:
        """Install it into a folder of its own, unless it is there. Raises Skip."""
        python = str(folder / "bin" / "python")
        with_project_pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
        install = (*with_project_pip, "install", "--quiet", "--retries=1", "--require-hashes")
        if not _is_installed(folder, self.requirements):
            _do("install", sys.executable, "-m", "venv", "--without-pip", str(folder))
            _do("install", *install, "-r", str(self.requirements))
            _mark_installed(folder, self.requirements)
        _do("start", python, "-c", f"import {self.module}")
        return Driver((python, "-m", self.driver))


@dataclass(frozen=True, slots=True)
class NodeClient:
    """A package from npm. `addons` are its compiled parts, the only ones whose install scripts run."""

    name: str
    addons: tuple[str, ...]
    driver: Path
    package: Path = HERE

    @property
    def title(self) -> str:
        """Its name and version."""
        return _title(self.name, self.package / "package.json", '"{}": "')

    def prepare(self, folder: Path) -> Driver:
        """Install it into a folder of its own, unless it is there. Raises Skip."""
        modules = {"NODE_PATH": str(folder / "node_modules")}
        if not _is_installed(folder, self.package / "package-lock.json"):
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(self.package / name, folder)
            npm = ("npm", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error")
            _do("install", *npm, "ci", "--ignore-scripts", "--fetch-retries=1")
            _do("install", *npm, "rebuild", *self.addons)
            _mark_installed(folder, self.package / "package-lock.json")
        _do("start", "node", "-e", f"require('{self.name}')", environment=modules)
        return Driver(("node", str(self.driver)), modules)


CLIENTS: Sequence[Client] = (
    PythonClient(
        "rets-python", "rets.client", "interop.drivers.rets_python", HERE / "requirements-rets-python.txt"
    ),
    PythonClient("rets", "rets", "interop.drivers.rets", HERE / "requirements-rets.txt"),
    NodeClient("rets-client", ("node-expat",), HERE / "drivers" / "rets_client.js"),
)

REFERENCE = Driver((sys.executable, "-m", "interop.drivers.plain"))
"""requests and requests_toolbelt, from the project's own environment."""


def _do(what: str, *command: str, environment: Mapping[str, str] | None = None) -> None:
    """Run a command; raises Skip with what it said last about an error."""
    try:
        done = subprocess.run(  # noqa: S603 - the commands stand above
            command,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except OSError as error:
        raise Skip(f"{what}: {command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise Skip(f"{what}: no end within {INSTALL_SECONDS} s") from error
    if done.returncode:
        raise Skip(f"{what}: {last_error(done.stderr) or f'exit code {done.returncode}'}")


def last_error(text: str) -> str:
    """The last line of the form `Error: what`; else the last one with the word; else the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if "log of this run" not in line]  # npm's farewell
    for pattern in ("error: ", "error", ""):
        for line in reversed(lines):
            if pattern in line.lower():
                return line
    return ""


def _title(name: str, file: Path, before: str) -> str:
    """The name with the version that stands in the file; `before` is what precedes it there."""
    text = file.read_text(encoding="utf-8")
    version = re.search(rf"^\s*{re.escape(before.format(name))}([\w.]+)", text, re.MULTILINE)
    return f"{name} {version[1]}" if version else name


def _fingerprint(lock: Path) -> str:
    return sha256(sys.version.encode() + lock.read_bytes()).hexdigest()


def _is_installed(folder: Path, lock: Path) -> bool:
    """Whether the folder holds what the lock says; anything else there is removed."""
    mark = folder / "installed"
    if mark.is_file() and mark.read_text(encoding="utf-8") == _fingerprint(lock):
        return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _mark_installed(folder: Path, lock: Path) -> None:
    (folder / "installed").write_text(_fingerprint(lock), encoding="utf-8")
