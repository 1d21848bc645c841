"""The jobs: filters, pages, one in full, and the messages that nobody could process."""

import re

from playwright.sync_api import Locator, Page, Route, expect

from browser.conftest import SETTINGS, Pages, press
from browser.feed import Feed
from browser.letters import letter
from support.system import System

PAGE = 50
MOST_LISTED = 100
FIRST_VIEW = 250_000  # bytes, compressed
SIZES = """() => Object.fromEntries(
  ["navigation", "resource"]
    .flatMap((kind) => performance.getEntriesByType(kind))
    .map(({ name, transferSize }) => [name.replace(location.origin, ""), transferSize])
)"""


def states(page: Page) -> list[str]:
    rows = page.locator("#job-rows tr").all()
    return [row.get_attribute("data-state") or "" for row in rows]


def test_jobs_are_filtered_by_source_and_state(pages: Pages, system: System, feed: Feed) -> None:
    feed.mended.clear()
    system.ended(system.refresh(source="broken"))
    system.ended(system.refresh(source="hostile"))
    page = pages.open()
    rows = page.locator("#job-rows tr")
    expect(rows.first).to_have_attribute("data-state", "succeeded")

    page.get_by_label("State").select_option("failed")
    expect(page.locator('#job-rows [data-state="succeeded"]')).to_have_count(0)
    expect(rows.first).to_have_attribute("data-state", "failed")
    assert page.url.endswith("/dashboard?jobs_state=failed")

    page.locator("#jobs-source").select_option("hostile")
    expect(rows).to_have_count(0)
    expect(page.locator("#no-jobs")).to_have_text("No such job: choose another source or state.")

    page.get_by_label("State").select_option("")
    expect(rows.first).to_contain_text("hostile")
    before = rows.count()
    system.ended(system.refresh(source="earthquakes"))
    system.ended(system.refresh(source="hostile"))
    expect(rows).to_have_count(before + 1)
    expect(page.locator("#job-rows th").get_by_text("earthquakes")).to_have_count(0)
    page.reload()
    expect(rows).to_have_count(before + 1)


def test_older_jobs_are_on_further_pages(pages: Pages, system: System) -> None:
    page = open_full_page(pages, system)
    rows = page.locator("#job-rows tr")
    newest = rows.first.get_attribute("data-job")

    press(page, page.get_by_role("button", name="Older"), backwards=True)

    expect(page.locator("#jobs-page")).to_have_text("page 2")
    expect(page.locator(f'[data-job="{newest}"]')).to_have_count(0)
    expect(rows.first).to_be_visible()
    shown = rows.count()
    system.ended(system.refresh(source="partial"))
    expect(rows).to_have_count(shown)

    press(page, page.get_by_role("button", name="Newer"), backwards=True)
    expect(page.locator("#jobs-page")).to_have_text("the newest")
    expect(rows).to_have_count(PAGE)


def open_full_page(pages: Pages, system: System) -> Page:
    """Open the newest jobs of `partial`, more than fit on a page, and wait until it is live."""
    for _ in range(PAGE + 1 - len(jobs_of_partial(system))):
        system.refresh(source="partial")
    system.ended(system.refresh(source="partial"))
    page = pages.open("?jobs_source=partial")
    expect(page.locator("#job-rows tr")).to_have_count(PAGE)
    expect(page.locator("#connection")).to_have_text("Live")
    return page


def test_first_view_is_light(pages: Pages, system: System) -> None:
    page = open_full_page(pages, system)
    expect(page.locator("canvas.batch")).to_have_attribute("data-count", "1707")
    expect(page.locator("#map")).to_have_attribute("data-land", re.compile(r"^\d{3}$"))
    expect(page.locator("#letters-words")).to_have_text(re.compile("^None"))

    sizes = page.evaluate(SIZES)

    shown = page.locator("#map").get_attribute("data-summary")
    assert {f"/summaries/{shown}/points", "/summaries", "/jobs", "/dashboard"} <= {
        name.partition("?")[0] for name in sizes
    }
    assert all(sizes.values())
    assert sum(sizes.values()) <= FIRST_VIEW, sizes


def jobs_of_partial(system: System) -> list[str]:
    items = system.http.get(f"/jobs?source=partial&limit={MOST_LISTED}").json()["items"]
    return [it["job_id"] for it in items]


