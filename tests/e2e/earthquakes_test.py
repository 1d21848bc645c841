"""The main job on real input: a week of earthquakes, over HTTP, through all processes."""

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from support.system import READY, System, up

RESOURCES = Path("tests/resources").resolve()

SOURCES = """
default = "earthquakes"

[sources.earthquakes]
kind = "geojson"
url = "http://127.0.0.1:{port}/usgs-all-week.geojson"
allow_private = true
name_property = "title"

[sources.gone]
kind = "geojson"
url = "http://127.0.0.1:{port}/gone.geojson"
allow_private = true

[sources.strange]
kind = "geojson"
url = "http://127.0.0.1:{port}/sources.toml"
allow_private = true
"""


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("earthquakes")
    feed = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(RESOURCES))
    )
    threading.Thread(target=feed.serve_forever, daemon=True).start()
    sources = folder / "sources.toml"
    sources.write_text(SOURCES.format(port=feed.server_port))
    try:
        with up(folder / "data", f"--sources={sources}") as started:
            started.wait_for(READY)
            yield started
    finally:
        feed.shutdown()
        feed.server_close()


def test_summary_of_a_real_week_of_earthquakes(system: System) -> None:
    # Worked out without our code: Taylor series in 50-digit decimals for the centroid, the widest
    # gap between sorted longitudes for the box.
    job = system.ended(system.refresh(source="earthquakes"))

    summary = system.http.get("/").json()

    assert job["state"] == "succeeded"
    assert summary["count"] == 1707
    assert summary["centroid"] == pytest.approx([42.58051147780867, -122.6538545553406], abs=1e-9)
    assert summary["most_northerly"] == {
        "lat": 83.0422,
        "lon": -6.7549,
        "name": "M 5.2 - 219km NE of Nord, Greenland",
    }
    west, south, east, north = summary["bbox"]
    assert (west, south, east, north) == (-35.4132, -65.8617, -63.9045, 83.0422)
    assert west > east, "the box crosses the antimeridian"


def test_batch_comes_back_as_geojson(system: System) -> None:
    job = system.ended(system.refresh(source="earthquakes"))

    answer = system.http.get(f"/summaries/{job['job_id']}/points")

    features = answer.json()["features"]
    assert answer.headers["content-type"] == "application/geo+json"
    assert len(features) == 1707
    assert {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [-6.7549, 83.0422]},
        "properties": {"name": "M 5.2 - 219km NE of Nord, Greenland"},
    } in features


@pytest.mark.parametrize("source", ["gone", "strange"])
def test_failing_source_gives_a_failed_job_with_a_reason(system: System, source: str) -> None:
    job = system.ended(system.refresh(source=source))

    assert job["state"] == "failed"
    assert job["error"]["code"]
    assert len(job["error"]["detail"]) > 20
    assert system.http.get("/", params={"source": source}).json() == {}
