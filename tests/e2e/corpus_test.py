"""Each input of tests/resources/feeds through all processes, from the feed to the API."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from math import remainder
from threading import Thread
from typing import Any

import pytest

from support import corpus, origin
from support.corpus import Case
from support.origin import Origin
from support.system import READY, System, up

CASES = corpus.cases()
NEAR = 1e-9


class Served:
    """A server of all inputs, in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._context = origin.running()
        self._thread = Thread(target=self.loop.run_forever)

    def __enter__(self) -> Origin:
        self._thread.start()
        started = self._run(self._context.__aenter__())
        for case in CASES:
            case.serve(started)
        return started

    def __exit__(self, *_: object) -> None:
        self._run(self._context.__aexit__(None, None, None))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    def _run[T](self, step: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(step, self.loop).result(10)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("corpus")
    with ExitStack() as stack:
        sources = folder / "sources.toml"
        sources.write_text(corpus.sources_toml(stack.enter_context(Served())), "utf-8")
        arguments = [f"--sources={sources}"]
        started = stack.enter_context(up(folder / "data", *arguments, MOUSETRAP_MAX_ATTEMPTS="1"))
        started.wait_for(READY)
        yield started


@pytest.fixture(scope="module")
def jobs(system: System) -> dict[str, str]:
    """Return the path of a job for each input."""
    return {case.name: system.refresh(source=case.name) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_feed_ends_as_a_right_summary_or_with_a_reason(
    case: Case, system: System, jobs: dict[str, str]
) -> None:
    job = system.ended(jobs[case.name])

    if case.error is not None:
        assert job["state"] == "failed"
        assert job["error"]["code"] == case.error
        assert all(part in job["error"]["detail"] for part in case.table["says"])
        return
    assert job["state"] == "succeeded"
    check(case, system.http.get("/", params={"source": case.name}).json())
    points = system.http.get(f"/summaries/{job['job_id']}/points").json()["features"]
    assert [it["properties"]["name"] for it in points] == [it.name for it in case.places]


def check(case: Case, summary: dict[str, Any]) -> None:
    assert summary["count"] == len(case.places)
    centroid = corpus.centroid(case.places)
    assert (summary["centroid"] is None) == (centroid is None)
    if centroid is not None:
        lat, lon = summary["centroid"]
        assert lat == pytest.approx(centroid[1], abs=NEAR)
        assert abs(remainder(lon - centroid[0], 360)) < NEAR
    north = max(it.lat for it in case.places)
    assert summary["most_northerly"]["name"] in {
        it.name for it in case.places if north - it.lat < NEAR
    }
    feed = summary["feed"]
    assert feed["skipped"]["count"] == sum(case.table.get("skipped", {}).values())
    assert feed["truncated"] == case.table.get("truncated", False)
    assert all(part in " ".join(feed["warnings"]) for part in case.table.get("warns", ()))
