"""The findings of axe-core, at all sizes and in both colour schemes."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from browser.conftest import Open
from browser.feed import Feed
from browser.jobs_test import letter
from support.system import System

LETTERS = {"items": [letter(1, b"{}")], "next": None}
LINES = """(names) => names.map((name) => {
  const range = document.createRange();
  range.selectNodeContents(name);
  return new Set([...range.getClientRects()].map((it) => it.top)).size;
})"""


@pytest.mark.parametrize("width", [360, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    open_page: Open, system: System, feed: Feed, scheme: str, width: int
) -> None:
    feed.mended.clear()
    system.ended(system.refresh(source="broken"))
    for _ in range(2):
        system.ended(system.refresh(source="earthquakes"))
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    page.route(re.compile(r"/dead-letters\?"), lambda route: route.fulfill(json=LETTERS))
    page.route("**/refresh", lambda route: route.fulfill(status=503))
    page.reload()
    page.get_by_role("button", name="Refresh many").click()
    expect(page.get_by_role("alert")).to_contain_text("The answer was 503")
    expect(page.locator("canvas.batch")).to_have_attribute("data-count", "1707")
    expect(page.locator('#job-rows [data-state="failed"]').first).to_be_visible()
    expect(page.locator("#letter-rows tr")).to_have_count(1)
    page.get_by_text("As a table").click()
    page.get_by_role("link", name=re.compile("^Compare with")).first.click()
    expect(page.get_by_role("region", name="Comparison")).to_be_visible()
    page.locator("#map").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".tip.pinned")).to_be_visible()

    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width

    page.locator("main").evaluate("it => it.classList.add('old')")
    assert findings(page) == []

    failed = page.locator('#job-rows [data-state="failed"]').first
    failed.get_by_role("button", name=re.compile("^Details")).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert findings(page) == []


def findings(page: Page, within: str | None = None) -> list[tuple[str, list[str]]]:
    violations = Axe().run(page, within).response["violations"]
    return [(it["id"], [node["html"] for node in it["nodes"]]) for it in violations]


@pytest.mark.parametrize("width", [360, 1280])
def test_names_break_at_hyphens_only(open_page: Open, system: System, width: int) -> None:
    system.ended(system.refresh(source="earthquakes"))
    page = open_page(viewport={"width": width, "height": 900})
    names = page.locator('#job-rows th:text-is("earthquakes"), [data-source="earthquakes"] h3 a')
    expect(names.nth(1)).to_be_visible()

    lines = names.evaluate_all(LINES)

    assert set(lines) == {1}


def test_nothing_moves_for_those_who_want_it_still(open_page: Open, feed: Feed) -> None:
    page = open_page(reduced_motion="reduce")
    feed.released.clear()
    page.get_by_role("button", name="Refresh slow").click()
    step = page.locator('[data-source="slow"] [data-progress="active"]')
    expect(step).to_be_visible()

    name = step.evaluate("it => getComputedStyle(it).animationName")

    feed.released.set()
    assert name == "none"
