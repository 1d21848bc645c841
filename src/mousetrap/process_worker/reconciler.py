"""Keeps the promise of a 202: looks periodically for queued jobs without a message."""

import time
from collections.abc import Sequence
from typing import Final

from mousetrap.jobs.job import Failure
from mousetrap.jobs.retry import RetryPolicy
from mousetrap.messages.schema import FetchRequested
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.inspector import Attempt, Inspector
from mousetrap.runtime.clock import ServerClock
from mousetrap.runtime.supervision import Watcher, every
from mousetrap.store.database import Database
from mousetrap.store.leases import Claim, DueJob, Sending
from mousetrap.telemetry import logs

log = logs.logger(__name__)

LOOKED_AT: Final = 1000
"""The most jobs that one round looks at."""

ENOUGH: Final = 1000
"""How many messages the workers are kept supplied with; more would only wait in a stream."""

TRICKLE: Final = 10
"""How many are sent in a round whatever the backlog, so that a lost job does not wait for ever."""

LOST: Final = Failure(
    "lost",
    "the message of this attempt was in no queue any more: look at Redis, which may have been"
    " flushed or restarted without its data, and at the logs of the fetch workers",
)


class Reconciler:
    """Sends jobs again, in any number of processes at once.

    Every `period` seconds, give or take half of it, it looks at the queued jobs that are due. A job
    that still waits in a stream is left alone, so a backlog is never sent twice. A job whose
    back-off is over is sent. A job whose message is lost is sent again, or fails when `policy` says
    so. A round sends no more than the workers need, so a long outage does not end in a flood.

    A job that waits longer than `policy` lets its attempt wait, as after the clock of Postgres was
    set back or was ahead for a while, waits as long as a first attempt at the most.
    """

    def __init__(  # noqa: PLR0913 - each is a collaborator or a plain number
        self,
        database: Database,
        dispatcher: Dispatcher,
        inspector: Inspector,
        policy: RetryPolicy,
        metrics: ProcessMetrics,
        *,
        period: float,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._inspector = inspector
        self._policy = policy
        self._metrics = metrics
        self._period = period
        self._clock = ServerClock()

    def watcher(self) -> Watcher:
        """Return what runs a round every `period` seconds."""
        return every(self._period, "reconciler", "sending jobs again", self.reconcile)

    async def reconcile(self) -> None:
        """Do one round. Raises what Postgres and Redis raise when they cannot be used."""
        await self._pull_in()
        async with self._database.leases.due(LOOKED_AT) as claim:
            sendings = await self._decide(claim) if claim.jobs else []
        # Committed first: a crash from here on costs one lease, and never sends anything twice.
        for done, sending in enumerate(sendings):
            try:
                await self._dispatcher.send(
                    FetchRequested(
                        sending.job_id, sending.source, sending.attempt, sending.requested_at
                    ),
                    "send again",
                )
            except QueueUnavailableError:
                await self._database.leases.take_back(sendings[done:])
                raise
            self._metrics.sent_again.inc()
        self._metrics.reconciled.set_to_current_time()
        if sendings:
            log.info("jobs sent again", jobs=len(sendings))

    async def _pull_in(self) -> None:
        asked = time.monotonic()
        pulled = await self._database.leases.pull_in(self._policy.longest, LOOKED_AT)
        if step := self._clock.step(pulled.now, asked):
            self._metrics.messages.stepped("postgres", step)
        if pulled.jobs:
            self._metrics.pulled_in.inc(pulled.jobs)
            log.warning(
                "jobs waited too long: the clock of Postgres was set, or MOUSETRAP_LEASE differs",
                jobs=pulled.jobs,
            )

    async def _decide(self, claim: Claim) -> Sequence[Sending]:
        attempts = {job.id: Attempt(job.id, job.attempt) for job in claim.jobs}
        backlog = await self._inspector.look_for(attempts.values())
        waiting = [job.id for job in claim.jobs if attempts[job.id] in backlog.waiting]
        await claim.look_later(waiting, self._policy.lease)

        capacity = max(TRICKLE, ENOUGH - backlog.messages)
        idle = [job for job in claim.jobs if attempts[job.id] not in backlog.waiting][:capacity]
        lost = [job for job in idle if job.sent]
        await claim.lose([job.id for job in lost], LOST)
        hopeless = {job.id for job in lost if self._is_last(job)}
        await claim.give_up(hopeless, LOST)
        self._metrics.lost.inc(len(lost))
        for job in lost:
            log.warning("the message of a job is lost", job_id=job.id, attempt=job.attempt)

        sendings = [self._sending(job) for job in idle if job.id not in hopeless]
        await claim.send(sendings)
        return sendings

    def _is_last(self, job: DueJob) -> bool:
        return self._policy.delay(job.attempt_of_round, retryable=True) is None

    def _sending(self, job: DueJob) -> Sending:
        again = 1 if job.sent else 0
        return Sending(
            job_id=job.id,
            source=job.source,
            attempt=job.attempt + again,
            lease=self._policy.lease_of(job.attempt_of_round + again),
            requested_at=job.requested_at,
        )
