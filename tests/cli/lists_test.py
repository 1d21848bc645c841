"""The lists that people read, whole and in terminals of any width."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len
from rich.console import Console, RenderableType

from cli.results import ID, JOBS, LETTER, NOON, SOURCES, SUMMARY, TIMEOUT
from mousetrap.cli import lists
from mousetrap.cli.output import Output
from mousetrap.cli.schema import Circuit, Error, Job, Queue, Source
from support import verdicts


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_pages_of_jobs_look_like_one_list(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=False)

    output.show(lists.jobs(JOBS, header=True))
    output.show(lists.jobs(JOBS[:1], header=False))

    assert shown(capsys) == f"""\
JOB                                   SOURCE        STATE      ATTEMPTS  REQUESTED             TOOK         ERROR
{ID}  demo          queued     0         2026-11-25 12:00:00Z  -            -
{ID}  earthquakes   failed     5         2026-11-25 12:00:00Z  1 min 30 s   -
{ID}  demo          queued     0         2026-11-25 12:00:00Z  -            -
"""  # noqa: E501


def test_dead_letters(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).show(lists.letters([LETTER], header=True))

    assert shown(capsys) == """\
BURIED                QUEUE    JOB                                   DELIVERIES  BYTES    REASON
2026-11-25 12:00:00Z  fetch    -                                     3           12,345   it is not JSON
"""  # noqa: E501


FAILED = structs.replace(JOBS[1], source="quakes-of-the-coast", error=TIMEOUT)
FAILING = structs.replace(SOURCES[1], newest=SUMMARY, newest_job=FAILED, next_scheduled_at=NOON)
CHECKED = ("quakes", "csv", "1,707", "42.5805° N 122.6539° W", "83.0422° N 6.7549° W X", "1.00 s")


def seen(listing: RenderableType, width: int) -> list[str]:
    """Return the lines of a terminal."""
    console = Console(width=width, color_system=None, markup=False, highlight=False)
    with console.capture() as captured:
        console.print(listing)
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize(
    ("listing", "lines"),
    [
        (
            lists.jobs([JOBS[0], FAILED], header=True),
            [
                "JOB                                   SOURCE        STATE      REQUESTED",
                f"{ID}  demo          queued     2026-11-25 12:00Z",
                f"{ID}  quakes-of-t…  failed     2026-11-25 12:00Z",
            ],
        ),
        (
            lists.summaries([SUMMARY], header=True),
            [
                "JOB                                   SOURCE        REQUESTED          POINTS",
                f"{ID}  earthquakes   2026-11-25 12:00Z  1,707",
            ],
        ),
        (
            lists.letters([structs.replace(LETTER, job_id=ID, reason="no JSON" * 9)], header=True),
            [
                "BURIED             QUEUE    JOB                                   REASON",
                f"2026-11-25 12:00Z  fetch    {ID}  no JSONno JSO…",
            ],
        ),
        (
            lists.sources(SOURCES[:3]),
            [
                "SOURCE            KIND     EVERY       CIRCUIT         POINTS  NEWEST",
                "demo (default)    faker    on request  closed          1,707   2026-11-25 12:00Z",
                "quakes            geojson  5m          open: timeout   -       -",
                "trial             csv      on request  half-open: un…  -       -",
            ],
        ),
        (
            lists.states([SOURCES[0], FAILING]),
            [
                "SOURCE        EVERY  POINTS  NEWEST             STATE",
                "demo          -      1,707   2026-11-25 12:00Z  failing: timeout, 2 in a row, c…",
                "quakes        5m     1,707   2026-11-25 12:00Z  failing: timeout: the source di…",
            ],
        ),
        (
            lists.queues([Queue("fetch", 0, None, 1), Queue("process", 1707, 99, 0)]),
            [
                "QUEUE    MESSAGES  OLDEST      WORKERS",
                "fetch    0         -           1",
                "process  1,707     1 min 39 s  none",
            ],
        ),
        (
            lists.checks([CHECKED]),
            [
                "SOURCE        POINTS  CENTROID                MOST NORTHERLY          TOOK",
                "quakes        1,707   42.5805° N 122.6539° W  83.0422° N 6.7549° W X  1.00 s",
            ],
        ),
    ],
    ids=["jobs", "summaries", "dead letters", "sources", "states", "queues", "checks"],
)
def test_a_list_fits_80_columns_with_whole_ids(listing: RenderableType, lines: list[str]) -> None:
    assert seen(listing, 80) == lines


def test_a_wider_terminal_shows_errors_before_attempts() -> None:
    header, _, line = seen(lists.jobs([JOBS[0], FAILED], header=True), 100)

    assert header.split() == ["JOB", "SOURCE", "STATE", "REQUESTED", "ERROR"]
    assert line.endswith("timeout: the s…")


@given(
    texts=st.lists(st.tuples(st.text(), st.text())),
    width=st.integers(36, 200),
    header=st.booleans(),
)
def test_no_line_is_wrapped_and_no_id_is_cut(
    texts: list[tuple[str, str]], width: int, *, header: bool
) -> None:
    found = [
        structs.replace(FAILED, source=source, error=Error("timeout", detail))
        for source, detail in texts
    ]

    lines = seen(lists.jobs(found, header=header), width)

    assert len(lines) == len(found) + header
    assert all(cell_len(line) <= width for line in lines)
    assert all(line.startswith(ID) for line in lines[header:])


def test_sources_show_whether_they_are_asked(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).show(lists.sources(SOURCES))

    lines = shown(capsys).splitlines()
    start = lines[0].index("CIRCUIT")
    assert [re.split("  +", line[start:])[0] for line in lines] == [
        "CIRCUIT",
        "closed",
        "open: timeout",
        "half-open: unreachable",
        "-",
    ]


@pytest.mark.parametrize(("job", "failures", "stale", "verdict"), verdicts.CASES)
def test_sources_are_judged_by_the_rule(
    job: str | None, failures: int, verdict: str, *, stale: bool
) -> None:
    done = Job(ID, "demo", "succeeded", 1, NOON, NOON, NOON)
    found = Source("demo", "faker", default=True, newest=SUMMARY, newest_job=done)
    item = msgspec.to_builtins(found)
    verdicts.become(item, job, failures, stale=stale)
    fine = "refreshing" if job == "queued" else "fresh"

    table = lists.states([msgspec.convert(item, Source)])

    [row] = table.rows
    assert row[-1].partition(":")[0] == (verdict or fine)


@pytest.mark.parametrize(
    ("failures", "state", "told"),
    [
        (2, "closed", "2 in a row, circuit closed"),
        (7, "half-open", "7 in a row, circuit half-open"),
    ],
)
def test_failures_that_end_no_job_are_told(failures: int, state: str, told: str) -> None:
    circuit = Circuit(state, failures, "timeout")

    table = lists.states([Source("demo", "faker", default=True, circuit=circuit)])

    assert [row[-1] for row in table.rows] == [f"failing: timeout, {told}"]
