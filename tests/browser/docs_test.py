"""The documentation of the API: what comes first, its colours, and requests sent as they stand."""

import re

import pytest
from playwright.sync_api import Page, expect

from browser.accessibility_test import findings
from browser.conftest import Open
from browser.feed import Feed
from support.system import System


def docs(open_page: Open, system: System, **options: object) -> Page:
    page = open_page(**options)
    page.goto(f"{str(system.http.base_url).rstrip('/')}/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    return page


def test_operations_come_before_the_errors(open_page: Open, system: System) -> None:
    page = docs(open_page, system)
    table = page.get_by_role("region", name="All types of problems").get_by_role("table")
    expect(table).to_contain_text("urn:mousetrap:problem:unknown-source")

    tops = [it.bounding_box() for it in (page.locator(".opblock").last, table)]

    assert tops[0]
    assert tops[1]
    assert tops[0]["y"] < tops[1]["y"]
    expect(page.locator(".info table")).to_have_count(1)


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_colours_follow_the_machine(
    open_page: Open, system: System, scheme: str, *, dark: bool
) -> None:
    page = docs(open_page, system, color_scheme=scheme)

    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    assert (ground == "rgb(28, 32, 34)") is dark


@pytest.mark.parametrize("width", [360, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: Open, system: System, scheme: str, width: int) -> None:
    page = docs(open_page, system, color_scheme=scheme, viewport={"width": width, "height": 900})
    for name in ("refresh", "list_jobs"):
        block = page.locator(f'.opblock[id$="-{name}"]')
        block.locator(".opblock-summary-control").click()
        block.get_by_role("button", name="Execute").click()
        expect(block.locator(".live-responses-table .response-col_status").last).to_be_visible()
    page.locator(".json-schema-2020-12-expand-deep-button").first.click()

    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width

    page.get_by_role("button", name="Authorize").first.click()
    expect(page.get_by_role("button", name="Close").first).to_be_visible()
    assert findings(page, ".dialog-ux") == []


def test_requests_are_sent_as_they_stand(open_page: Open, system: System, feed: Feed) -> None:
    feed.mended.clear()
    system.ended(system.refresh(source="broken"))
    for _ in range(2):
        system.ended(system.refresh(source="asking"))
    page = docs(open_page, system)
    count = page.locator(".opblock").count()
    assert count > 10
    for index in range(count):
        block = page.locator(".opblock").nth(index)
        name = block.locator(".opblock-summary-path").inner_text().replace("\u200b", "")
        if name == "/events":
            continue  # it has no end
        block.locator(".opblock-summary-control").click()
        block.get_by_role("button", name="Execute").click()
        status = block.locator(".live-responses-table .response-col_status").last
        expect(status, name).to_have_text(re.compile(r"^20\d"))
        block.locator(".opblock-summary-control").click()
