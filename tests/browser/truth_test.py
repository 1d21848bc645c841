"""The page says what is so: which sources fail, what was accepted, what may be old."""

import copy
import re
from typing import Any

from playwright.sync_api import Page, Request, Route, expect

from browser.conftest import Pages
from browser.feed import Feed
from browser.relay import relay
from support import verdicts
from support.system import System

NO_JOBS: dict[str, object] = {"items": [], "next": None}


def with_source(page: Page, system: System, name: str, **members: Any) -> None:
    """Let `/sources` tell something of a source."""
    answer = system.http.get("/sources").json()
    [source] = [it for it in answer["items"] if it["name"] == name]
    source.update(members)
    page.route("**/sources", lambda route: route.fulfill(json=answer))
    page.reload()


def test_failing_source_comes_first_whatever_others_do(
    pages: Pages, system: System, feed: Feed
) -> None:
    feed.mended.clear()
    system.ended(system.refresh(source="broken"))
    system.ended(system.refresh(source="earthquakes"))
    page = pages.open()
    page.route("**/jobs?*", lambda route: route.fulfill(json=NO_JOBS))
    with_source(page, system, "broken", newest=None)

    first = page.locator("#source-list > li").first

    expect(first).to_have_attribute("data-source", "broken")
    expect(first.locator(".badge")).to_have_text("failing")
    expect(first.locator(".error")).to_have_text(re.compile("^Failed at .*answered 404"))
    expect(first.locator(".about")).to_contain_text("no summary yet: Refresh tries again")
    fine = page.locator('[data-source="earthquakes"] .badge')
    expect(fine).to_be_hidden()


def test_sources_are_judged_by_the_rule(pages: Pages, system: System) -> None:
    answer = system.http.get("/sources").json()
    [template] = [it for it in answer["items"] if it["name"] == "earthquakes"]
    for number, (job, failures, stale, _) in enumerate(verdicts.CASES):
        source = copy.deepcopy(template) | {"name": f"case-{number}", "default": False}
        verdicts.become(source, job, failures, stale=stale)
        answer["items"].append(source)
    page = pages.open()
    page.route("**/sources", lambda route: route.fulfill(json=answer))

    page.reload()

    for number, (*case, verdict) in enumerate(verdicts.CASES):
        badge = page.locator(f'[data-source="case-{number}"] .badge')
        expect(badge, str(case)).to_have_text(verdict)


def test_source_that_recovers_is_no_problem(pages: Pages, system: System, feed: Feed) -> None:
    feed.mended.clear()
    system.ended(system.refresh(source="broken"))
    page = pages.open()
    card = page.locator('[data-source="broken"]')
    expect(card.locator(".badge")).to_have_text("failing")

    feed.mended.set()
    card.get_by_role("button").click()

    expect(card).to_have_attribute("data-verdict", "fine")
    expect(card.get_by_role("button")).to_be_focused()
    feed.mended.clear()


def test_stale_source_is_pointed_out(pages: Pages, system: System) -> None:
    page = pages.open(timezone_id="Asia/Kathmandu")
    next_at = "2026-11-30T01:05:00Z"

    with_source(
        page, system, "earthquakes", every="5m", stale=True, next_scheduled_at=next_at, circuit=None
    )

    card = page.locator('[data-source="earthquakes"]')
    expect(card.locator(".badge")).to_have_text("stale")
    schedule = card.get_by_text("every 5m, next at")
    expect(schedule).to_contain_text("06:50:00, default")
    expect(schedule).to_have_attribute(
        "title", "30 November 2026 at 06:50:00 Nepal Time · 2026-11-30 01:05:00 UTC"
    )


def test_source_that_was_never_tried_says_the_next_step(pages: Pages) -> None:
    page = pages.open("?source=untouched")
    card = page.locator('[data-source="untouched"]')

    expect(card.locator(".badge")).to_have_text("never tried")
    expect(card).to_contain_text("no summary yet: Refresh requests one")
    expect(page.locator("#age")).to_have_text("no summary yet: Refresh requests one")
    expect(page.locator("#history-words")).to_have_text(
        "untouched has no summary yet: its history begins with the first Refresh."
    )


def test_refresh_is_sent_again_until_it_is_accepted(pages: Pages, system: System) -> None:
    with relay(system.http.base_url.port or 0) as way:
        page = pages.open(base=f"http://127.0.0.1:{way.port}")
        expect(page.locator("#connection")).to_have_text("Live")
        keys: list[str] = []

        def record(request: Request) -> None:
            if request.url.endswith("/refresh"):
                keys.append(request.headers["idempotency-key"])

        page.on("request", record)
        button = page.get_by_role("button", name="Refresh earthquakes")
        expect(button).to_be_visible()
        way.cut()
        button.click()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("Refresh of earthquakes: The API cannot be reached")
        expect(alert).to_contain_text("Not accepted yet")
        expect(button).to_have_attribute("aria-disabled", "true")

        way.mend()

        expect(page.locator("#announcement")).to_have_text(re.compile("^earthquakes"))
        expect(alert.get_by_role("listitem")).to_have_count(0)
        assert len(keys) > 1
        assert len(set(keys)) == 1
        expect(button).to_have_attribute("aria-disabled", "false")


def test_retry_whose_answer_was_lost_is_not_refused(
    pages: Pages, system: System, feed: Feed
) -> None:
    feed.mended.clear()
    system.ended(system.refresh(source="broken"))
    feed.mended.set()
    page = pages.open()
    answered: list[int] = []

    def lose_the_first(route: Route) -> None:
        response = route.fetch()
        answered.append(response.status)
        if len(answered) == 1:
            route.abort()
        else:
            route.fulfill(response=response)

    page.route("**/retry", lose_the_first)
    page.get_by_role("button", name=re.compile("^Retry the job of broken")).first.click()

    expect(page.get_by_role("alert")).to_contain_text("Not accepted yet")
    expect(page.get_by_role("alert").get_by_role("listitem")).to_have_count(0)
    assert answered == [202, 409]
    feed.mended.clear()


def test_numbers_are_grey_while_they_may_be_old(pages: Pages, system: System) -> None:
    with relay(system.http.base_url.port or 0) as way:
        page = pages.open(base=f"http://127.0.0.1:{way.port}")
        count = page.locator("#fact-count")
        expect(page.locator("#connection")).to_have_text("Live")
        expect(count).not_to_have_text("\N{EN DASH}")
        fresh = colour(page)

        way.cut()

        words = re.compile(r"Connection lost, trying again; grey numbers are of \d\d:\d\d:\d\d")
        expect(page.locator("#connection")).to_have_text(words)
        expect(page.locator("main")).to_have_class("old")
        assert colour(page) != fresh
        way.mend()
        expect(page.locator("#connection")).to_have_text("Live")
        assert colour(page) == fresh


def colour(page: Page) -> str:
    found: str = page.locator("#fact-count").evaluate("it => getComputedStyle(it).color")
    return found
