"""The findings of axe-core on a page."""

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page


def findings_everywhere(page: Page) -> list[tuple[int, str, str, list[str]]]:
    """Return the findings at each width in each colour scheme; the page may not scroll sideways."""
    found = []
    for width in (360, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found += [(width, scheme, *it) for it in findings(page)]
    return found


def findings(page: Page, within: str | None = None) -> list[tuple[str, list[str]]]:
    """Return the rule and the elements of each violation, on the page or `within` a selector."""
    violations = Axe().run(page, within).response["violations"]
    return [(it["id"], [node["html"] for node in it["nodes"]]) for it in violations]
