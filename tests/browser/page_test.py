"""The page as a person sees and uses it."""

import re

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import Pages
from browser.feed import Feed
from support.system import System

BACKLOG_FULL = {
    "type": "urn:mousetrap:problem:backlog-full",
    "title": "Backlog full",
    "status": 503,
    "detail": "Too many jobs are queued to accept another one.",
}


@pytest.fixture
def page(pages: Pages) -> Page:
    found = pages.open()
    expect(found.locator("#connection")).to_have_text("Live")
    return found


def test_newest_batch_is_on_the_map(page: Page) -> None:
    expect(page.locator("canvas.batch")).to_have_attribute("data-count", "1707")
    expect(page.locator(".marks .north text")).to_have_text("M 5.2 - 219km NE of Nord, Greenland")
    expect(page.locator(".marks .centroid")).to_be_attached()
    expect(page.locator("#fact-count")).to_have_text("1,707")
    expect(page.locator("#fact-centroid")).to_have_text("42.58° N, 122.65° W")
    expect(page).to_have_title("earthquakes \N{EN DASH} Mousetrap")


def test_map_is_told_in_words(page: Page) -> None:
    words = page.get_by_role("application", name=re.compile("1,707 points of earthquakes"))

    expect(words).to_have_accessible_name(
        re.compile(
            r"northerly is M 5.2 .* from 35.41°\sW eastwards across the antimeridian to 63.90°\sW"
        )
    )


def test_box_across_the_antimeridian_is_drawn_in_two_parts(page: Page) -> None:
    box = page.locator(".marks .box")
    expect(box).to_have_attribute("data-parts", "2")
    inside = box.evaluate("""(box) => {
          const holds = (x) => box.isPointInFill(new DOMPoint(1000 * x, 243));
          return [0.01, 0.25, 0.35, 0.5, 0.99].map(holds);
        }""")

    # On the equator, from the left: the Pacific, Peru, Brazil, Africa, the Pacific again. The box
    # begins in the Atlantic and ends west of Brazil.
    assert inside == [True, True, False, True, True]


def test_refresh_is_followed_through_its_stages(page: Page, feed: Feed) -> None:
    feed.released.clear()
    card = page.locator('[data-source="slow"]')
    steps = card.locator(".track li")

    card.get_by_role("button", name="Refresh slow").click()

    expect(page.locator("#announcement")).to_have_text("slow is queued")
    expect(steps.nth(0)).to_have_attribute("data-progress", "done")
    expect(steps.nth(1)).to_have_attribute("data-progress", "active")
    job = page.locator("#job-rows tr").first
    expect(job).to_have_attribute("data-state", "queued")

    feed.released.set()

    expect(steps.nth(2)).to_have_attribute("data-progress", "done")
    expect(steps.nth(1)).to_contain_text(re.compile(r"Fetched.*\d+ m?s"))
    expect(job).to_have_attribute("data-state", "succeeded")
    expect(page.locator("#announcement")).to_have_text("slow: the new summary is stored")
    expect(card).to_contain_text("1 point")


def test_map_and_chart_change_when_the_chosen_source_is_refreshed(pages: Pages) -> None:
    page = pages.open("?source=growing")
    drawn = page.locator("canvas.batch")
    refresh = page.get_by_role("button", name="Refresh growing")
    expect(refresh).to_be_visible()

    refresh.click()
    expect(drawn).to_have_attribute("data-count", re.compile("[1-9]"))
    first = int(drawn.get_attribute("data-count") or 0)
    refresh.click()

    expect(drawn).not_to_have_attribute("data-count", str(first))
    assert int(drawn.get_attribute("data-count") or 0) > first
    expect(page.locator("#history-rows tr")).to_have_count(2)
    expect(page.locator("#history-words")).to_contain_text("The newest 2 summaries")


