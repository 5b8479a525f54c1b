"""One daemon with its page, and one browser, serve all tests of a worker that look and do not break."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from service.stores.embedded import EmbeddedStore
from tests.stores.support import fresh_name
from tests.web.support import Running, running

# A loaded machine is slow, and a feed with an interval of seconds is then late for a moment.
expect.set_options(timeout=30_000)

CHROMIUM = shutil.which("chromium")
SWITCHES = (
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def site(s3: EmbeddedStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(s3, tmp_path_factory.mktemp("web"), fresh_name("web")) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: the page was not looked at in a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium: Browser, site: Running) -> Iterator[Page]:
    """A page of its own, with cookies of its own, that finds paths on the site."""
    with chromium.new_context(base_url=site.url) as context:
        context.set_default_timeout(30_000)
        yield context.new_page()
