"""`GET /sources`."""

from datetime import UTC, datetime, timedelta

from litestar import get

from mousetrap.api.http.problems import COMMON, responses
from mousetrap.api.schema.job import JobStatus
from mousetrap.api.schema.source import CircuitStatus, SourceList, SourceStatus
from mousetrap.api.services import Injected


@get(
    "/sources",
    summary="The configured sources",
    description="Every source with its circuit breaker, its newest summary, its newest job, and how"
    " its schedule stands, by name.",
    response_description="All sources",
    operation_id="list_sources",
    tags=["sources"],
    responses=responses(*COMMON),
)
async def index(services: Injected) -> SourceList:
    """Answer with all sources."""
    configured = services.sources
    with services.database.together():
        newest = await services.cache.of_all()
        jobs = await services.database.jobs.newest_of_all(configured.sources)
    circuits = await services.circuits.current()
    schedules, now = configured.schedules(), datetime.now(UTC)
    items = []
    for name, source in sorted(configured.sources.items()):
        summary, job, period = newest[name].summary, jobs.get(name), schedules.get(name)
        items.append(
            SourceStatus(
                name=name,
                kind=source.kind,
                default=name == configured.default,
                every=source.every,
                circuit=None if circuits is None else CircuitStatus.of(circuits.get(name)),
                newest=summary,
                newest_job=None if job is None else JobStatus.of(job, services.addresses.root),
                next_scheduled_at=next_slot(period, now) if period else None,
                stale=is_stale(summary.requested_at, period, now) if period and summary else None,
            )
        )
    return SourceList(items)


def next_slot(period: float, now: datetime) -> datetime:
    """Return the first slot after `now` of a schedule with a period in seconds.

    Slots are counted from 1970, as by the schedule of the store.
    """
    return datetime.fromtimestamp((now.timestamp() // period + 1) * period, UTC)


def is_stale(requested_at: datetime, period: float, now: datetime) -> bool:
    """Return whether a summary is older than a schedule with a period in seconds allows.

    One period lies between two slots; a refresh may take as long again.
    """
    return now - requested_at > timedelta(seconds=2 * period)