def test_choice_of_a_source_outlives_reload_and_back(page: Page, system: System) -> None:
    system.ended(system.refresh(source="hostile"))
    page.get_by_role("link", name="hostile", exact=True).click()
    expect(page.locator("#source-name")).to_have_text("hostile")
    expect(page.locator("canvas.batch")).to_have_attribute("data-count", "1")
    assert page.url.endswith("/dashboard?source=hostile")

    page.reload()
    expect(page.locator("#source-name")).to_have_text("hostile")
    expect(page.get_by_role("link", name="hostile", exact=True)).to_have_attribute(
        "aria-current", "true"
    )

    page.go_back()
    expect(page.locator("#source-name")).to_have_text("earthquakes")
    expect(page.locator("canvas.batch")).to_have_attribute("data-count", "1707")

    page.go_forward()
    expect(page.locator("#source-name")).to_have_text("hostile")


def test_a_view_keeps_the_jobs_that_were_chosen(pages: Pages, system: System) -> None:
    for _ in range(2):
        system.ended(system.refresh(source="earthquakes"))
    page = pages.open("?source=earthquakes")
    page.get_by_text("As a table").click()
    rows = page.locator("#history-rows tr")
    expect(rows.nth(1)).to_be_visible()
    page.get_by_label("State").select_option("succeeded")
    expect(page).to_have_url(re.compile("jobs_state=succeeded"))

    rows.nth(1).get_by_role("link", name=re.compile("^Compare")).click()
    expect(page.get_by_role("region", name="Comparison")).to_be_visible()
    expect(page).to_have_url(re.compile(r"jobs_state=succeeded.*compare="))
    rows.nth(1).get_by_role("link").first.click()
    expect(page.get_by_role("region", name="Comparison")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"jobs_state=succeeded&.*summary=[^&]*$"))
    page.get_by_role("link", name="Show the newest").click()

    expect(page.locator("#not-newest")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?(jobs_state=succeeded|source=earthquakes|&){3}$"))


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("?summary=1%3F2", "/summaries/1%3F2"),
        ("?compare=1%232", "/summaries/1%232"),
        ("?job=1%3F2", "/jobs/1%3F2"),
    ],
)
def test_an_id_of_the_address_is_sent_whole(pages: Pages, query: str, path: str) -> None:
    page = pages.open()

    with page.expect_request(lambda it: it.url.endswith(path)):
        page.goto(f"{page.url}{query}")
    expect(page.get_by_role("alert").get_by_role("listitem").first).to_be_visible()


def test_names_of_points_are_text_and_nothing_else(pages: Pages, system: System) -> None:
    system.ended(system.refresh(source="hostile"))

    page = pages.open("?source=hostile")

    expect(page.locator("#fact-north-name")).to_have_text("<img src=x onerror=alert(1)>")
    expect(page.locator(".marks .north text")).to_have_text("<img src=x onerror=alert(1)>")
    expect(page.locator("main img")).to_have_count(0)


def test_what_the_source_asks_for_is_shown(pages: Pages, system: System) -> None:
    for _ in range(2):
        system.ended(system.refresh(source="asking"))

    page = pages.open("?source=asking")

    details = page.locator("#details")
    expect(details.locator("h3")).to_have_text(["Groups", "Values", "Density", "Changes"])
    expect(details.locator("section").first).to_contain_text(re.compile("here.*3"))
    expect(details).to_contain_text("1 cell of")
    expect(details.get_by_role("link")).to_have_text("1 new, 1 gone")
    expect(page.locator(".marks .cell")).to_have_count(1)
    details.get_by_role("link").click()
    expect(page.locator("body")).to_contain_text('"ids":["id ')


def test_what_was_left_out_is_told(pages: Pages, system: System) -> None:
    system.ended(system.refresh(source="partial"))

    page = pages.open("?source=partial")

    expect(page.locator("#fact-count")).to_have_text("1")
    expect(page.locator("#fact-feed")).to_have_text(re.compile(r"1 answer, \d+ B"))
    expect(page.locator("#fact-feed-status")).to_have_text(re.compile(r"status 200, in \d+ ms"))
    expect(page.locator("#remarks li").first).to_have_text(re.compile("^2 features left out: 2 "))
    expect(page.locator('[data-source="partial"] .remarks')).to_have_text(re.compile("^2 left out"))
    page.get_by_text("As a table").click()
    expect(page.locator("#history-rows tr").first).to_contain_text("2 left out")


