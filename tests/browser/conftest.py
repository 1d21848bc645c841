"""The whole system, and a real browser that looks at it. The browser is Debian's `chromium`; where
there is none these tests are skipped, unless CI=true or TEST_BROWSER=1 says that they must run."""

import contextlib
import math
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    CDPSession,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)

from browser import feed as feeds
from browser.feed import Feed
from support.system import READY, System, up

CHROMIUM = shutil.which("chromium")
REQUIRED = os.environ.get("CI") == "true" or os.environ.get("TEST_BROWSER") == "1"

SOURCES = """
default = "earthquakes"
[sources.earthquakes]
kind = "geojson"
url = "http://127.0.0.1:{port}/week"
min_interval = 0
allow_private = true
name_property = "title"
"""
SOURCE = """
[sources.{name}]
kind = "geojson"
url = "http://127.0.0.1:{port}/{name}"
min_interval = 0
allow_private = true
name_property = "title"
"""
DEADLINE = 15_000  # ms
REST = 5.0  # seconds
STOPS = 200
IDLE = 0.01  # seconds of processor time in a tenth of a second
SETTINGS = {
    "MOUSETRAP_MAX_ATTEMPTS": "10",  # that a busy source is seen to be asked again
    "MOUSETRAP_LOG_LINK": "http://127.0.0.1:1/logs?q={job_id}",
    "MOUSETRAP_TRACE_LINK": "http://127.0.0.1:1/traces/{trace_id}",
}
ASKING = """
group_by = "title"
value_property = "mag"
grid = true
changes = true
"""
HYPHENATED = "air-quality-stations-of-the-northern-coast"
WHOLE = "z" * 64  # the longest name, and no hyphen in it
NAMES = (
    *("apart", "asking", "broken", "busy", "growing", "hostile", "many", "partial", "rising"),
    *("slow", "untouched", HYPHENATED, WHOLE),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and not CHROMIUM and not REQUIRED:
            item.add_marker(pytest.mark.skip("needs `chromium`, which .ci/browser installs"))


@pytest.fixture(scope="session")
def feed() -> Iterator[Feed]:
    with feeds.serve() as running:
        yield running


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, feed: Feed) -> Iterator[System]:
    """The system; the source `earthquakes` has a summary."""
    entries = {name: SOURCE.replace("{name}", name) for name in NAMES}
    text = SOURCES + "".join((entries | {"asking": entries["asking"] + ASKING}).values())
    with running(tmp_path_factory.mktemp("dashboard"), text.format(port=feed.port)) as started:
        started.ended(started.refresh(source="earthquakes"))
        yield started


@contextlib.contextmanager
def running(folder: Path, sources: str) -> Iterator[System]:
    """Run the system with these sources, and its data in a folder."""
    file = folder / "sources.toml"
    file.write_text(sources)
    with up(folder / "data", f"--sources={file}", **SETTINGS) as started:
        started.wait_for(READY)
        yield started


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.fail("there is no `chromium` here, and CI=true or TEST_BROWSER=1 asks for it")
    # It keeps files in its home, whoever we are.
    environment: dict[str, str | float | bool] = {
        **os.environ,
        "HOME": str(tmp_path_factory.mktemp("home")),
    }
    expect.set_options(timeout=DEADLINE)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, env=environment)
        yield launched
        launched.close()


@dataclass
class Pages:
    """Dashboards in a browser; none may complain of anything, nor ask another host."""

    browser: Browser
    url: str
    complaints: list[str] = field(default_factory=list)

    def open(
        self, query: str = "", *, base: str | None = None, rested: bool = False, **options: Any
    ) -> Page:
        """Open one with an empty cache, in a `rested` browser if it is to be timed."""
        settings = {"viewport": {"width": 1440, "height": 1000}, "timezone_id": "UTC", **options}
        where = base or self.url
        context = self.browser.new_context(base_url=where, **settings)
        page = context.new_page()
        page.set_default_timeout(DEADLINE)
        page.on("console", self._record)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._watch)
        if rested:
            rest(page)
        page.goto(f"{where.rstrip('/')}/dashboard{query}")
        return page

    def _record(self, message: ConsoleMessage) -> None:
        # Tests are about files that are not there, and about a server that is away.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def _watch(self, request: Request) -> None:
        if not request.url.startswith("http://127.0.0.1:"):
            self.complaints.append(request.url)


@pytest.fixture
def pages(system: System, browser: Browser) -> Iterator[Pages]:
    found = Pages(browser, str(system.http.base_url))
    yield found
    for context in browser.contexts:
        context.close()
    assert found.complaints == []


def rest(page: Page) -> None:
    """Wait until the browser is done with the new window of a page, or for REST.

    The work on the window itself takes a processor for most of a second.
    """
    browser = page.context.browser
    assert browser
    session = browser.new_browser_cdp_session()
    end = time.monotonic() + REST
    before, now = -math.inf, 0.0
    while now - before > IDLE and time.monotonic() < end:
        page.wait_for_timeout(100)
        before, now = now, spent(session)
    session.detach()


def tab_to(page: Page, target: Locator, *, backwards: bool = False) -> None:
    """Press Tab until an element has the focus, and see that this shows."""
    for _ in range(STOPS):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        if target.evaluate("it => it === document.activeElement"):
            assert target.evaluate("it => getComputedStyle(it).outlineStyle") == "solid"
            return
    pytest.fail(f"Tab does not lead to {target}")


def press(page: Page, target: Locator, *, backwards: bool = False) -> None:
    """Press Enter where Tab leads to an element."""
    tab_to(page, target, backwards=backwards)
    page.keyboard.press("Enter")


def spent(session: CDPSession) -> float:
    """Return the seconds of processor time that all processes of the browser have taken."""
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return math.fsum(process["cpuTime"] for process in processes)
