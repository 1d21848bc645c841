"""The collaborators of the handlers, opened and closed together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from mousetrap.api.http.errors import UnknownSourceError
from mousetrap.api.live.admission import Admission
from mousetrap.api.live.broadcast import Broadcast
from mousetrap.api.live.circuits import CircuitCache
from mousetrap.api.live.queue_depth import QueueDepths
from mousetrap.api.live.summary_cache import SummaryCache
from mousetrap.api.metrics import ApiMetrics
from mousetrap.jobs.job import Job
from mousetrap.queue.circuits import Circuits
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.inspector import Inspector
from mousetrap.queue.publisher import Publisher
from mousetrap.runtime.supervision import Supervisor
from mousetrap.settings.sources import Sources
from mousetrap.store.database import Database
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
    circuits: CircuitCache
    admission: Admission
    cache: SummaryCache
    broadcast: Broadcast
    health: Health
    supervisor: Supervisor
    metrics: ApiMetrics
    tracer: Tracer

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the collaborators; Postgres and Redis may be down."""
        async with (
            self.tracer,
            self.database,
            self.publisher,
            self.inspector,
            self.shared,
            self.supervisor.running(),
        ):
            yield

    async def dispatch(self, job: Job, caller: str | None = None) -> None:
        """Send a stored job to the fetch workers; during an outage the reconciler does it later.

        `caller` is the traceparent of the request.
        """
        self.admission.count(job.source)
        self.metrics.accepted.labels(job.source).inc()
        first = job.attempts == 1
        try:
            await self.dispatcher.send(
                "accept" if first else "retry",
                job.id,
                job.source,
                attempt=job.attempts,
                requested_at=job.requested_at,
                begins=first,
                caller=caller,
            )
        except QueueUnavailableError as error:
            log.warning("the job waits in the database: the queue is away", reason=str(error))

    def source(self, name: str | None) -> str:
        """Return `name`, or the default source for None.

        Raises UnknownSourceError when there is no such source.
        """
        if name is None:
            return self.sources.default
        if name not in self.sources.sources:
            raise UnknownSourceError(f"There is no source {name!r}: GET /sources lists them.")
        return name


Injected = NamedDependency[SkipValidation[Services]]
