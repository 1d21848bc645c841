"""The batch as a file, from an API that is slow, breaks off, or asks for a token anew."""

import http.server
import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from browser.conftest import Pages
from browser.feed import answering

DEADLINE = 20.0  # s
TABLE = b"lat,lon\n1,2\n"
UNAUTHENTICATED = {
    "type": "urn:mousetrap:problem:unauthenticated",
    "title": "Unauthenticated",
    "status": 401,
    "detail": "Send a token.",
}
# Every deadline ends at once; the promise tells when those of before have ended.
IMPATIENCE = """() => {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = () => timeout(1);
}"""
OVERDUE = """() => new Promise((done) => {
  AbortSignal.timeout(1).addEventListener("abort", () => setTimeout(done));
})"""


class Sender:
    """Sends the head and the first bytes of a table, and the rest when it is told to."""

    def __init__(self) -> None:
        self.port = 0
        self.go_on = threading.Event()
        self.breaks = False

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/csv")
        handler.send_header("Content-Length", str(len(TABLE)))
        handler.end_headers()
        handler.wfile.write(TABLE[:4])
        assert self.go_on.wait(DEADLINE)
        if not self.breaks:
            handler.wfile.write(TABLE[4:])


@pytest.fixture
def sender() -> Iterator[Sender]:
    sender = Sender()
    with answering(sender.answer) as sender.port:
        try:
            yield sender
        finally:
            sender.go_on.set()


@pytest.fixture
def page(pages: Pages, sender: Sender) -> Page:
    """A page whose table the sender sends."""
    page = pages.open()

    def hand_on(route: Route) -> None:
        asks = route.request.headers["accept"] == "text/csv"
        route.continue_(url=f"http://127.0.0.1:{sender.port}/") if asks else route.continue_()

    page.route("**/points", hand_on)
    expect(page.get_by_role("button", name="CSV")).to_be_visible()
    return page


def test_a_table_may_take_its_time(page: Page, sender: Sender) -> None:
    page.evaluate(IMPATIENCE)
    with page.expect_download() as download:
        with page.expect_response(lambda it: it.headers["content-type"] == "text/csv"):
            page.get_by_role("button", name="CSV").click()
        page.evaluate(OVERDUE)
        sender.go_on.set()

    assert download.value.path().read_bytes() == TABLE


def test_a_table_that_breaks_off_is_told(page: Page, sender: Sender) -> None:
    sender.breaks = True
    sender.go_on.set()
    notice = page.locator("#notices li", has_text="The download")

    page.get_by_role("button", name="CSV").click()

    expect(notice).to_contain_text("The file did not arrive: press the button again.")
    sender.breaks = False
    with page.expect_download():
        page.get_by_role("button", name="CSV").click()
    expect(notice).to_have_count(0)


def test_a_download_without_a_session_leads_to_the_sign_in(page: Page) -> None:
    page.route("**/points", lambda it: it.fulfill(status=401, json=UNAUTHENTICATED))

    page.get_by_role("button", name="CSV").click()

    expect(page).to_have_url(re.compile(r"/dashboard/sign-in\.html$"))
