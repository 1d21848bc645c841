"""The page when its stream is lost."""

from playwright.sync_api import Request, expect

from browser.conftest import Pages
from browser.relay import relay
from support.system import System

RESET = "retry: 60000\n\nevent: ready\nid: 1\ndata: {}\n\nevent: reset\ndata: {}\n\n"


def test_lost_stream_is_told_and_resumes_without_a_gap(pages: Pages, system: System) -> None:
    with relay(system.http.base_url.port or 0) as way:
        page = pages.open(base=f"http://127.0.0.1:{way.port}")
        connection = page.locator("#connection")
        expect(connection).to_have_text("Live")
        expect(page.locator("#job-rows tr").first).to_be_visible()
        lists: list[str] = []
        page.on("request", lambda it: lists.append(it.url) if "/jobs?limit" in it.url else None)

        way.cut()
        expect(connection).to_contain_text("Connection lost, trying again")
        job = system.refresh(source="earthquakes")
        system.ended(job)
        way.mend()

        expect(connection).to_have_text("Live")
        missed = page.locator(f'[data-job="{job.rpartition("/")[2]}"]')
        expect(missed).to_have_attribute("data-state", "succeeded")
        assert lists == [], "the stream told of it, not a list that was loaded anew"


def test_lists_are_loaded_anew_when_the_stream_has_a_gap(pages: Pages) -> None:
    page = pages.open()
    page.route(
        "**/events", lambda route: route.fulfill(content_type="text/event-stream", body=RESET)
    )
    loads: list[str] = []

    def second_load(request: Request) -> bool:
        if "/jobs?" in request.url:
            loads.append(request.url)
        return len(loads) == 2

    # The first one is that of every new page.
    with page.expect_request(second_load):
        page.reload()


def test_page_without_a_stream_still_follows(pages: Pages, system: System) -> None:
    page = pages.open("?source=nowhere")
    page.route("**/events", lambda route: route.fulfill(status=503, body="no"))
    page.reload()
    expect(page.locator("#connection")).to_contain_text("Connection lost, trying again")

    job = system.refresh(source="earthquakes").rpartition("/")[2]

    expect(page.locator(f'[data-job="{job}"]')).to_have_attribute("data-state", "succeeded")
