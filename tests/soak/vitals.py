"""What a process holds, as the kernel counts it: memory, files, sockets, threads."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PAGE = os.sysconf("SC_PAGE_SIZE")

MORE_MEMORY = 24 * 2**20
"""Bytes. What may lie between two quarters of a run: caches of a database and of an allocator breathe."""

MORE_THINGS = 12
"""Files, sockets or threads: connections come and go with the work of the moment."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at a process."""

    memory: int
    files: int
    sockets: int
    threads: int


def look(pid: int) -> Vitals:
    """Now. Memory is what is resident, in bytes; files are those that are open and no sockets."""
    process = Path("/proc") / str(pid)
    targets = [_target(link) for link in (process / "fd").iterdir()]
    sockets = sum(target.startswith("socket:") for target in targets)
    resident = int((process / "statm").read_text(encoding="ascii").split()[1])
    threads = len(list((process / "task").iterdir()))
    return Vitals(resident * PAGE, len(targets) - sockets, sockets, threads)


def leaks(looks: Sequence[Vitals]) -> list[str]:
    """What grew from the second quarter to the last, in words; the first quarter is the first load."""
    quarter = len(looks) // 4
    if not quarter:
        return ["too short to tell"]
    early, late = looks[quarter : 2 * quarter], looks[-quarter:]
    bounds = {"memory": MORE_MEMORY, "files": MORE_THINGS, "sockets": MORE_THINGS, "threads": MORE_THINGS}
    found: list[str] = []
    for name, more in bounds.items():
        was, now = (median(getattr(one, name) for one in some) for some in (early, late))
        if now > was + more:
            found.append(f"{name} grew from {was:,.0f} to {now:,.0f}")
    return found


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # it was closed between the list and this look
        return ""
