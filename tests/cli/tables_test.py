"""The tables that people read, to the letter."""

from datetime import timedelta

import pytest
from msgspec import structs

from cli.results import ID, JOBS, NOON, SUMMARY, TIMEOUT
from mousetrap.cli import tables
from mousetrap.cli.output import Output
from mousetrap.cli.schema import (
    Attempt,
    Changes,
    Feed,
    Grid,
    Groups,
    Job,
    Skipped,
    Statistics,
)

WARNING = "no point has a name: set `name_property`"


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).show(tables.summary(SUMMARY))

    assert shown(capsys) == f"""\
source          earthquakes
points          1,707
centroid        42.5805° N 122.6539° W
most northerly  83.0422° N 6.7549° W M 5.2 [red] - Greenland
box             65.8617° S 35.4132° W to 83.0422° N 63.9045° W (across the antimeridian)
requested       2026-11-25 12:00:00Z
fetched         2026-11-25 12:00:01Z
stored          2026-11-25 12:00:02Z
job             {ID}
"""


def test_what_a_source_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {"earthquake": 1690, **{f"kind {n}": 1 for n in range(11)}}
    asked = structs.replace(
        SUMMARY,
        groups=Groups(counts, others=3, without=3),
        values=Statistics(1700, -0.77, 1.28, 6.1, 1.591),
        grid=Grid(22.5, ((0.0, -22.5, 12), (22.5, 0.0, 1695))),
        changes=Changes(ID, 1200, 3),
    )

    Output(as_json=False).show(tables.summary(asked))

    *_, groups, values, grid, changes = shown(capsys).splitlines()
    ones = ", ".join(f"kind {n} 1" for n in range(9))
    assert groups == f"groups          earthquake 1,690, {ones}, 2 more values, others 3, without 3"
    assert values == "values          1,700, min -0.77, median 1.28, mean 1.591, max 6.1"
    told = "2 cells of 22.5°, the fullest at 22.5000° N 0.0000° E has 1,695"
    assert grid == f"grid            {told}"
    assert changes == f"changes         1,200 new, 3 gone since job {ID}"
    Output(as_json=False).show(tables.summary(structs.replace(SUMMARY, changes=Changes())))
    assert "no earlier summary" in shown(capsys)


def test_how_a_batch_came_about(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = Skipped(1012, {"no geometry": 1010, "not a point": 2}, ("features[17]: no geometry",))
    feed = Feed(skipped, 3, 2_100_000, 200, 90.25, truncated=True, warnings=(WARNING,))
    told = f"""\
answers         3, 2,100,000 bytes in 1 min 30 s, the last of status 200
left out        1,012: 1,010 no geometry, 2 not a point (features[17]: no geometry)
warning         the source has more points than these
warning         {WARNING}
"""

    Output(as_json=False).show(tables.summary(structs.replace(SUMMARY, feed=feed)))
    assert shown(capsys).endswith(f"job             {ID}\n{told}")

    Output(as_json=False).show(tables.job(structs.replace(JOBS[0], feed=feed)))
    assert "1,010 no geometry" in shown(capsys)


def test_a_job(capsys: pytest.CaptureFixture[str]) -> None:
    attempt = Attempt(1, NOON, TIMEOUT)
    job = Job(ID, "demo", "queued", 2, NOON, scheduled_for=NOON, failed_attempts=(attempt,))

    Output(as_json=False).show(tables.job(job))

    assert shown(capsys) == f"""\
job        {ID}
source     demo
state      queued
attempts   2
scheduled  2026-11-25 12:00:00Z
requested  2026-11-25 12:00:00Z
fetched    -
ended      -
attempt 1  timeout: the source did not answer within 20 s: try again
"""


def test_a_line_about_a_job_that_waits_says_what_it_waits_for() -> None:
    job = Job(ID, "demo", "queued", 2, NOON, failed_attempts=(Attempt(1, NOON, TIMEOUT),))

    told = "queued (attempt 2) after timeout: the source did not answer within 20 s: try again"
    assert tables.stages(job) == told


def test_a_line_about_a_job_that_failed_says_why() -> None:
    job = Job(ID, "demo", "failed", 1, NOON, None, NOON + timedelta(seconds=1), error=TIMEOUT)

    assert tables.event(job, NOON) == (
        f"12:00:00  {ID}  demo  queued → failed 1.00 s:"
        " timeout: the source did not answer within 20 s: try again"
    )


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.084, "0.08 s"),
        (59.9, "59.90 s"),
        (60, "1 min 0 s"),
        (90, "1 min 30 s"),
        (3599.9, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (93_600, "1 d 2 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, told: str) -> None:
    assert tables.duration(seconds) == told
