"""`python -m service.record` as a user runs it, against a live loopback MLS; then the replay."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest
from pydantic import SecretStr

from service.config import check_config
from service.record import make_step
from service.recording.take import plan_take
from service.simulator.answers import RawAnswer
from service.simulator.fixture import FixtureAnswers, load_fixture
from service.simulator.front_desk import Site
from service.simulator.mls import Mls
from service.simulator.server import LoopbackServer
from tests.acceptance.recordings import (
    AGENT_PASSWORD,
    ALL_SHOWN,
    COMPACT,
    STANDARD_XML,
    USER,
    Doctored,
    Signed,
    assert_replays,
    bad_bundle,
    configure,
    cut_bundle,
    everything_in,
    expected,
    live,
    out_of_order,
    record,
    shown,
    small_mls,
    words,
)
from tests.acceptance.support import PASSWORD, start
from tests.feeds.scripted import ScriptedServer
from tests.ingest.support import jpeg, listing, photo

FORMS = pytest.mark.parametrize("form", [COMPACT, STANDARD_XML], ids=["compact", "standard-xml"])


@FORMS
def test_a_recording_replays_at_once(form: str, tmp_path: Path) -> None:
    out = tmp_path / "recorded"
    with live(Doctored(small_mls(), {"1003:*": bad_bundle})) as server:
        done = record(configure(tmp_path, server, form), out)
        asked = [seen.params["ID"] for seen in server.requests if seen.transaction == "GetObject"]
        assert server.open_sessions("live") == 0
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"python -m service.replay {out}" in done.stdout
    assert expected(out)["asked"] == sorted(asked)
    assert shown(out) == ALL_SHOWN
    assert set(expected(out)["owed"]) == {"1003"}
    assert list(tmp_path.glob(".recorded*")) == []
    assert_replays(out)


def test_a_second_recording_is_the_next_step(tmp_path: Path) -> None:
    out, mls = tmp_path / "recorded", small_mls()
    bundles: dict[str, Callable[[], RawAnswer]] = {"1003:*": cut_bundle, "1002:*": out_of_order}
    with live(Doctored(mls, bundles)) as server:
        config = configure(tmp_path, server, COMPACT)
        assert record(config, out, "--step", "first-cut").returncode == 0
        bundles.clear()
        mls.remove("1004")
        mls.put(listing("1001", photo(1), photo(2, 22), day=9))
        seen = len(server.requests)
        done = record(config, out)
        asked = [one.params["ID"] for one in server.requests[seen:] if one.transaction == "GetObject"]
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(asked) == ["1001:*", "1002:*", "1003:*"]  # what changed, and what stayed owed
    assert expected(out, "01-first-cut")["owed"].keys() == {"1002", "1003"}
    assert shown(out, "01-first-cut") == {"1001": ["1", "2", "3"], "1003": ["1"], "1004": []}
    assert shown(out, "02-next-cycle") == {"1001": ["1", "2"], "1002": ["1"], "1003": ["1", "2", "3"]}
    assert [step["step"] for step in assert_replays(out)] == ["01-first-cut", "02-next-cycle"]


@pytest.mark.parametrize("name", ["compact-batched", "compact-urls"])
def test_recording_a_fixture_makes_it_again(name: str, tmp_path: Path) -> None:
    """The fixture's own expectations were made by other hands than the recording's."""
    fixture = load_fixture(Path("fixtures", name))
    player, out = FixtureAnswers(fixture), tmp_path / "again"
    with LoopbackServer({"live": Site(fixture.account, player)}) as server:
        own = {"login_url": server.login_url("live"), "username": fixture.account.username}
        table = {**fixture.settings, **own, "password": SecretStr(fixture.account.password)}
        config = check_config({"feeds": {"live": table}}, "test")
        for step in fixture.steps[:4]:
            player.play(step)
            title = step.name.partition("-")[2]
            take = plan_take(config, "live", out, step=title, listings=None, people=True)
            make_step(take, threading.Event())
    again = load_fixture(out)
    assert {**again.settings, "user_agent": fixture.settings["user_agent"]} == fixture.settings
    for made, step in zip(again.steps, fixture.steps[:4], strict=True):
        assert made.name == step.name
        assert made.expected.model_copy(update={"owed": {}}) == step.expected.model_copy(update={"owed": {}})
        assert made.expected.owed.keys() == step.expected.owed.keys()


def test_only_some_listings_can_be_recorded(tmp_path: Path) -> None:
    out = tmp_path / "recorded"
    with live(Doctored(small_mls())) as server:
        config = configure(tmp_path, server, STANDARD_XML + "batch_listings = 2\n")
        done = record(config, out, "--listings", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert expected(out)["listings"].keys() == {"1001", "1002"}
    assert expected(out)["asked"] == ["1001:*,1002:1"]
    assert 'query = "(ListingKey=1001,1002)"' in (out / "feed.toml").read_text(encoding="utf-8")
    assert b"1003" not in everything_in(out)
    assert_replays(out)


def test_pictures_by_url_are_recorded_and_their_urls_are_not(tmp_path: Path) -> None:
    out, host, mls = tmp_path / "recorded", ScriptedServer(), small_mls()
    answers = Signed(mls, host, gone={"1003/2.jpg"})
    try:
        with live(answers) as server:
            config = configure(tmp_path, server, COMPACT + "location = 1\n")
            first = record(config, out, "--scrub-people")
            answers.gone.clear()
            mls.put(listing("1001", photo(1), photo(2, 22), photo(3), day=9))
            then = record(config, out, "--scrub-people")
        port = str(host.port)
    finally:
        host.stop()
    for done in (first, then):
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Signature" not in done.stdout + done.stderr
    whole = {"1001": ["1", "2", "3"], "1002": ["1"], "1003": ["1", "2", "3"], "1004": []}
    assert shown(out) == whole | {"1003": ["1", "3"]}
    assert expected(out)["owed"] == {"1003": "photo 2: retryable"}
    assert shown(out, "02-next-cycle") == whole
    pictures = expected(out, "02-next-cycle")["listings"]["1001"]["media"]
    assert [one["Sha256"] for one in pictures] == [sha256(jpeg(number)).hexdigest() for number in (1, 22, 3)]
    left = everything_in(out)
    assert re.findall(rb"[^\n]*planted[^\n]*", left) == []
    assert f":{port}".encode() not in left
    assert b"Jane Doe" not in left
    assert len(assert_replays(out)) == 2


@dataclass
class Planter:
    """Puts secrets into every answer, in every place where a server may show one."""

    server: LoopbackServer | None = None
    planted: set[str] = field(default_factory=set)

    def plant(self, answer: RawAnswer) -> RawAnswer:
        sessions = dict(self.server._desks["live"]._sessions) if self.server else {}
        known = [*sessions, *sessions.values(), USER, PASSWORD, AGENT_PASSWORD, "127.0.0.1"]
        self.planted.update(known)
        spoken = (
            f"{' '.join(known)} https://cdn.example/1.jpg?Key=planted-signature&t=1 planted@broker.example"
        )
        spoken += " Bearer planted-bearer-token Authorization: Basic planted-basic"
        headers = (
            ("Set-Cookie", f"Balancer={PASSWORD}; path=/"),
            ("X-Auth", "planted-header-token"),
            ("Authorization", f'Digest username="{USER}", response="planted-digest"'),
            ("RETS-UA-Authorization", "Digest planted-digest"),
            ("Content-Description", spoken),
        )
        body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        if answer.header("Content-Type") != "image/jpeg":
            body = self._in_text(body, spoken)
        return replace(answer, headers=answer.headers + headers, body=body)

    def _in_text(self, body: bytes, spoken: str) -> bytes:
        """In an XML attribute, in comments and elements, before a bundle, in the heads of its parts."""
        said = spoken.replace("&", "&amp;")
        element = f"<!-- {spoken} --><Server Token='planted-token'><SessionId>planted-id</SessionId></Server>"
        lines = f"Content-Type: image/jpeg\r\nX-Note: {spoken}\r\n {spoken}\r\nDescription: {spoken}\r\n"
        body = re.sub(rb'ReplyText="[^"]*"', b'ReplyText="' + said.encode() + b'"', body)
        body = body.replace(b"<COUNT", element.encode() + b"<COUNT")
        body = body.replace(b"Content-Type: image/jpeg\r\n", lines.encode())
        return f"preamble: {spoken}\r\n".encode() + body if b"Content-Type: " in body else body


@pytest.mark.parametrize(
    ("form", "people"),
    [(COMPACT, ["--scrub-people"]), (STANDARD_XML, [])],
    ids=["compact without people", "standard-xml"],
)
def test_no_secret_is_in_any_byte_of_a_recording(form: str, people: list[str], tmp_path: Path) -> None:
    out, planter = tmp_path / "recorded", Planter()
    (tmp_path / "agent").write_text(AGENT_PASSWORD)
    more = f'user_agent_password_file = "{tmp_path / "agent"}"\nuser_agent = "Planted-Agent/1"\n'
    answers = Doctored(small_mls(), {"1003:*": bad_bundle}, planter.plant)
    with live(answers, AGENT_PASSWORD) as planter.server:
        done = record(configure(tmp_path, planter.server, form + more), out, *people)
    assert done.returncode == 0, done.stdout + done.stderr
    left = everything_in(out)
    assert len(planter.planted) == 6
    assert [secret for secret in planter.planted if secret.encode() in left] == []
    assert re.findall(rb"[^\n]*planted[^\n]*", left, re.IGNORECASE) == []
    assert "planted" not in done.stdout + done.stderr
    assert (b"Jane Doe" in left) != bool(people)
    assert shown(out) == ALL_SHOWN
    assert_replays(out)


def test_a_cycle_that_fails_is_kept_and_ends_with_1(tmp_path: Path) -> None:
    out = tmp_path / "recorded"
    with live(small_mls()) as server:
        done = record(configure(tmp_path, server, COMPACT + 'keys_query = "(Nothing=1)"\n'), out)
    assert done.returncode == 1
    assert "20206" in done.stdout
    assert shown(out) == ALL_SHOWN | {"1003": ["1", "2", "3"]}
    assert b"20206" in everything_in(out)
    again = record(configure(tmp_path, server, COMPACT), out)
    assert again.returncode == 2
    assert "does not replay as expected" in again.stderr


def test_a_feed_that_lets_nobody_in_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("not-the-password")
    with live(small_mls()) as server:
        config = configure(tmp_path, server, COMPACT)
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace('_env = "MLS_PASSWORD"', f'_file = "{tmp_path / "wrong"}"'))
        done = record(config, tmp_path / "recorded")
    assert done.returncode == 1
    assert "refused the account" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["listing-photos.toml", "wrong"]


def test_a_wrong_feed_name_ends_with_2(tmp_path: Path) -> None:
    with live(small_mls()) as server:
        done = record(configure(tmp_path, server, COMPACT), tmp_path / "recorded", "--feed", "other")
        assert server.requests == []
    assert done.returncode == 2
    assert done.stderr == "error: no feed 'other' in the configuration (allowed: live)\n"
    assert not (tmp_path / "recorded").exists()


def test_a_folder_that_cannot_be_written_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with live(small_mls()) as server:
        done = record(configure(tmp_path, server, COMPACT), tmp_path / "file" / "recorded")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert str(tmp_path / "file") in done.stderr


def peak_of(tmp_path: Path, photos: int) -> int:
    """KB that a recording of so many photos of a megabyte takes at most."""
    picture = jpeg(1)[:-2] + b"\0" * 2**20 + jpeg(1)[-2:]
    mls = Mls(
        [listing("1001", *(replace(photo(number), picture=picture) for number in range(1, photos + 1)))]
    )
    folder = tmp_path / str(photos)
    folder.mkdir()
    out, log, peak = folder / "recorded", folder / "log", 0
    with live(mls) as server:
        command = words(configure(folder, server, COMPACT), out)
        process = start(*command, log=log, module="service.record")
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status")
            found = re.search(r"VmHWM:\s+(\d+)", status.read_text())
            peak = max(peak, int(found[1]) if found else 0)
    assert process.wait() == 0, log.read_text()
    assert (out / "01-first-load" / "photos-1.http").stat().st_size > photos * 2**20
    return peak


def test_a_bundle_of_any_size_costs_the_memory_of_a_small_one(tmp_path: Path) -> None:
    assert peak_of(tmp_path, 100) - peak_of(tmp_path, 2) < 32 * 1024
