"""What axe-core finds, at both ends of the range of sizes and in both colour schemes."""

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import expect

from browser.conftest import Open
from browser.feed import Feed
from support.system import System


@pytest.mark.parametrize("width", [360, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    open_page: Open, system: System, feed: Feed, scheme: str, width: int
) -> None:
    feed.mended.clear()
    system.ended(system.refresh(source="broken"))
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    page.route("**/refresh", lambda route: route.fulfill(status=503))
    page.get_by_role("button", name="Refresh many").click()
    expect(page.get_by_role("alert")).to_contain_text("The answer was 503")
    expect(page.locator("canvas.batch")).to_have_attribute("data-count", "1707")
    expect(page.locator('#job-rows [data-state="failed"]').first).to_be_visible()
    page.get_by_text("As a table").click()

    violations = Axe().run(page).response["violations"]

    assert [(it["id"], [node["html"] for node in it["nodes"]]) for it in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_nothing_moves_for_those_who_want_it_still(open_page: Open, feed: Feed) -> None:
    page = open_page(reduced_motion="reduce")
    feed.released.clear()
    page.get_by_role("button", name="Refresh slow").click()
    step = page.locator('[data-source="slow"] [data-progress="active"]')
    expect(step).to_be_visible()

    name = step.evaluate("it => getComputedStyle(it).animationName")

    feed.released.set()
    assert name == "none"
