"""Sends every summary to the stages that follow it, again and again until they are done."""

from collections.abc import Sequence
from typing import Final

from mousetrap.jobs.retry import RetryPolicy
from mousetrap.messages.schema import SummaryStored
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.inspector import Attempt, Inspector
from mousetrap.queue.stages import Stage
from mousetrap.runtime.supervision import Watcher, every
from mousetrap.store.database import Database
from mousetrap.store.follow_ups import FollowUpClaim, FollowUpSending
from mousetrap.telemetry import logs

log = logs.logger(__name__)

ENOUGH: Final = 1000
"""How many messages the workers of a stage are kept supplied with."""

STATES: Final = ("queued", "failed")


class FollowUps:
    """Sends the follow-ups that are due, in any number of processes at once.

    Every `period` seconds, give or take half of it, it looks at those of each stage. A message that
    still waits in the stage's stream is left alone. One that is lost is sent again as another
    attempt, which is no failure of the stage; so is one that failed, when its delay is over.
    """

    def __init__(  # noqa: PLR0913 - each is a collaborator or a plain number
        self,
        database: Database,
        dispatcher: Dispatcher,
        inspector: Inspector,
        policy: RetryPolicy,
        metrics: ProcessMetrics,
        *,
        stages: Sequence[Stage[SummaryStored]],
        period: float,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._inspector = inspector
        self._policy = policy
        self._metrics = metrics
        self._stages = stages
        self._period = period

    def watchers(self) -> Sequence[Watcher]:
        """Return the loop that sends them; none without a stage that follows summaries."""
        if not self._stages:
            return ()
        return (every(self._period, "follow-ups", "sending follow-ups", self.send_due),)

    async def send_due(self) -> None:
        """Send what is due. Raises what Postgres and Redis raise when they cannot be used."""
        for stage in self._stages:
            longest = self._policy.longest
            pulled = await self._database.follow_ups.pull_in(stage.name, longest, ENOUGH)
            self._metrics.pulled_in.inc(pulled)
            while await self._send_some(stage):
                pass
            for state in STATES:
                rows = await self._database.follow_ups.count(stage.name, state)
                self._metrics.follow_ups.labels(stage.name, state).set(rows)

    async def _send_some(self, stage: Stage[SummaryStored]) -> bool:
        backlog = await self._inspector.look_for([], stage)
        free = ENOUGH - backlog.messages
        if free <= 0:
            return False
        async with self._database.follow_ups.due(stage.name, free) as claim:
            sendings = await self._decide(claim, stage) if claim.follow_ups else []
        # Committed first: a crash from here on costs one lease.
        for done, sending in enumerate(sendings):
            try:
                await self._dispatcher.send(_message(sending, stage), "follow up")
            except QueueUnavailableError:
                await self._database.follow_ups.take_back(stage.name, sendings[done:])
                raise
        return bool(sendings)

    async def _decide(
        self, claim: FollowUpClaim, stage: Stage[SummaryStored]
    ) -> Sequence[FollowUpSending]:
        sent = {it.job_id: Attempt(it.job_id, it.attempt) for it in claim.follow_ups if it.sent}
        backlog = await self._inspector.look_for(sent.values(), stage)
        waiting = {job_id for job_id, attempt in sent.items() if attempt in backlog.waiting}
        await claim.look_later(waiting, self._policy.lease)
        sendings = []
        for it in claim.follow_ups:
            if it.job_id in waiting:
                continue
            if it.sent:
                self._metrics.lost.inc()
                log.warning(
                    "the message of a follow-up is lost", job_id=it.job_id, stage=stage.name
                )
            attempt = it.attempt + it.sent
            sendings.append(FollowUpSending(it, attempt, self._policy.lease_of(attempt)))
        await claim.send(sendings)
        return sendings


def _message(sending: FollowUpSending, stage: Stage[SummaryStored]) -> SummaryStored:
    it = sending.follow_up
    return SummaryStored(it.job_id, stage.name, it.source, it.summary, sending.attempt)
