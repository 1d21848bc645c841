"""The pictures in docs/images: `./pants screenshots` makes them anew."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from browser import feed as feeds
from browser.conftest import Pages, running
from support.system import System

LARGEST = 300_000  # bytes
REFRESHES = 18

SCENES: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1440, "height": 1130}},
    "dark": {"viewport": {"width": 1440, "height": 1130}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 1180}, "device_scale_factor": 2},
}


SOURCES = """
default = "earthquakes"
[sources.cities]
kind = "faker"
every = "1h"
[sources.earthquakes]
kind = "geojson"
url = "http://127.0.0.1:{port}/growing"
min_interval = 0
allow_private = true
name_property = "title"
[sources.tides]
kind = "geojson"
url = "http://127.0.0.1:{port}/broken"
allow_private = true
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A week of earthquakes that came in bit by bit, and a source that failed."""
    folder = tmp_path_factory.mktemp("screenshots")
    with feeds.serve() as feed, running(folder, SOURCES.format(port=feed.port)) as started:
        started.ended(started.refresh(source="cities"))
        for _ in range(REFRESHES):
            started.ended(started.refresh(source="earthquakes"))
        started.ended(started.refresh(source="tides"))
        started.ended(started.refresh(source="earthquakes"))
        yield started


@pytest.mark.parametrize("name", SCENES)
def test_screenshot(pages: Pages, tmp_path: Path, name: str) -> None:
    folder = Path(os.environ.get("TEST_SCREENSHOTS") or tmp_path)
    page = pages.open(**SCENES[name])
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("canvas.batch")).to_have_attribute("data-count", re.compile("[1-9]"))
    expect(page.locator("#job-rows tr").nth(REFRESHES)).to_be_attached()

    page.screenshot(path=folder / f"dashboard-{name}.png")

    size = (folder / f"dashboard-{name}.png").stat().st_size
    assert 20_000 < size < LARGEST
