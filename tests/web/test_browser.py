"""The page as an operator has it before them, in a real browser."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.acceptance.support import wait_until
from tests.web.support import TOKEN, Running

PATHS = ("/", "/feeds/{feed}", "/feeds/{feed}/1001", "/login", "/feeds/{feed}/none")


def sign_in(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


def test_the_status_shows_each_feed_with_its_state_and_history(browser: Page, site: Running) -> None:
    browser.goto("/")
    row = browser.get_by_role("row").filter(has=browser.get_by_role("link", name=site.feed, exact=True))
    expect(row).to_contain_text("up to date")
    chart = row.get_by_role("img", name=re.compile(r"The last \d+ cycles: 0 failed"))
    box = chart.bounding_box()
    assert box is not None
    assert box["width"] > 50
    assert box["height"] > 10
    assert chart.locator("rect.good, rect.warn").count() >= 1
    shut = browser.get_by_role("row").filter(has=browser.get_by_role("link", name=f"{site.feed}-shut"))
    expect(shut).to_contain_text("never")
    expect(browser.locator(".notes").filter(has_text="refused the account")).to_be_visible()


def test_the_gallery_shows_the_photos_in_order_with_the_default_marked(browser: Page, site: Running) -> None:
    browser.goto(f"/feeds/{site.feed}")
    browser.get_by_label("Key").fill("1001")
    browser.keyboard.press("Enter")
    browser.get_by_role("link", name="1001", exact=True).click()
    manifest = site.get(f"/api/feeds/{site.feed}/listings/1001").json()
    pictures = browser.locator(".gallery img")
    expect(pictures).to_have_count(5)
    for number, entry in enumerate(manifest["media"]):
        picture = pictures.nth(number)
        picture.scroll_into_view_if_needed()
        browser.wait_for_function("picture => picture.complete", arg=picture.element_handle())
        assert picture.evaluate("picture => picture.naturalWidth") == 64
        assert (picture.get_attribute("src") or "").endswith(entry["Key"].rpartition("/")[2])
    marked = browser.locator(".gallery li").filter(has_text="default")
    expect(marked).to_have_count(1)
    expect(marked).to_contain_text("The garden in summer")


def test_what_a_feed_says_runs_no_script_anywhere(browser: Page, site: Running) -> None:
    problems: list[str] = []
    browser.on("console", lambda message: problems.append(message.text))
    browser.on("pageerror", lambda error: problems.append(str(error)))
    for path in ("/", "/feeds/{feed}", "/feeds/{feed}/1001", "/feeds/{feed}?q=<script>alert(1)</script>"):
        browser.goto(path.format(feed=site.feed))
        assert browser.title().endswith("Listing photos")
    assert problems == []


def test_a_parked_listing_is_retried_by_who_has_signed_in(browser: Page, site: Running) -> None:
    browser.goto("/")
    expect(browser.get_by_role("heading", name="Parked listings")).to_be_visible()
    expect(browser.get_by_role("link", name="P-1")).to_be_visible()
    expect(browser.get_by_role("button", name="Retry")).to_have_count(0)
    sign_in(browser)
    site.answers.denied.discard("P-1")
    browser.get_by_role("button", name="Retry listing P-1").click()
    expect(browser.get_by_role("status")).to_contain_text("1 listing is due now.")
    found = f"/api/feeds/{site.feed}/listings/P-1"
    wait_until(lambda: site.get(found).status_code == 200, "the retried listing's manifest", 60)
    browser.goto("/")
    expect(browser.get_by_role("link", name="P-1")).to_have_count(0)
    expect(browser.get_by_role("link", name="P-3")).to_be_visible()


def test_a_wrong_token_is_told_and_signing_out_ends_it(browser: Page) -> None:
    browser.goto("/login")
    browser.get_by_label("Token").fill("not the token at all")
    browser.keyboard.press("Enter")
    expect(browser.get_by_role("alert")).to_contain_text("not the token")
    sign_in(browser)
    browser.get_by_role("button", name="Sign out").click()
    expect(browser.get_by_role("link", name="Sign in").first).to_be_visible()
    expect(browser.get_by_role("button", name="Retry")).to_have_count(0)


def test_the_keyboard_alone_is_enough(browser: Page) -> None:
    browser.goto("/")
    browser.keyboard.press("Tab")
    expect(browser.get_by_role("link", name="Skip to content")).to_be_focused()
    browser.keyboard.press("Enter")
    browser.keyboard.press("Tab")
    assert browser.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_nothing_is_wider_than_a_phone(chromium: Browser, site: Running) -> None:
    with chromium.new_context(base_url=site.url, viewport={"width": 320, "height": 568}) as context:
        page = context.new_page()
        sign_in(page)
        for path in PATHS:
            page.goto(path.format(feed=site.feed))
            assert page.evaluate("document.documentElement.scrollWidth") == 320, path


def test_a_dark_browser_gets_a_dark_page(chromium: Browser, site: Running) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    shades = []
    for scheme in ("light", "dark"):
        with chromium.new_context(base_url=site.url, color_scheme=scheme) as context:
            page = context.new_page()
            page.goto("/")
            shades.append(page.evaluate(paper))
    assert shades == ["rgb(255, 255, 255)", "rgb(18, 22, 29)"]
