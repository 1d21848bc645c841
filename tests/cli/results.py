"""Results of the API to show."""

from datetime import UTC, datetime, timedelta

from mousetrap.cli.schema import Circuit, Error, Job, Letter, Place, Source, Summary

ID = "0195f7c6-1c1f-7c6e-9d0a-5b8f0e6d2a11"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
TIMEOUT = Error("timeout", "the source did not answer within 20 s:\ntry again")

SUMMARY = Summary(
    job_id=ID,
    source="earthquakes",
    requested_at=NOON,
    fetched_at=NOON + timedelta(seconds=1.5),
    processed_at=NOON + timedelta(seconds=2),
    count=1707,
    centroid=(42.58051, -122.65385),
    most_northerly=Place(83.0422, -6.7549, "M 5.2 [red] - Greenland"),
    bbox=(-35.4132, -65.8617, -63.9045, 83.0422),
)
JOBS = (
    Job(ID, "demo", "queued", 0, NOON),
    Job(ID, "earthquakes", "failed", 5, NOON, None, NOON + timedelta(seconds=90)),
)
LETTER = Letter(1, "mousetrap:fetch", "it is not JSON", 3, NOON, 12_345)
SOURCES = (
    Source("demo", "faker", default=True, circuit=Circuit("closed", 2, "timeout"), newest=SUMMARY),
    Source("quakes", "geojson", default=False, every="5m", circuit=Circuit("open", 5, "timeout")),
    Source("trial", "csv", default=False, circuit=Circuit("half-open", 7, "unreachable")),
    Source("unknown", "csv", default=False),
)
