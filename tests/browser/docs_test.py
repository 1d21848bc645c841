"""The documentation of the API: what comes first, its colours, and requests sent as they stand."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.axe import findings
from browser.conftest import Pages
from browser.feed import Feed
from support.system import System

NO_JOB = re.compile(r"/jobs\?state=succeeded|/summaries\?")
NO_FAILURE = re.compile(r"/jobs\?state=failed")
UNKNOWN = "01890000-0000-7000-8000-000000000000"


def docs(pages: Pages, system: System, **options: Any) -> Page:
    page = pages.open(**options)
    page.goto(f"{str(system.http.base_url).rstrip('/')}/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    return page


def test_operations_come_before_the_errors(pages: Pages, system: System) -> None:
    page = docs(pages, system)
    table = page.get_by_role("region", name="All types of problems").get_by_role("table")
    expect(table).to_contain_text("urn:mousetrap:problem:unknown-source")

    tops = [it.bounding_box() for it in (page.locator(".opblock").last, table)]

    assert tops[0]
    assert tops[1]
    assert tops[0]["y"] < tops[1]["y"]
    expect(page.locator(".info table")).to_have_count(1)


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_colours_follow_the_machine(
    pages: Pages, system: System, scheme: str, *, dark: bool
) -> None:
    page = docs(pages, system, color_scheme=scheme)

    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    assert (ground == "rgb(28, 32, 34)") is dark


@pytest.mark.parametrize("width", [360, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(pages: Pages, system: System, scheme: str, width: int) -> None:
    page = docs(pages, system, color_scheme=scheme, viewport={"width": width, "height": 900})
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


def operation(page: Page, name: str) -> Locator:
    """Open an operation, and return it."""
    block = page.locator(f'.opblock[id$="-{name}"]')
    block.locator(".opblock-summary-control").click()
    return block


def answer(block: Locator) -> Locator:
    """Send the request of an operation as it stands, and return the status of the answer."""
    block.get_by_role("button", name="Execute").click()
    return block.locator(".live-responses-table .response-col_status").last


def test_first_job_of_a_system_is_the_example_from_then_on(pages: Pages) -> None:
    nothing = '{"items":[],"next":null}'
    page = pages.open()
    for fresh in (NO_JOB, NO_FAILURE):
        page.route(fresh, lambda it: it.fulfill(body=nothing))
    page.goto("/docs")
    opened = operation(page, "get_job")
    expect(opened.get_by_role("textbox").first).to_have_value("")
    typed = operation(page, "get_points").get_by_role("textbox").first
    typed.fill(UNKNOWN)
    page.unroute(NO_JOB)

    expect(answer(operation(page, "refresh"))).to_have_text("202")

    expect(opened.get_by_role("textbox").first).to_have_value(re.compile("^0"))
    expect(answer(opened)).to_have_text("200")
    expect(answer(operation(page, "get_summary"))).to_have_text("200")
    expect(answer(operation(page, "retry_job"))).to_have_text("409")  # which says why
    expect(typed).to_have_value(UNKNOWN)


def test_requests_are_sent_as_they_stand(pages: Pages, system: System, feed: Feed) -> None:
    feed.mended.clear()
    system.ended(system.refresh(source="broken"))
    for _ in range(2):
        system.ended(system.refresh(source="asking"))
    system.ended(system.refresh(source="earthquakes"))  # the newest one, and it has no changes
    page = docs(pages, system)
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
