"""The schedule of faults, and that a real HTTP client meets exactly what it says."""

import gzip
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import requests
import urllib3

from service.simulator.faults import EVERY_KIND, RETRY_AFTER, FaultPlan, Faults, Kind
from service.simulator.front_desk import Site
from service.simulator.mls import Listing, Mls, Photo
from service.simulator.server import LoopbackServer
from service.simulator.spoil import LOGIN_PAGE, SLOW_SECONDS
from service.simulator.spoil_parts import FOREIGN_LISTING, REFUSALS
from tests.acceptance.support import wait_until
from tests.simulator.client import ACCOUNT, beside, client, logged_in

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PICTURES = {str(number): b"\xff\xd8" + bytes([number]) * 3000 + b"\xff\xd9" for number in (1, 2, 3)}
KEYS = ("1001", "1002", "1003")
SEARCH = {"Query": "(ListingKey=*)", "Count": "1"}
BUNDLE = {"ID": "1001:*", "Resource": "Property", "Type": "Photo"}


def mls() -> Mls:
    photos = tuple(Photo(id_, picture, NOW) for id_, picture in PICTURES.items())
    return Mls(Listing(key, NOW, NOW, photos) for key in KEYS)


@dataclass
class Visit:
    """A client that is logged in to a feed, and that feed's faults."""

    server: LoopbackServer
    faults: Faults[Kind]
    session: requests.Session
    url: str

    def all_are(self, *kinds: Kind, seed: int = 1) -> None:
        self.faults.plan = FaultPlan(seed, 1.0, kinds)

    def search(self, **more: str) -> requests.Response:
        return self.session.get(beside(self.url, "search"), params={**SEARCH, **more}, timeout=10)

    def bundle(self) -> requests.Response:
        return self.session.get(beside(self.url, "getobject"), params=BUNDLE, timeout=10)

    def open(self, capability: str) -> requests.Response:
        params = SEARCH if capability == "search" else BUNDLE
        return self.session.get(beside(self.url, capability), params=params, timeout=1, stream=True)

    def kinds(self) -> list[Kind]:
        return [injected.fault.kind for injected in self.faults.injected()]


@contextmanager
def visiting() -> Iterator[Visit]:
    faults = Faults[Kind]()
    with LoopbackServer({"crea": Site(ACCOUNT, mls(), faults=faults)}) as server:
        url = server.login_url("crea")
        with logged_in(url) as session:
            yield Visit(server, faults, session, url)


@pytest.fixture
def visit() -> Iterator[Visit]:
    with visiting() as made:
        yield made


# The schedule.


def test_the_same_seed_gives_the_same_faults_and_another_one_others() -> None:
    def schedule(seed: int) -> list[object]:
        plan = FaultPlan(seed, 0.5, EVERY_KIND)
        return [plan.fault("Search", number) for number in range(50)]

    assert schedule(7) == schedule(7)
    assert schedule(7) != schedule(8)


def test_a_fault_depends_on_its_own_request_alone() -> None:
    plan = FaultPlan(3, 0.5, EVERY_KIND)
    alone = plan.fault("GetObject", 20)
    for number in range(20):
        plan.fault("Search", number)
        plan.fault("GetObject", number)
    assert plan.fault("GetObject", 20) == alone


def test_the_rate_is_the_share_of_requests_and_every_kind_comes_up() -> None:
    plan = FaultPlan(5, 0.25, EVERY_KIND)
    faults = [fault for number in range(4000) if (fault := plan.fault("Search", number))]
    assert 0.2 < len(faults) / 4000 < 0.3
    assert Counter(fault.kind for fault in faults).keys() == set(Kind)
    assert {fault.retry_after for fault in faults} == set(RETRY_AFTER)
    assert all(0 <= fault.at < 1 for fault in faults)


def test_without_a_plan_nothing_happens_and_requests_are_counted_all_the_same() -> None:
    faults, plan = Faults[Kind](), FaultPlan(5, 0.5, EVERY_KIND)
    assert [faults.next("Search") for _ in range(10)] == [None] * 10
    faults.plan = plan
    assert [faults.next("Search") for _ in range(10)] == [plan.fault("Search", n) for n in range(10, 20)]


# What a client sees.


def test_fair_weather_is_the_answer_as_it_is(visit: Visit) -> None:
    assert visit.search().text.count("<DATA>") == 3
    assert parts_of(visit.bundle()) == ["1", "2", "3"]
    assert visit.kinds() == []


def test_a_refused_connection(visit: Visit) -> None:
    visit.all_are(Kind.REFUSED)
    with pytest.raises(requests.ConnectionError):
        visit.search()
    visit.faults.plan = None

    def is_taken_again() -> bool:
        try:
            return visit.search().status_code == 200
        except requests.ConnectionError:
            return False

    wait_until(is_taken_again, "a connection")
    assert visit.kinds() == [Kind.REFUSED]


def test_a_reset_in_the_middle_of_the_body(visit: Visit) -> None:
    visit.all_are(Kind.RESET)
    with pytest.raises(requests.RequestException, match="reset"):
        visit.bundle()
    assert visit.kinds() == [Kind.RESET]


