"""How long a person waits. Each figure is the best of a few tries, for the machine has other things
to do; a page that is slow by itself is slow every time."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from dashboard.conftest import Open
from e2e.system import System

COLD_LOAD = 1500.0  # ms, from the request for the page to a map with land and points
TRIES = 5

DRAWN = """
() => Math.max(
    performance.getEntriesByName("land").at(-1).startTime,
    ...performance.getEntriesByName("points").map((it) => it.startTime + it.duration))
"""
LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((it) => it.duration)))
    .observe({ type: "longtask" });
"""


def test_map_is_drawn_within_a_second_and_a_half_on_a_cold_cache(open_page: Open) -> None:
    def load() -> float:
        page = open_page()
        expect(page.locator("canvas.points")).to_have_attribute("data-count", "1707")
        page.wait_for_function("() => performance.getEntriesByName('land').length")
        return float(page.evaluate(DRAWN))

    assert best(load, enough=COLD_LOAD) <= COLD_LOAD


@pytest.mark.parametrize(
    ("source", "count", "limit"), [("earthquakes", 1707, 50.0), ("many", 50_000, 500.0)]
)
def test_points_are_drawn_without_a_stutter(
    open_page: Open, system: System, source: str, count: int, limit: float
) -> None:
    system.ended(system.refresh(source=source))

    def longest_task() -> float:
        page = open_page("?source=hostile")
        expect(page.get_by_role("link", name=source, exact=True)).to_be_visible()
        page.evaluate(LONG_TASKS)
        show(page, source, count)
        # None is as long as a task may be that is not reported: 50 ms.
        return float(page.evaluate("Math.max(50, ...longTasks)"))

    assert best(longest_task, enough=limit) <= limit


def show(page: Page, source: str, count: int) -> None:
    page.get_by_role("link", name=source, exact=True).click()
    expect(page.locator("canvas.points")).to_have_attribute("data-count", str(count))
    # Two frames: what the first one began is reported by then.
    page.evaluate("() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 100))")


def best(measure: Callable[[], float], *, enough: float) -> float:
    """Return the least of a few measurements, or the first one that is enough."""
    least = measure()
    for _ in range(TRIES - 1):
        if least <= enough:
            break
        least = min(least, measure())
    return least
