"""The findings of axe-core, at all sizes and in both colour schemes."""

import re

from playwright.sync_api import expect

from browser.axe import findings_everywhere
from browser.conftest import HYPHENATED, WHOLE, Pages
from browser.feed import Feed
from browser.letters import letter
from support.system import System

LETTERS = {"items": [letter(1, b"{}")], "next": None}
LINES = """(names) => names.map(({ firstChild: text }) => {
  const lines = new Map(); // by their tops
  const range = document.createRange();
  [...text.data].forEach((letter, at) => {
    range.setStart(text, at);
    range.setEnd(text, at + 1);
    const { top } = range.getBoundingClientRect();
    lines.set(top, (lines.get(top) ?? "") + letter);
  });
  return [...lines.values()];
})"""


def test_axe_finds_nothing(pages: Pages, system: System, feed: Feed) -> None:
    feed.mended.clear()
    system.ended(system.refresh(source="broken"))
    for _ in range(2):
        system.ended(system.refresh(source="earthquakes"))
    page = pages.open()
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

    assert findings_everywhere(page) == []
    expect(page.locator(".tip.pinned")).to_be_visible()

    page.locator("main").evaluate("it => it.classList.add('old')")
    assert findings_everywhere(page) == []

    for row, name in (('#job-rows [data-state="failed"]', "Details"), ("#letter-rows", "Bytes")):
        page.locator(row).first.get_by_role("button", name=re.compile(f"^{name}")).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert findings_everywhere(page) == []
        page.keyboard.press("Escape")


def test_names_break_at_hyphens_only(pages: Pages, system: System) -> None:
    names = ("earthquakes", WHOLE, HYPHENATED)
    for name in names:
        system.ended(system.refresh(source=name))
    page = pages.open(f"?source={HYPHENATED}")
    for name in names:
        expect(page.locator(f'#job-rows th:text-is("{name}")').first).to_be_visible()
    expect(page.get_by_role("link", name=HYPHENATED)).to_be_visible()

    for width in (360, 900, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        found = page.locator("#source-name, #job-rows th, #source-list h3 a").evaluate_all(LINES)
        broken = ["".join(it) for it in found if not all(line[-1] == "-" for line in it[:-1])]

        assert max(len(it) for it in found if it[-1].endswith("coast")) > 1
        assert {*broken} <= {WHOLE}, "that one is wider than its place"
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_nothing_moves_for_those_who_want_it_still(pages: Pages, feed: Feed) -> None:
    page = pages.open(reduced_motion="reduce")
    feed.released.clear()
    page.get_by_role("button", name="Refresh slow").click()
    step = page.locator('[data-source="slow"] [data-progress="active"]')
    expect(step).to_be_visible()

    name = step.evaluate("it => getComputedStyle(it).animationName")

    feed.released.set()
    assert name == "none"
