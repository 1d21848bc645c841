"""The page without a pointer."""

import re

from playwright.sync_api import Locator, Page, expect

from browser.conftest import Pages, press, tab_to
from browser.feed import Feed
from browser.letters import letter
from support.system import System

LETTERS = {"items": [letter(1, b"{}")], "next": None}
FULL = {"type": "urn:test", "title": "Backlog full", "detail": "Ask again.", "status": 503}


def test_everything_can_be_done_by_keyboard(pages: Pages, system: System, feed: Feed) -> None:
    feed.mended.clear()
    for source in ("earthquakes", "earthquakes", "broken"):
        path = system.refresh(source=source)
        system.ended(path)
    page = pages.open()
    page.route(re.compile(r"/dead-letters\?"), lambda it: it.fulfill(json=LETTERS))
    page.route("**/refresh", lambda it: it.fulfill(status=503, json=FULL), times=1)
    page.reload()
    expect(page.locator("#letter-rows tr")).to_have_count(1)
    failed = page.locator(f'[data-job="{path.rpartition("/")[2]}"]')
    expect(failed).to_be_visible()

    use_map_panel(page)
    use_sources(page)
    use_history(page)
    use_jobs(page, failed, feed)
    use_dead_letters(page)


def use_map_panel(page: Page) -> None:
    press(page, page.get_by_role("link", name="Skip to the map"))
    expect(page.get_by_role("main")).to_be_focused()
    for target in (
        page.get_by_role("link", name="GeoJSON"),
        page.get_by_role("button", name="CSV"),
    ):
        with page.expect_download():
            press(page, target)


def use_sources(page: Page) -> None:
    refresh = page.get_by_role("button", name="Refresh earthquakes")
    problems = page.get_by_role("alert").get_by_role("listitem")
    press(page, refresh)
    expect(problems).to_have_count(1)
    press(page, page.get_by_role("button", name="Dismiss"), backwards=True)
    expect(problems).to_have_count(0)
    newest = page.locator("#job-rows tr").first.get_attribute("data-job")
    press(page, refresh)
    expect(page.locator("#announcement")).to_have_text("earthquakes: the new summary is stored")
    expect(refresh).to_be_focused()
    expect(page.locator("#job-rows tr").first).not_to_have_attribute("data-job", newest or "")


def use_history(page: Page) -> None:
    table = page.get_by_role("table", name="Summaries, the newest request first")
    press(page, page.get_by_text("As a table"))
    expect(table).to_be_visible()
    comparison = page.get_by_role("region", name="Comparison")
    press(page, page.get_by_role("link", name=re.compile("^Compare with")).first)
    expect(comparison).to_be_visible()
    press(page, comparison.get_by_role("button"), backwards=True)
    expect(comparison).to_be_hidden()
    press(page, page.get_by_text("As a table"))
    expect(table).to_be_hidden()


def use_jobs(page: Page, failed: Locator, feed: Feed) -> None:
    details = failed.get_by_role("button", name=re.compile("^Details"))
    dialog = page.get_by_role("dialog")
    press(page, details)
    expect(dialog).to_be_visible()
    press(page, dialog.get_by_role("button", name="Close"))
    expect(dialog).to_be_hidden()
    expect(details).to_be_focused()
    feed.mended.set()
    press(page, failed.get_by_role("button", name=re.compile("^Retry")))
    expect(failed).to_have_attribute("data-state", "succeeded")
    expect(failed).to_be_focused()
    for name, value in (("state", "succeeded"), ("source", "broken")):
        tab_to(page, page.locator(f"#jobs-{name}"), backwards=True)
        page.keyboard.type(value)
        expect(page).to_have_url(re.compile(f"jobs_{name}={value}"))


def use_dead_letters(page: Page) -> None:
    button = page.get_by_role("button", name=re.compile("^Bytes"))
    press(page, button)
    expect(page.get_by_role("dialog", name="Dead letter 1")).to_be_visible()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
