"""Single results as tables, and lines of text."""

from datetime import UTC, datetime
from operator import itemgetter
from typing import Final

from rich.table import Table

from mousetrap.cli.schema import (
    Changes,
    Error,
    Feed,
    Job,
    Place,
    Skipped,
    Summary,
)
from mousetrap.sources.text import tidy

NONE: Final = "-"
MAX_TEXT: Final = 1000
MINUTE: Final = 60
DAY: Final = 24
SHOWN_GROUPS: Final = 10


def summary(found: Summary) -> Table:
    """Return a summary as a table."""
    west, south, east, north = found.bbox
    across = " (across the antimeridian)" if west > east else ""
    return _pairs(
        ("source", found.source),
        ("points", f"{found.count:,}"),
        ("centroid", NONE if found.centroid is None else position(*found.centroid)),
        ("most northerly", place(found.most_northerly)),
        ("box", f"{position(south, west)} to {position(north, east)}{across}"),
        ("requested", time(found.requested_at)),
        ("fetched", time(found.fetched_at)),
        ("stored", time(found.processed_at)),
        ("job", found.job_id),
        *details(found),
        *feed(found.feed),
    )


def details(found: Summary) -> list[tuple[str, str]]:
    """Return the members that the source has to ask for, as rows: a name and a value each."""
    rows = []
    if found.groups is not None:
        groups = found.groups
        rest = {"others": groups.others, "without": groups.without}
        named = [f"{value} {count:,}" for value, count in groups.counts.items()][:SHOWN_GROUPS]
        more = len(groups.counts) - len(named)
        named += [f"{more} more values"] if more else []
        rows.append(("groups", ", ".join(named + [f"{k} {n:,}" for k, n in rest.items() if n])))
    if found.values is not None:
        it = found.values
        numbers = {"min": it.min, "median": it.median, "mean": it.mean, "max": it.max}
        parts = [f"{name} {number:g}" for name, number in numbers.items() if number is not None]
        rows.append(("values", ", ".join([f"{it.count:,}", *parts])))
    if found.grid is not None and found.grid.cells:
        south, west, count = max(found.grid.cells, key=itemgetter(2))
        cells = f"{len(found.grid.cells):,} cells of {found.grid.degrees:g}°"
        rows.append(("grid", f"{cells}, the fullest at {position(south, west)} has {count:,}"))
    if found.changes is not None:
        rows.append(("changes", _changes(found.changes)))
    return rows


def feed(found: Feed | None) -> list[tuple[str, str]]:
    """Return how a batch came about, as rows: a name and a value each."""
    if found is None:
        return []
    rows = []
    if found.pages:
        size = f"{found.pages:,}, {found.bytes:,} bytes in {duration(found.seconds)}"
        status = "" if found.status is None else f", the last of status {found.status}"
        rows.append(("files" if found.status is None else "answers", size + status))
    if found.skipped.count:
        rows.append(("left out", _left_out(found.skipped)))
    if found.truncated:
        rows.append(("warning", "the source has more points than these"))
    return rows + [("warning", it) for it in found.warnings]


def job(found: Job) -> Table:
    """Return a job with all its details as a table."""
    scheduled = [] if found.scheduled_for is None else [("scheduled", time(found.scheduled_for))]
    return _pairs(
        ("job", found.job_id),
        ("source", found.source),
        ("state", found.state),
        ("attempts", str(found.attempts)),
        *scheduled,
        ("requested", time(found.requested_at)),
        ("fetched", time(found.fetched_at)),
        ("ended", time(found.finished_at)),
        *((f"attempt {it.number}", reason(it.error)) for it in found.failed_attempts),
        *([] if found.error is None else [("error", reason(found.error))]),
        *feed(found.feed),
    )


def event(found: Job, when: datetime) -> str:
    """Return a change of a job as one line."""
    text = stages(found) if found.error is None else f"{stages(found)}: {reason(found.error)}"
    return f"{when.astimezone(UTC):%H:%M:%S}  {found.job_id}  {found.source}  {text}"


def stages(found: Job) -> str:
    """Return the stages that a job has reached, with the seconds since its request."""
    parts = ["queued" if found.attempts <= 1 else f"queued (attempt {found.attempts})"]
    if found.state == "queued" and found.failed_attempts:
        parts[0] += f" after {reason(found.failed_attempts[-1].error)}"
    if found.fetched_at is not None:
        parts.append(f"fetched {_seconds(found.requested_at, found.fetched_at)}")
    if found.state != "queued":
        end = "stored" if found.state == "succeeded" else found.state
        parts.append(f"{end} {took(found)}")
    return " → ".join(parts)


def reason(error: Error) -> str:
    """Return the code and the detail of an error."""
    return tidy(f"{error.code}: {error.detail}", MAX_TEXT)


def position(lat: float, lon: float) -> str:
    """Return a position in degrees, WGS 84, to about 10 m."""
    north, east = "N" if lat >= 0 else "S", "E" if lon >= 0 else "W"
    return f"{abs(lat):.4f}° {north} {abs(lon):.4f}° {east}"


def place(found: Place) -> str:
    """Return the position of a place, and its name if it has one."""
    where = position(found.lat, found.lon)
    return where if found.name is None else f"{where} {found.name}"


def time(when: datetime | None) -> str:
    """Return a time to the second, UTC."""
    return NONE if when is None else f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def took(found: Job) -> str:
    """Return the seconds from a job's request to its end."""
    return NONE if found.finished_at is None else _seconds(found.requested_at, found.finished_at)


def _changes(found: Changes) -> str:
    if found.since is None:
        return "there is no earlier summary with ids to compare with"
    return f"{found.new:,} new, {found.gone:,} gone since job {found.since}"


def _left_out(found: Skipped) -> str:
    """Return how many features were left out, by reason, and the first ones of them."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.reasons.items())
    parts = [f"{found.count:,}", f": {reasons}" if reasons else ""]
    parts.append(f" ({'; '.join(found.first)})" if found.first else "")
    return "".join(parts)


def _seconds(begin: datetime, end: datetime) -> str:
    return duration((end - begin).total_seconds())


def duration(seconds: float) -> str:
    """Return seconds as people say them: two units at most."""
    if seconds < MINUTE:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < MINUTE:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < DAY else f"{hours // DAY} d {hours % DAY} h"


def _pairs(*rows: tuple[str, str]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, tidy(value, MAX_TEXT))
    return grid
