"""The map: what is seen of it by wheel, fingers and keys, and any summary of the history on it."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.conftest import Pages
from browser.feed import Feed, point
from support.system import System

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
}
WHOLE = re.compile(r"^1\.00$")
LARGER = re.compile(r"^([2-9]|[1-9]\d+)\.")
ON_A_LINE = """
async ([lon, lat]) => {
  const { project } = await import("/dashboard/projection.js");
  return document.querySelector(".graticule").isPointInStroke(new DOMPoint(...project(lon, lat)));
}
"""
# Of points (longitude, latitude): why their centroid is where it is, and their picture in words.
CENTROIDS = [
    ([(-60, 50), (60, 50)], "north of them all, as here", "centroid is at 67.24° N"),
    ([(0, 90), (20, 80), (20, 80)], "^$", "eastwards to 180.00° E"),
    ([(-60, -50), (60, -50)], "south of them all, as here", "centroid is at 67.24° S"),
    ([(170, 0), (-170, 0), (-170, 0)], "^$", "eastwards across the antimeridian to 170.00° W"),
    ([(0, 0), (-160, 0)] * 4 + [(100, 0)], "outside of it, as here", "at 0.00° N, 80.00° W"),
    ([(0, 0), (180, 0)], "^The points cancel each other out", "They have no centroid"),
]


@pytest.fixture
def page(pages: Pages) -> Page:
    found = pages.open()
    expect(found.locator("canvas.batch")).to_have_attribute("data-count", "1707")
    return found


def map_of(page: Page) -> Locator:
    return page.locator("#map")


def zoomed(page: Page) -> float:
    return float(map_of(page).get_attribute("data-magnification") or 0)


def middle(page: Page) -> tuple[float, float]:
    box = map_of(page).bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def place_of(page: Page) -> str:
    """Where the world lies on the screen."""
    return page.locator(".ground g").get_attribute("transform") or ""


def test_wheel_zooms_and_a_drag_moves(page: Page) -> None:
    x, y = middle(page)
    page.mouse.move(x, y)

    page.mouse.wheel(0, -1000)
    expect(map_of(page)).to_have_attribute("data-magnification", LARGER)
    before = place_of(page)
    page.mouse.down()
    page.mouse.move(x - 80, y, steps=4)
    page.mouse.up()

    expect(page.locator(".ground g")).not_to_have_attribute("transform", before)
    page.mouse.wheel(0, 5000)
    expect(map_of(page)).to_have_attribute("data-magnification", WHOLE)
    page.mouse.wheel(0, 300)
    page.wait_for_function("() => scrollY > 0")  # there is nothing to zoom out of


def test_land_and_graticule_are_the_finer_the_closer_somebody_looks(page: Page) -> None:
    x, y = middle(page)
    page.mouse.move(x, y)
    places = [(30, 45), (10, 2.5), (2.5, 5), (1, 2.5), (2.5, 1), (2.5, 2.5)]

    def drawn(step: int) -> list[tuple[float, float]]:
        expect(map_of(page)).to_have_attribute("data-graticule", str(step))
        return [place for place in places if page.evaluate(ON_A_LINE, place)]

    expect(map_of(page)).to_have_attribute("data-land", re.compile(r"^\d{3}$"))
    assert drawn(30) == [(30, 45)]
    with page.expect_response("**/land-50m.json"):
        page.mouse.wheel(0, -1000)
    assert drawn(10) == [(10, 2.5)]
    page.mouse.wheel(0, -500)
    assert drawn(5) == [(10, 2.5), (2.5, 5)]
    page.mouse.wheel(0, -1000)
    assert drawn(1) == [(1, 2.5), (2.5, 1)]
    expect(map_of(page)).to_have_attribute("data-land", re.compile(r"^\d{4}$"))


def test_map_is_used_by_keyboard_alone(page: Page) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.locator("#map:focus").count():
            break
    expect(page.locator("#map-keys")).to_be_visible()
    expect(page.locator("#map-keys")).to_contain_text("Enter names the point in the middle")

    page.keyboard.press("+")
    expect(map_of(page)).to_have_attribute("data-magnification", "2.00")
    before = place_of(page)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".ground g")).not_to_have_attribute("transform", before)
    page.keyboard.press("f")
    page.keyboard.press("0")
    expect(map_of(page)).to_have_attribute("data-magnification", WHOLE)

    tip = page.locator(".tip.pinned")
    page.keyboard.press("Enter")
    expect(tip).to_be_visible()
    first = tip.inner_text()
    expect(page.locator("#announcement")).to_have_text(first)
    page.keyboard.press("Enter")
    expect(tip).not_to_have_text(first)
    page.keyboard.press("Shift+Enter")
    expect(tip).to_have_text(first)
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()


def test_buttons_fit_the_points_and_the_world(pages: Pages, system: System) -> None:
    system.ended(system.refresh(source="partial"))
    page = pages.open("?source=partial")
    expect(page.locator("canvas.batch")).to_have_attribute("data-count", "1")

    page.get_by_role("button", name="Fit to the points").click()
    expect(map_of(page)).to_have_attribute("data-magnification", "8.00")
    x, y = middle(page)
    page.mouse.move(x, y)
    expect(page.locator(".tip")).to_have_text("here")

    page.get_by_role("button", name="Show the whole world").click()
    expect(map_of(page)).to_have_attribute("data-magnification", WHOLE)


def test_phone_has_a_usable_map_and_pins_names_by_tap(pages: Pages, system: System) -> None:
    system.ended(system.refresh(source="partial"))
    page = pages.open("?source=partial", **PHONE)
    expect(page.locator("canvas.batch")).to_have_attribute("data-count", "1")
    box = map_of(page).bounding_box()
    assert box
    assert box["height"] >= 300
    assert page.evaluate("document.documentElement.scrollWidth") == 360

    map_of(page).scroll_into_view_if_needed()
    page.touchscreen.tap(*middle(page))

    expect(page.locator(".tip.pinned")).to_have_text("here")
    page.touchscreen.tap(box["x"] + 20, middle(page)[1] - 60)
    expect(page.locator(".tip")).to_be_hidden()


def test_two_fingers_zoom(pages: Pages) -> None:
    page = pages.open(**PHONE)
    expect(page.locator("canvas.batch")).to_have_attribute("data-count", "1707")
    before = zoomed(page)
    x, y = middle(page)
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *gap: float) -> None:
        points = [{"x": x + side * it, "y": y, "id": side} for it in gap for side in (-1, 1)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 20)
    for gap in (40, 60, 80, 100):
        touch("touchMove", gap)
    touch("touchEnd")

    page.wait_for_function(
        f"() => document.querySelector('#map').dataset.magnification > {3 * before}"
    )


def test_many_points_are_shown_as_a_density(pages: Pages, system: System) -> None:
    system.ended(system.refresh(source="many"))
    page = pages.open("?source=many")
    canvas = page.locator("canvas.batch")
    expect(canvas).to_have_attribute("data-count", "50000")
    expect(canvas).to_have_attribute("data-mode", "density")

    page.mouse.move(*middle(page))
    page.mouse.wheel(0, -2000)

    expect(canvas).to_have_attribute("data-mode", "dots")


def history(page: Page) -> Locator:
    page.get_by_text("As a table").click()
    return page.locator("#history-rows tr")


def test_any_summary_of_the_history_opens_on_the_map(pages: Pages, system: System) -> None:
    for _ in range(3):
        system.ended(system.refresh(source="rising"))
    page = pages.open("?source=rising")
    canvas = page.locator("canvas.batch")
    expect(canvas).to_have_attribute("data-count", re.compile("[1-9]"))
    newest = canvas.get_attribute("data-count") or ""
    rows = history(page)

    rows.nth(2).get_by_role("link").first.click()

    expect(canvas).not_to_have_attribute("data-count", newest)
    older = canvas.get_attribute("data-count") or ""
    assert re.search(r"[?&]summary=[0-9a-f-]{36}", page.url)
    expect(page.locator("#not-newest")).to_contain_text("Show the newest")
    expect(rows.nth(2)).to_contain_text("on the map")
    count = rows.count()
    system.ended(system.refresh(source="rising"))
    expect(rows).to_have_count(count + 1)
    page.reload()
    expect(canvas).to_have_attribute("data-count", older)

    page.get_by_role("link", name="Show the newest").click()
    expect(canvas).not_to_have_attribute("data-count", older)
    expect(page.locator("#not-newest")).to_be_hidden()
    page.go_back()
    expect(canvas).to_have_attribute("data-count", older)


def test_two_summaries_are_compared(pages: Pages, system: System) -> None:
    older, newer = (system.ended(system.refresh(source="rising"))["job_id"] for _ in range(2))
    page = pages.open(f"?summary={older}")
    count = system.http.get(f"/summaries/{older}").json()["count"]
    expect(page.locator("canvas.batch")).to_have_attribute("data-count", str(count))
    expect(page.locator("#source-name")).to_have_text("rising")
    expect(page.locator("#not-newest")).to_contain_text("Show the newest")

    history(page).nth(0).get_by_role("link", name=re.compile("^Compare")).click()

    expect(page).to_have_url(re.compile(f"compare={newer}$"))
    comparison = page.get_by_role("region", name="Comparison")
    expect(comparison).to_contain_text(re.compile(r"Points[\d,]+ there, [\d,]+ here"))
    expect(comparison).to_contain_text(re.compile(r"[\d,]+ km apart"))
    expect(page.locator("canvas.others")).to_have_attribute("data-count", re.compile("[1-9]"))
    comparison.get_by_role("button").click()
    expect(comparison).to_be_hidden()
    expect(page.locator("canvas.others")).to_have_attribute("data-count", "0")


def test_batch_is_downloaded_as_geojson_and_csv(page: Page, tmp_path: Path) -> None:
    with page.expect_download() as geojson:
        page.get_by_role("link", name="GeoJSON").click()
    with page.expect_download() as table:
        page.get_by_role("button", name="CSV").click()

    names = [it.value.suggested_filename for it in (geojson, table)]
    assert [re.sub(r"\d", "0", it) for it in names] == [
        "earthquakes-0000-00-00T000000.geojson",
        "earthquakes-0000-00-00T000000.csv",
    ]
    geojson.value.save_as(tmp_path / "batch.geojson")
    table.value.save_as(tmp_path / "batch.csv")
    assert len(json.loads((tmp_path / "batch.geojson").read_bytes())["features"]) == 1707
    with (tmp_path / "batch.csv").open(newline="") as lines:
        assert len(list(csv.DictReader(lines))) == 1707


def test_centroid_where_nobody_expects_it_is_explained(
    pages: Pages, system: System, feed: Feed
) -> None:
    page = pages.open("?source=apart")
    expect(page.locator("#map-words")).to_have_text("A map of the world, without points yet.")

    for places, why, words in CENTROIDS:
        feed.apart = [point(lon, lat, "far") for lon, lat in places]
        system.ended(system.refresh(source="apart"))
        expect(page.locator("#fact-count")).to_have_text(str(len(places)))
        expect(page.locator("#fact-centroid-why")).to_have_text(re.compile(why))
        expect(page.locator("#map-words")).to_contain_text(words)
