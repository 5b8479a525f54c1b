"""What the store's adapter makes of a store that fails, and of one that lies."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

import pytest
import urllib3

from service.errors import RetryLater
from service.simulator.faults import FaultPlan
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.faults.s3_front import HONEST, S3Front, StoreFault
from tests.faults.tcp_proxy import TcpProxy, Trouble
from tests.stores.support import fresh_name

QUICK = urllib3.Timeout(connect=5, read=1)
PICTURE = bytes(range(256)) * 400


@dataclass
class Reach:
    """The same bucket behind a front and a proxy, and at first hand."""

    front: S3Front
    proxy: TcpProxy
    far: MinioStore
    near: MinioStore
    key: str

    def put(self, body: bytes = PICTURE) -> None:
        self.far.put(
            self.key,
            io.BytesIO(body),
            len(body),
            sha256(body).hexdigest(),
            media_type="image/jpeg",
            cache_control="public",
        )

    def is_there(self) -> bool:
        return self.near.stat(self.key) is not None

    def all_are(self, *kinds: StoreFault, seed: int = 1) -> None:
        self.front.faults.plan = FaultPlan(seed, 1.0, kinds)


@contextmanager
def reaching(s3: EmbeddedStore) -> Iterator[Reach]:
    host, _, port = s3.endpoint.partition(":")
    keys = s3.access_key, s3.secret_key, s3.bucket
    with S3Front((host, int(port))) as front, TcpProxy(("127.0.0.1", front.port)) as proxy:
        far = MinioStore(proxy.endpoint, *keys, secure=False, timeout=QUICK, pause=0)
        near = MinioStore(s3.endpoint, *keys, secure=False)
        yield Reach(front, proxy, far, near, f"{fresh_name('front')}/1/photo.jpg")
        far.close()
        near.close()


@pytest.fixture
def reach(s3: EmbeddedStore) -> Iterator[Reach]:
    with reaching(s3) as made:
        yield made


def test_through_a_front_and_a_proxy_the_store_is_as_it_is(reach: Reach) -> None:
    reach.put()
    info = reach.far.stat(reach.key)
    assert info is not None
    assert (info.length, info.media_type, info.cache_control) == (len(PICTURE), "image/jpeg", "public")
    assert reach.far.get(reach.key) == PICTURE
    assert [found.key for found in reach.far.list(reach.key.partition("/")[0])] == [reach.key]
    reach.far.delete([reach.key])
    assert not reach.is_there()
    with pytest.raises(KeyError):
        reach.far.get(reach.key)


@pytest.mark.parametrize("kind", HONEST, ids=str)
def test_a_store_that_fails_is_asked_again_later_and_has_it_then(reach: Reach, kind: StoreFault) -> None:
    reach.all_are(kind)
    with pytest.raises(RetryLater):
        reach.put()
    reach.front.faults.plan = None
    reach.put()
    assert reach.far.get(reach.key) == PICTURE


def test_slow_down_says_how_long(reach: Reach) -> None:
    waits = set()
    for seed in range(12):
        reach.all_are(StoreFault.SLOW_DOWN, seed=seed)
        with pytest.raises(RetryLater, match="SlowDown") as caught:
            reach.put()
        waits.add(caught.value.after)
    assert 3600 in waits


def test_a_full_store_says_so(reach: Reach) -> None:
    reach.all_are(StoreFault.FULL)
    with pytest.raises(RetryLater, match="507"):
        reach.put()


@pytest.mark.parametrize("kind", [StoreFault.PUT_DAMAGED, StoreFault.PUT_UNSIGNED], ids=str)
def test_a_put_that_is_acknowledged_for_other_bytes_or_for_none_is_not_believed(
    reach: Reach, kind: StoreFault
) -> None:
    reach.all_are(kind)
    with pytest.raises(RetryLater):
        reach.put()
    reach.front.faults.plan = None
    reach.put()
    assert reach.far.get(reach.key) == PICTURE


def test_a_put_that_is_lost_with_a_right_acknowledgement_shows_only_in_the_bucket(reach: Reach) -> None:
    """No answer could tell it from a good one: an audit finds it."""
    reach.all_are(StoreFault.PUT_LOST)
    reach.put()
    assert not reach.is_there()


@pytest.mark.parametrize("trouble", [Trouble.RESET, Trouble.CUT, Trouble.STALL], ids=str)
def test_a_connection_that_breaks_in_the_middle_is_asked_again_later(reach: Reach, trouble: Trouble) -> None:
    body = PICTURE * 4
    reach.proxy.faults.plan = FaultPlan(2, 1.0, (trouble,))
    outcomes = []
    for _ in range(3):
        try:
            reach.put(body)
            outcomes.append("")
        except RetryLater as error:
            outcomes.append(error.what)
    assert reach.proxy.faults.injected()
    reach.proxy.faults.plan = None
    reach.put(body)
    assert reach.far.get(reach.key) == body


def test_a_store_that_is_down_is_refused_and_comes_back(reach: Reach) -> None:
    reach.put()
    reach.proxy.refuse()
    with pytest.raises(RetryLater):
        reach.far.get(reach.key)
    reach.proxy.accept()
    assert reach.far.get(reach.key) == PICTURE