def test_a_job_that_comes_pushes_none_off_the_pages(pages: Pages, system: System) -> None:
    page = open_full_page(pages, system)
    rows = page.locator("#job-rows tr")

    system.ended(system.refresh(source="partial"))

    expect(rows).to_have_count(PAGE + 1)
    newest = ids(page)
    page.get_by_role("button", name="Older").click()
    expect(page.locator("#jobs-page")).to_have_text("page 2")
    expect(page.locator(f'[data-job="{newest[0]}"]')).to_have_count(0)
    shown = newest + ids(page)
    assert shown[:MOST_LISTED] == jobs_of_partial(system)[: len(shown)]


def test_the_newest_page_is_bounded(pages: Pages, system: System) -> None:
    page = open_full_page(pages, system)
    rows = page.locator("#job-rows tr")

    with page.expect_request("**/jobs?*"):
        for _ in range(PAGE):
            job = system.refresh(source="partial")
    system.ended(job)

    expect(rows).to_have_count(PAGE)
    expect(page.locator(f'[data-job="{job.rpartition("/")[2]}"]')).to_be_visible()


def ids(page: Page) -> list[str]:
    return [it.get_attribute("data-job") or "" for it in page.locator("#job-rows tr").all()]


def test_a_page_is_turned_once_however_often_it_is_asked_for(pages: Pages, system: System) -> None:
    page = open_full_page(pages, system)
    number = page.locator("#jobs-page")
    older = page.get_by_role("button", name="Older")
    expect(older).to_be_visible()
    page.route("**/jobs?*cursor*", lambda it: it.abort())
    older.click()
    expect(page.get_by_role("alert")).to_contain_text("The jobs: The API cannot be reached")
    expect(number).to_have_text("the newest")
    page.unroute("**/jobs?*cursor*")
    held = hold(page, "**/jobs?*cursor*")

    with page.expect_request("**/jobs?*cursor*"):
        older.dblclick()
    release(page, held)

    expect(number).to_have_text("page 2")
    assert len(held) == 1


