"""The collaborators of the handlers, opened and closed together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from mousetrap.api.http.errors import SourceBacklogFullError, UnknownSourceError
from mousetrap.api.http.transfers import Transfers
from mousetrap.api.live.admission import Admission
from mousetrap.api.live.broadcast import Broadcast
from mousetrap.api.live.circuits import CircuitCache
from mousetrap.api.live.queue_depth import QueueDepths
from mousetrap.api.live.summary_cache import SummaryCache
from mousetrap.api.metrics import ApiMetrics
from mousetrap.api.schema.job import Addresses
from mousetrap.jobs.job import Job
from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.begun import BegunJobs
from mousetrap.queue.circuits import Circuits
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.inspector import Inspector
from mousetrap.queue.publisher import Publisher
from mousetrap.runtime.supervision import Supervisor
from mousetrap.settings.sources import Sources
from mousetrap.store.database import Database
from mousetrap.store.jobs import Submission
from mousetrap.telemetry import logs
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.traces import Tracer

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of all handlers.

    They are one dependency, because Litestar resolves several of them in a task group, which costs
    more than the rest of a request.
    """

    sources: Sources
    database: Database
    publisher: Publisher
    dispatcher: Dispatcher
    inspector: Inspector
    depths: QueueDepths
    shared: Circuits
    begun: BegunJobs
    circuits: CircuitCache
    admission: Admission
    cache: SummaryCache
    broadcast: Broadcast
    transfers: Transfers
    health: Health
    supervisor: Supervisor
    metrics: ApiMetrics
    tracer: Tracer
    addresses: Addresses

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the collaborators; Postgres and Redis may be down."""
        async with (
            self.tracer,
            self.database,
            self.publisher,
            self.inspector,
            self.shared,
            self.begun,
            self.supervisor.running(),
        ):
            yield

    async def submit(self, source: str, idempotency_key: str | None) -> Submission:
        """Accept a refresh, or join it to a job that nobody has begun if its source coalesces.

        Raises BacklogFullError, SourceBacklogFullError, and what JobStore.submit does.
        """
        if not self.sources.sources[source].coalesce:
            self.admission.check(source)
            return await self.database.jobs.submit(source, idempotency_key)
        self.admission.check(None)
        queued = await self.database.coalescing.queued(source)
        try:
            begun = await self.begun.among(queued.attempts)
        except QueueUnavailableError as error:
            log.warning("a refresh is not coalesced: the queue is unavailable", reason=str(error))
            begun = list(queued.attempts)
        submission = await self.database.coalescing.submit(
            source,
            idempotency_key,
            begun=begun,
            floor=queued.floor,
            may_accept=not self.admission.is_full(source),
        )
        if submission is None:
            self.admission.check(source)
            raise SourceBacklogFullError  # there is room again, but there was none
        if submission.coalesced:
            self.metrics.coalesced.labels(source).inc()
        return submission

    async def dispatch(self, job: Job, caller: str | None = None) -> None:
        """Send a stored job to the fetch workers; during an outage the reconciler does it later.

        `caller` is the traceparent of the request.
        """
        self.admission.count(job.source)
        self.metrics.accepted(job.source).inc()
        first = job.attempts == 1
        try:
            await self.dispatcher.send(
                FetchRequested(job.id, job.source, job.attempts, job.requested_at),
                "accept" if first else "retry",
                begins=first,
                caller=caller,
            )
        except QueueUnavailableError as error:
            log.warning("the job waits: the queue is unavailable", reason=str(error))

    def source(self, name: str | None) -> str:
        """Return `name`, or the default source for None.

        Raises UnknownSourceError when there is no such source.
        """
        if name is None:
            return self.sources.default
        if name not in self.sources.sources:
            raise UnknownSourceError(f"There is no source {name!r}: GET /sources lists them.")
        return name

    def check_possible(self, name: str | None) -> None:
        """Raise UnknownSourceError for a name that Postgres could not compare, so no source has."""
        if name is not None and "\0" in name:
            self.source(name)

    async def check_listed(self, name: str | None) -> None:
        """Raise UnknownSourceError for a source that is not configured and has left no job."""
        if name is None or name in self.sources.sources:
            return
        if not await self.database.jobs.newest_of_all([name]):
            self.source(name)


Injected = NamedDependency[SkipValidation[Services]]