def test_last_failure_of_a_source_is_told_with_its_reason(
    pages: Pages, system: System, feed: Feed
) -> None:
    feed.mended.clear()
    page = pages.open("?source=broken")
    expect(page.locator("#connection")).to_have_text("Live")

    system.refresh(source="broken")

    failure = page.locator("#last-failure")
    expect(failure).to_have_text(
        re.compile(r"^The last failure, .*: 127\.0\.0\.1:\d+ answered 404")
    )


def test_pointer_tells_the_name_of_a_point(pages: Pages, system: System) -> None:
    system.ended(system.refresh(source="slow"))
    page = pages.open("?source=slow")
    mark = page.locator(".marks .centroid path")
    expect(mark).to_be_attached()

    mark.hover(force=True)

    expect(page.locator(".tip")).to_have_text("slow")


def test_failed_job_shows_its_error_and_can_be_retried(page: Page, feed: Feed) -> None:
    feed.mended.clear()
    page.get_by_role("button", name="Refresh broken").click()
    job = page.locator("#job-rows tr").first
    expect(job).to_have_attribute("data-state", "failed")
    expect(job.locator(".error")).to_contain_text("answered 404 instead of 200")
    expect(page.locator('[data-source="broken"] .error')).to_contain_text("answered 404")

    feed.mended.set()
    job.get_by_role("button", name=re.compile("^Retry")).click()

    expect(job).to_have_attribute("data-state", "succeeded")
    expect(job.get_by_role("button", name=re.compile("^Retry"))).to_have_count(0)
    expect(job.locator(".error")).to_have_text("")


def test_unknown_source_is_told_in_the_words_of_the_api(pages: Pages) -> None:
    page = pages.open("?source=nowhere")

    expect(page.get_by_role("alert")).to_contain_text("There is no source 'nowhere'")
    expect(page.locator("#source-name")).to_have_text("nowhere")
    expect(page.locator("#fact-count")).to_have_text("\N{EN DASH}")


def test_refused_refresh_is_told_in_the_words_of_the_api(page: Page) -> None:
    page.route("**/refresh", lambda route: route.fulfill(status=503, json=BACKLOG_FULL))
    refresh = page.get_by_role("button", name="Refresh earthquakes")

    refresh.click()
    refresh.click()

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Refresh of earthquakes: Backlog full")
    expect(alert).to_contain_text(BACKLOG_FULL["detail"])  # type: ignore[arg-type]
    expect(alert.get_by_role("listitem")).to_have_count(1)
    alert.get_by_role("button", name="Dismiss").click()
    expect(alert.get_by_role("listitem")).to_have_count(0)


def test_queues_and_their_workers_are_shown(page: Page) -> None:
    for queue in ("fetch", "process"):
        row = page.locator(f'[data-queue="{queue}"]')
        expect(row.locator(".messages")).to_have_text("0")
        expect(row.locator(".workers")).to_have_text("1 worker")


def test_queue_that_nobody_works_on_is_pointed_out(pages: Pages) -> None:
    page = pages.open()
    queue = {"name": "fetch", "messages": 1234, "oldest_seconds": 75.2, "workers": 0}
    page.route("**/queues", lambda route: route.fulfill(json={"items": [queue]}))

    row = page.locator('[data-queue="fetch"]')

    expect(row).to_have_class("unattended")
    expect(row).to_have_text("Fetch1,23475 s0 workers")


def test_source_that_is_not_asked_is_pointed_out(page: Page, system: System) -> None:
    sources = system.http.get("/sources").json()
    card = page.locator('[data-source="earthquakes"]')
    expect(card.locator(".circuit")).to_be_hidden()

    for source in sources["items"]:
        source["circuit"] = {
            "state": "open",
            "since": "2026-11-30T01:02:03Z",
            "failures": 7,
            "last_error": "timeout",
        }
    page.route("**/sources", lambda route: route.fulfill(json=sources))
    page.reload()

    expect(card.locator(".circuit")).to_have_text(
        re.compile("^Not asked since .*: failed 7 times in a row, last with timeout$")
    )
