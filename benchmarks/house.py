"""The real ingest, from the configuration on: session, parsers, catalog, uploaders, commits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from benchmarks.slow_store import Bucket
from benchmarks.source import FEED, PASSWORD, USER
from service.bootstrap import House, open_house, secrets_of
from service.config import check_config
from service.ingest.cycle import run_cycle
from service.ingest.report import Report
from service.logs import set_up_logs

FORMS: dict[str, dict[str, str]] = {
    "COMPACT": {"query": "(ModificationTimestamp={since}+)"},
    "STANDARD-XML": {"query": "(ModificationTimestamp={since})", "keys_query": "(ListingKey=*)"},
}


@contextmanager
def house_of(login_url: str, bucket: Bucket, folder: Path, form: str = "STANDARD-XML") -> Iterator[House]:
    """A house with one feed and a fresh catalog in the folder; all settings are the defaults."""
    store: dict[str, Any] = {
        "url": bucket.url,
        "access_key": SecretStr(bucket.access_key),
        "secret_key": SecretStr(bucket.secret_key),
    }
    feed = {
        "kind": "rets",
        "login_url": login_url,
        "username": USER,
        "password": SecretStr(PASSWORD),
        "class": "ResidentialProperty",
        "search_format": form,
        **FORMS[form],
    }
    catalog = {"url": f"sqlite:///{folder / 'catalog.db'}"}
    config = check_config({"store": store, "catalog": catalog, "feeds": {FEED: feed}}, "benchmarks")
    set_up_logs(secrets_of(config), level="error")
    with open_house(config) as house:
        yield house


def cycle(house: House) -> Report:
    """One cycle of the feed, which must go well."""
    report = run_cycle(house.feed(FEED), Report(FEED), threading.Event())
    assert report.ok, (report.error, report.held, report.owed)
    return report
