"""`python -m interop` without its foreign clients: nothing is installed here."""

import io
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from interop.clients import CLIENTS, HERE, Client, Driver, NodeClient, PythonClient, last_error
from interop.run import FIXTURES, REFERENCE_NAME, Row, recorded, report, visits
from interop.verdict import Expected, GotPhoto, Told, differences, server_faults

RECORDED = recorded()
SMALLEST = FIXTURES / "default-only"


def printed(rows: list[Row]) -> tuple[int, str]:
    out = io.StringIO()
    return report(rows, Console(file=out, width=200)), out.getvalue()


def test_the_reference_gets_exactly_what_every_feed_holds(tmp_path: Path) -> None:
    rows = list(visits([], RECORDED, tmp_path))
    assert [row.feed for row in rows] == [*(folder.name for folder in RECORDED), "plain"]
    for row in rows:
        assert (row.client, row.result, row.what) == (REFERENCE_NAME, "exact", ())
        assert re.fullmatch(r"([1-9]\d*) of \1", row.photos)
    code, text = printed(rows)
    assert code == 0
    assert re.search(rf"^{re.escape(REFERENCE_NAME)} +default-only +exact +2 of 2 *$", text, re.MULTILINE)
    assert text.endswith(f"exact: {len(rows)}, differs: 0, skipped: 0, server wrong: 0\n")


def test_a_server_that_gives_other_bytes_than_the_fixture_promises_is_wrong(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SMALLEST, tmp_path / SMALLEST.name))
    answer = folder / "01-first-load" / "photos-1.http"
    body = answer.read_bytes()
    answer.write_bytes(body[:-3] + b"?" + body[-2:])
    recorded, _ = visits([], [folder], tmp_path / "clients")
    assert (recorded.result, recorded.what) == ("server wrong", ("damaged: 2001/0",))
    assert printed([recorded])[0] == 1


@dataclass(frozen=True)
class Script:
    """A client that is a line of Python."""

    title: str
    code: str

    def prepare(self, folder: Path) -> Driver:
        assert folder.name == self.title.replace(" ", "-")
        return Driver((sys.executable, "-c", self.code))


NOTHING = json.dumps({"metadata": {}, "listings": [], "photos": [], "failures": [["search", "Why: [so]"]]})


def test_whatever_becomes_of_a_client_is_told_and_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # no registry is asked
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))  # no npm
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"rets==99.0.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    clients: list[Client] = [
        PythonClient("rets", "rets", "interop.drivers.rets", lock),
        NodeClient("rets-client", ("node-expat",), tmp_path / "driver.js"),
        Script("lossy 1.0", f"print({NOTHING!r})"),
        Script("dying 1.0", "raise OSError('gone')"),
    ]
    rows = list(visits(clients, [SMALLEST], tmp_path / "clients"))
    lost = "listings: 0 of 3", "lost: 2001/0 2002/1"
    assert [row for row in rows if row.feed not in {"", "plain"}] == [
        Row(REFERENCE_NAME, "default-only", "exact", "2 of 2"),
        Row("lossy 1.0", "default-only", "differs", "0 of 2", ("search: Why: [so]", *lost)),
        Row("dying 1.0", "default-only", "differs", "0 of 2", ("driver: OSError: gone", *lost)),
    ]
    no_such_version = "install: ERROR: No matching distribution found for rets==99.0.0"
    no_npm = "install: npm: No such file or directory"
    assert [row for row in rows if row.feed == ""] == [
        Row("rets 99.0.0", "", "skipped", "", (no_such_version,)),
        Row("rets-client 5.2.4", "", "skipped", "", (no_npm,)),
    ]
    code, text = printed(rows)
    assert code == 0
    assert no_such_version in text
    assert no_npm in text
    assert "Why: [so]" in text
    assert text.endswith("exact: 2, differs: 4, skipped: 2, server wrong: 0\n")


def told(*photos: tuple[str, str, str], listings: tuple[str, ...] = ("1",), **metadata: str) -> Told:
    return Told(metadata, listings, [GotPhoto(*photo) for photo in photos], ())


def test_photos_are_told_by_what_became_of_them() -> None:
    there = told(("1", "1", "a"), ("1", "2", "b"), ("1", "3", "c"), ("2", "1", "d"))
    got = told(("1", "1", "a"), ("1", "2", "x"), ("\u00c3", "1", "d"), ("9", "9", "e"))
    assert differences(got, there) == [
        "damaged: 1/2",
        "under other ids: 2/1",
        "lost: 1/3",
        "never sent: 9/9",
    ]
    assert differences(there, there) == []


def test_a_photo_that_comes_twice_came_once_too_often() -> None:
    assert differences(told(("1", "1", "a"), ("1", "1", "a")), told(("1", "1", "a"))) == ["never sent: 1/1"]


def test_listings_and_names_are_compared_too() -> None:
    there = told(listings=("1", "2"), resource="Property", key_field="ID")
    assert differences(told(listings=("2", "3"), resource="Property", key_field="Key"), there) == [
        "metadata: other key_field",
        "listings: 1 of 2",
    ]


def expected(*photos: tuple[str, str, str], ids: str) -> Expected:
    return Expected({}, frozenset({"1"}), frozenset(GotPhoto(*photo) for photo in photos), {"1": ids})


def test_q34_a_0_that_repeats_another_photo_is_none_of_its_own() -> None:
    repeated = told(("1", "0", "a"), ("1", "1", "a"), ("1", "2", "b"))
    assert server_faults(repeated, expected(("1", "1", "a"), ("1", "2", "b"), ids="*")) == []
    other = told(("1", "0", "c"), ("1", "1", "a"))
    assert server_faults(other, expected(("1", "1", "a"), ids="*")) == ["never sent: 1/0"]


def test_q36_a_photo_counts_under_the_number_that_was_asked() -> None:
    assert server_faults(told(("1", "1", "a")), expected(("1", "0", "a"), ids="0")) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ERROR: first\nERROR: second\nnote: see above\n", "ERROR: second"),
        ("npm error what\nnpm error A complete log of this run can be found in: x\n", "npm error what"),
        ("throw err\n\nError: Cannot find module 'x'\n    at y\n", "Error: Cannot find module 'x'"),
        ("only this\n", "only this"),
        ("", ""),
    ],
)
def test_the_reason_is_the_last_line_that_speaks_of_an_error(text: str, line: str) -> None:
    assert last_error(text) == line


def test_every_client_is_locked_to_one_version_and_no_lock_names_a_host() -> None:
    assert [client.title for client in CLIENTS] == ["rets-python 0.4.12", "rets 1.0.0", "rets-client 5.2.4"]
    locked = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert locked["node_modules/rets-client"]["version"] == "5.2.4"
    assert all("resolved" not in package for package in locked.values())
    for lock in HERE.glob("requirements-*.txt"):
        lines = lock.read_text(encoding="utf-8").splitlines()
        assert all(re.match(r"\S+==\S+ .*\\$|    --hash=", line) for line in lines), lock
