"""What a source learns of its server is known to the next one: it stands in the catalog."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from service.simulator.answers import RawAnswer, text_answer
from service.simulator.documents import reply
from service.simulator.mls import Mls
from service.stores.embedded import EmbeddedStore
from tests.ingest.support import listing, photo, world

REFUSALS = {0: reply(20409, "Ask for the URL."), 1: reply(20413, "Location=1 is disabled")}


class OneWay:
    """An MLS that takes one Location alone, and gives pictures by it."""

    def __init__(self, mls: Mls, location: int) -> None:
        self.mls, self.location = mls, location

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        if transaction == "GetObject" and params["Location"] != str(self.location):
            return text_answer(REFUSALS[1 - self.location])
        return self.mls.answer(transaction, params)


@pytest.mark.parametrize(
    ("configured", "asked", "kept"),
    # A refusal in words is for good; 20409 may be one bad moment, so what was guessed from it is tried anew.
    [(1, ["1", "0", "0"], "1:0"), (0, ["0", "1", "0", "1"], None)],
    ids=["q44", "q45"],
)
def test_q44_q45_a_location_that_was_refused_in_words_is_known_to_the_next_cycle(
    s3: EmbeddedStore, tmp_path: Path, configured: int, asked: list[str], kept: str | None
) -> None:
    mls = Mls([listing("1001", photo(1), photo(2))])
    works = 1 - configured
    with world(s3, tmp_path, "COMPACT", OneWay(mls, works), mls, location=configured) as house:
        assert house.cycle().ok
        mls.put(listing("1002", photo(1), photo(2), day=1))
        assert house.cycle().ok
        assert [
            seen.params["Location"] for seen in house.server.requests if "Location" in seen.params
        ] == asked
        assert house.house.catalog.mark(house.feed, "source.location") == kept