def test_a_stall_in_the_middle_of_the_body(visit: Visit) -> None:
    visit.all_are(Kind.STALL)
    with visit.open("getobject") as answer, pytest.raises(requests.RequestException, match="timed out"):
        answer.content  # noqa: B018 - reading it is the test
    assert visit.kinds() == [Kind.STALL]


def test_slow_bytes_are_whole(visit: Visit) -> None:
    whole = visit.search().content
    visit.all_are(Kind.SLOW)
    began = time.monotonic()
    assert visit.search().content == whole
    assert time.monotonic() - began >= SLOW_SECONDS / 2


@pytest.mark.parametrize("capability", ["search", "getobject"])
def test_a_body_cut_under_a_declared_length(visit: Visit, capability: str) -> None:
    visit.all_are(Kind.CUT_KNOWN)
    with visit.open(capability) as answer, pytest.raises(requests.RequestException, match="IncompleteRead"):
        answer.content  # noqa: B018 - reading it is the test


@pytest.mark.parametrize("capability", ["search", "getobject"])
def test_a_body_cut_without_a_length_looks_ended(visit: Visit, capability: str) -> None:
    with visit.open(capability) as answer:
        whole = answer.content
    visit.all_are(Kind.CUT_UNKNOWN)
    with visit.open(capability) as answer:
        cut = answer.content
    assert not {"Content-Length", "Transfer-Encoding"} & set(answer.headers)
    assert 0 < len(cut) < len(whole)
    assert whole.startswith(cut)


@pytest.mark.parametrize("capability", ["search", "getobject"])
def test_an_endless_body_goes_on(visit: Visit, capability: str) -> None:
    visit.all_are(Kind.ENDLESS)
    with visit.open(capability) as answer:
        came = sum(len(chunk) for chunk, _ in zip(answer.iter_content(2**16), range(100), strict=False))
    assert came > 4_000_000


@pytest.mark.parametrize(
    "kind", [kind for kind in Kind if kind.name.startswith("HTTP_")], ids=lambda kind: kind.value
)
def test_an_http_status_with_and_without_retry_after(visit: Visit, kind: Kind) -> None:
    said = set()
    for seed in range(20):
        visit.all_are(kind, seed=seed)
        answer = visit.search()
        assert answer.status_code == int(kind.value.split()[1])
        said.add(answer.headers.get("Retry-After"))
    assert said == {None, "0", "3600"}


@pytest.mark.parametrize(
    "kind", [kind for kind in Kind if kind.name.startswith("REPLY_")], ids=lambda kind: kind.value
)
def test_a_reply_code_at_http_200(visit: Visit, kind: Kind) -> None:
    visit.all_are(kind)
    answer = visit.bundle()
    assert answer.status_code == 200
    assert answer.content.startswith(b'<RETS ReplyCode="%b"' % kind.value.split()[1].encode())


def test_a_lost_session_is_gone_until_the_next_login(visit: Visit) -> None:
    visit.all_are(Kind.SESSION_LOST)
    assert visit.search().status_code == 401
    visit.faults.plan = None
    assert visit.search().status_code == 401
    assert visit.session.get(visit.url, timeout=10).status_code == 200
    assert visit.search().status_code == 200
    assert set(visit.kinds()) == {Kind.SESSION_LOST}


def test_an_html_login_page_at_200(visit: Visit) -> None:
    visit.all_are(Kind.LOGIN_PAGE)
    answer = visit.session.get(visit.url, timeout=10)
    assert (answer.status_code, answer.content) == (200, LOGIN_PAGE)
    assert answer.headers["Content-Type"].startswith("text/html")


def test_an_empty_answer_keeps_its_head(visit: Visit) -> None:
    visit.all_are(Kind.EMPTY_ANSWER)
    answer = visit.bundle()
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Type"].startswith("multipart/")


def test_a_wrong_content_type_leaves_the_body(visit: Visit) -> None:
    search, bundle = visit.search().content, visit.bundle().content
    visit.all_are(Kind.WRONG_TYPE)
    answers = visit.search(), visit.bundle()
    assert [answer.headers["Content-Type"].split(";")[0] for answer in answers] == ["image/jpeg", "text/html"]
    assert [answer.content for answer in answers] == [search, bundle]


def test_gzip_that_is_none_or_is_damaged(visit: Visit) -> None:
    for seed in range(6):
        visit.all_are(Kind.GZIP_BROKEN, seed=seed)
        with pytest.raises(requests.RequestException):
            visit.search()


def test_gzip_that_ends_early_under_a_right_length(visit: Visit) -> None:
    whole = visit.search().content
    visit.all_are(Kind.GZIP_CUT)
    raw = visit.open("search").raw
    assert isinstance(raw, urllib3.HTTPResponse)
    packed = raw.read(decode_content=False)
    assert int(raw.headers["Content-Length"]) == len(packed)
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert whole.startswith(unpacker.decompress(packed))
    assert not unpacker.eof
    assert gzip.compress(whole, mtime=0).startswith(packed)