def test_a_job_is_shown_in_full(pages: Pages, system: System, feed: Feed) -> None:
    feed.mended.clear()
    job = system.refresh(source="broken")
    system.ended(job)
    job_id = job.rpartition("/")[2]
    page = pages.open()
    row = page.locator(f'[data-job="{job_id}"]')

    row.get_by_role("button", name=re.compile("^Details")).click()

    dialog = page.get_by_role("dialog", name="Job of broken")
    expect(dialog).to_contain_text("answered 404")
    expect(dialog.get_by_role("table")).to_contain_text(re.compile("^Failed attempts"))
    expect(dialog.locator("time").first).to_have_attribute("title", re.compile(r"UTC$"))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for name, copied, template in (
        ("trace", job_id.replace("-", ""), SETTINGS["MOUSETRAP_TRACE_LINK"]),
        ("job", job_id, SETTINGS["MOUSETRAP_LOG_LINK"]),
    ):
        expect(dialog.get_by_role("link", name=copied)).to_have_attribute(
            "href", template.format(job_id=copied, trace_id=copied)
        )
        dialog.get_by_role("button", name=f"Copy the id of the {name}").click()
        expect(dialog.get_by_role("button", name=f"Copied the id of the {name}")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == copied
    expect(dialog.get_by_role("link", name="This job in the API")).to_have_attribute(
        "href", f"/jobs/{job_id}"
    )
    expect(page).to_have_url(re.compile(rf"\?job={job_id}$"))

    page.reload()
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/dashboard\?$"))


def test_a_shown_job_follows_its_changes(pages: Pages, system: System, feed: Feed) -> None:
    feed.mended.clear()
    path = system.refresh(source="busy")
    page = pages.open(f"?job={path.rpartition('/')[2]}", timezone_id="Asia/Kathmandu")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("queued")
    expect(fact(dialog, "Next attempt").locator("time")).to_be_visible()
    expect(dialog.get_by_role("table")).to_contain_text("answered 503")

    feed.mended.set()

    expect(dialog).to_contain_text("succeeded")
    expect(fact(dialog, "Next attempt")).to_have_count(0)
    expect(dialog.get_by_role("link", name="On the map")).to_be_visible()
    job = system.ended(path)
    for name, member in (("Fetched", "fetched_at"), ("Stored", "finished_at")):
        expect(fact(dialog, name)).to_have_text(re.compile(r"\d\d:\d\d:\d\d, after \d[\d.]* \w+$"))
        time = fact(dialog, name).locator("time")
        expect(time).to_have_attribute("datetime", job[member])
        expect(time).to_have_attribute("title", re.compile(r" Nepal Time · .* UTC$"))


def fact(dialog: Locator, name: str) -> Locator:
    return dialog.locator(f'dt:text-is("{name}") + dd')


def test_a_job_that_was_closed_stays_closed(pages: Pages, system: System, feed: Feed) -> None:
    feed.released.clear()
    job = system.refresh(source="slow").rpartition("/")[2]
    page = pages.open(f"?job={job}")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("queued")
    expect(page.locator("#connection")).to_have_text("Live")
    held = hold(page, f"**/jobs/{job}")

    with page.expect_request(f"**/jobs/{job}"):
        feed.released.set()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    release(page, held)

    expect(dialog).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/dashboard\?$"))


def test_the_job_that_was_asked_for_last_is_shown(pages: Pages, system: System) -> None:
    first, last = (system.refresh(source="hostile").rpartition("/")[2] for _ in range(2))
    system.ended(f"/jobs/{last}")
    page = pages.open()
    held = hold(page, f"**/jobs/{first}")
    details = [
        page.locator(f'[data-job="{it}"]').get_by_role("button", name=re.compile("^Details"))
        for it in (first, last)
    ]
    with page.expect_request(f"**/jobs/{first}"):
        details[0].click()
    details[1].click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(last.replace("-", ""))

    release(page, held)

    expect(dialog).to_contain_text(last.replace("-", ""))
    expect(page).to_have_url(re.compile(rf"\?job={last}$"))


def hold(page: Page, url: str) -> list[Route]:
    """Let requests wait until they are released."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    page.route(url, keep)
    return held


def release(page: Page, held: list[Route]) -> None:
    """Let requests go on that were held, and the page take their answers."""
    for route in held:
        route.continue_()
        response = route.request.response()
        assert response
        response.finished()
    page.evaluate("() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 100))")


def test_dead_letters_tell_their_reason_and_their_bytes(pages: Pages) -> None:
    page = pages.open(timezone_id="Asia/Kathmandu")
    letters = [
        {"items": [letter(2, b"<b>\x00{}")], "next": "d0000000000000002"},
        {"items": [letter(1, b"older")], "next": None},
    ]
    page.route(
        re.compile(r"/dead-letters\?"),
        lambda it: it.fulfill(json=letters["cursor" in it.request.url]),
    )
    page.reload()
    rows = page.locator("#letter-rows tr")
    expect(rows).to_have_text(re.compile("mousetrap:fetch.*it ended 3 workers.*3 deliveries"))
    expect(rows).to_contain_text("06:47:03")
    expect(rows.locator("time")).to_have_attribute(
        "title", "30 November 2026 at 06:47:03 Nepal Time · 2026-11-30 01:02:03 UTC"
    )

    page.get_by_role("button", name="Bytes of dead letter 2").click()

    dialog = page.get_by_role("dialog", name="Dead letter 2")
    expect(dialog.locator("pre")).to_have_text(re.compile("3c 62 3e 00 7b 7d .*<b>.{}$"))
    dialog.get_by_role("button", name="Close").click()
    page.locator("#letters").get_by_role("button", name="Older").click()
    expect(rows).to_have_count(2)


def test_dead_letters_are_followed_after_older_ones_failed(pages: Pages) -> None:
    page = pages.open()
    page.clock.install()
    newest = {"items": [letter(2, b"{}")], "next": "d0000000000000002"}
    page.route(re.compile(r"/dead-letters\?"), lambda it: it.fulfill(json=newest))
    problem = {"type": "urn:test", "title": "No room", "detail": "Ask again.", "status": 503}
    page.route(
        re.compile(r"/dead-letters\?.*cursor"), lambda it: it.fulfill(status=503, json=problem)
    )
    page.reload()
    page.locator("#letters").get_by_role("button", name="Older").click()
    expect(page.get_by_role("alert")).to_contain_text("The dead letters: No room")
    newest["items"] = [letter(3, b"{}"), letter(2, b"{}")]

    page.clock.fast_forward("01:01")

    expect(page.locator("#letter-rows tr")).to_have_count(2)


def test_no_dead_letter_is_good_news(pages: Pages) -> None:
    words = pages.open().locator("#letters-words")

    expect(words).to_have_text("None: workers could read every message.")