def parts_of(answer: requests.Response) -> list[str]:
    """The Object-IDs of a bundle that is well-formed, in order."""
    boundary = answer.headers["Content-Type"].partition('boundary="')[2].rstrip('"').encode()
    preamble, *parts, end = answer.content.split(b"--" + boundary)
    assert (preamble, end) == (b"", b"--\r\n")
    heads = [part.partition(b"\r\n\r\n")[0].decode() for part in parts]
    assert all("Content-ID: 1001\r\n" in head for head in heads)
    return [head.partition("Object-ID: ")[2].partition("\r\n")[0] for head in heads]


@pytest.mark.parametrize(
    ("kind", "right"),
    [
        (Kind.PARTS_SWAPPED, lambda ids: ids == ["3", "2", "1"]),
        (Kind.PART_REPEATED, lambda ids: len(ids) == 4 and sorted(set(ids)) == ["1", "2", "3"]),
        (Kind.PART_MISSING, lambda ids: len(ids) == len(set(ids)) == 2),
    ],
)
def test_parts_swapped_repeated_or_missing_keep_their_pictures(
    visit: Visit, kind: Kind, right: Callable[[list[str]], bool]
) -> None:
    visit.all_are(kind)
    answer = visit.bundle()
    assert right(parts_of(answer))
    for id_ in parts_of(answer):
        assert b"Object-ID: %b\r\n\r\n%b\r\n" % (id_.encode(), PICTURES[id_]) in answer.content


def test_a_part_without_its_picture(visit: Visit) -> None:
    visit.all_are(Kind.PART_EMPTY)
    answer = visit.bundle()
    assert parts_of(answer) == ["1", "2", "3"]
    assert sum(picture in answer.content for picture in PICTURES.values()) == 2
    assert answer.content.count(b"image/jpeg") == 3


@pytest.mark.parametrize("kind", [Kind.PART_REFUSED, Kind.PART_ABSENT])
def test_a_part_with_a_reply_code_instead_of_its_picture(visit: Visit, kind: Kind) -> None:
    visit.all_are(kind)
    answer = visit.bundle()
    assert parts_of(answer) == ["1", "2", "3"]
    assert sum(picture in answer.content for picture in PICTURES.values()) == 2
    codes = [20403] if kind is Kind.PART_ABSENT else REFUSALS
    assert sum(b'ReplyCode="%d"' % code in answer.content for code in codes) == 1


def test_a_part_of_another_listing(visit: Visit) -> None:
    visit.all_are(Kind.PART_FOREIGN)
    body = visit.bundle().content
    assert body.count(b"Content-ID: " + FOREIGN_LISTING) == 1
    assert body.count(b"Content-ID: 1001\r\n") == 2
    assert all(picture in body for picture in PICTURES.values())


@pytest.mark.parametrize("form", ["COMPACT", "STANDARD-XML"])
def test_a_row_comes_twice(visit: Visit, form: str) -> None:
    visit.all_are(Kind.ROW_REPEATED)
    text = visit.search(Format=form).text
    assert sorted(text.count(key) for key in KEYS) == [1, 1, 2]
    assert 'COUNT Records="3"' in text


@pytest.mark.parametrize("form", ["COMPACT", "STANDARD-XML"])
def test_q57_a_count_comes_without_its_rows(visit: Visit, form: str) -> None:
    visit.all_are(Kind.ROWS_GONE)
    text = visit.search(Format=form).text
    assert sum(text.count(key) for key in KEYS) == 0
    assert 'COUNT Records="3"' in text
    assert text.endswith("</RETS>\r\n")


def test_a_fault_that_finds_nothing_to_spoil_is_none(visit: Visit) -> None:
    visit.all_are(Kind.PART_MISSING, Kind.PART_FOREIGN)
    assert visit.search().text.count("<DATA>") == 3
    assert visit.kinds() == []


def test_what_was_done_is_kept_with_the_request_that_met_it(visit: Visit) -> None:
    visit.all_are(Kind.PART_ABSENT)
    visit.bundle()
    (injected,) = visit.faults.injected()
    assert (injected.transaction, injected.params["ID"]) == ("GetObject", "1001:*")
    assert injected.fault.kind is Kind.PART_ABSENT


def test_a_request_for_a_picture_meets_faults_too(visit: Visit) -> None:
    visit.all_are(Kind.HTTP_503)
    answer = requests.get(beside(visit.url, "photos/1001/1.jpg"), timeout=10)
    assert answer.status_code == 503
    assert [met.transaction for met in visit.faults.injected()] == ["Photo"]
    visit.faults.plan = None
    assert requests.get(beside(visit.url, "photos/1001/1.jpg"), timeout=10).content == PICTURES["1"]


def test_a_client_without_credentials_meets_no_fault() -> None:
    faults = Faults(FaultPlan(1, 1.0, (Kind.HTTP_500,)))
    with (
        LoopbackServer({"crea": Site(ACCOUNT, mls(), faults=faults)}) as server,
        client("wrong password") as session,
    ):
        assert session.get(server.login_url("crea"), timeout=10).status_code == 401
    assert faults.injected() == []
