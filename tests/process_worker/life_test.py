"""The life of jobs as a state machine: whatever happens, in any order, each ends exactly once.

The store and the queue are real; what a worker does with a message is done by hand, so that it can
be stopped between any two steps.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis.asyncio import Redis

from mousetrap.jobs.retry import RetryPolicy
from mousetrap.jobs.state import State
from mousetrap.messages.schema import BatchFetched, FetchFailed, FetchOutcome, FetchRequested
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.process_worker.processor import Processor
from mousetrap.process_worker.reconciler import Reconciler
from mousetrap.queue.begun import BegunJobs
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.inspector import Inspector
from mousetrap.queue.pieces import KEPT, PREFIX, PieceStore
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH, PROCESS, Stage
from mousetrap.queue.streams import GROUP, WAITING, attempt_name, attempt_of
from mousetrap.store.database import Database
from mousetrap.store.errors import TooManyRetriesError
from mousetrap.store.jobs import MAX_RETRIES, Submission
from support.large import in_pieces
from support.samples import BATCH
from support.streams import read

ATTEMPTS: Final = 3
POLICY: Final = RetryPolicy(attempts=ATTEMPTS, first_delay=0.001, lease=60.0)
HOW: Final = st.sampled_from(["batch", "large batch", "failure", "final failure"])
LARGE: Final = (BATCH.part(0, 2), BATCH.part(2, 3))
POINTS: Final = """
SELECT count(*) FROM summary WHERE (document ->> 'count')::integer IS DISTINCT FROM (
    SELECT sum(json_array_length(latitudes)) FROM batch_part WHERE job_id = summary.job_id
)
"""
ALL_DUE: Final = "UPDATE job SET due_at = now() WHERE state = 'queued'"


class World:
    """A database, a queue, and what the processes do with them, one step at a time."""

    def __init__(self, dsn: str, redis_url: str) -> None:
        self.database = Database(dsn)
        self.publisher = Publisher(redis_url)
        self.inspector = Inspector(redis_url)
        self.begun = BegunJobs(redis_url)
        self.pieces = PieceStore(redis_url)
        self.raw = Redis.from_url(redis_url, socket_timeout=5)
        metrics = ProcessMetrics()
        self.processor = Processor(self.database, self.pieces, POLICY, metrics)
        self.reconciler = Reconciler(
            self.database, Dispatcher(self.publisher), self.inspector, POLICY, metrics, period=1.0
        )
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        for each in (
            self.database,
            self.publisher,
            self.inspector,
            self.begun,
            self.pieces,
            self.raw,
        ):
            await self._stack.enter_async_context(each)
        await self.raw.flushdb()

    async def close(self) -> None:
        await self._stack.aclose()

    async def submit(self, *, told: bool) -> UUID:
        job = (await self.database.jobs.submit("demo")).job
        if told:
            await self.publisher.send(FetchRequested(job.id, "demo"))
        return job.id

    async def refresh(self) -> Submission:
        """Refresh a source that coalesces, as the API does."""
        coalescing = self.database.coalescing
        queued = await coalescing.queued("demo")
        begun = await self.begun.among(queued.attempts)
        found = await coalescing.submit(
            "demo", None, begun=begun, floor=queued.floor, may_accept=True
        )
        assert found is not None
        if found.created:
            await self.publisher.send(FetchRequested(found.job.id, "demo"))
        return found

    async def take(self, stream: Stage[Any], *, again: bool) -> list[tuple[bytes, Any]]:
        """Take one entry of a stream, or one that another worker left behind."""
        await self._declare(stream)
        if again:
            claimed: Any = await self.raw.xautoclaim(stream.key, GROUP, "me", 0, count=1)
            entries = claimed[1]
        else:
            got: Any = await self.raw.xreadgroup(GROUP, "me", {stream.key: ">"}, count=1)
            entries = got[0][1] if got else []
        return [(entry_id, read(stream, fields)) for entry_id, fields in entries if fields]

    async def acknowledge(self, stream: Stage[Any], entry_id: bytes, message: Any) -> None:
        await self.raw.xack(stream.key, GROUP, entry_id)
        await self.raw.xdel(stream.key, entry_id)
        if stream.last:
            await self.raw.zrem(WAITING, attempt_of(message))

    async def lose_pieces(self) -> None:
        for piece in await self.raw.keys(f"{PREFIX}*"):
            await self.raw.delete(piece)

    async def copy(self, stream: Stage[Any]) -> None:
        """Deliver the oldest entry of a stream a second time, after all others."""
        entries: Any = await self.raw.xrange(stream.key, count=1)
        for _, fields in entries:
            await self.raw.xadd(stream.key, fields)

    async def all_due(self) -> None:
        await self.database.engine.fetch(ALL_DUE)

    async def _declare(self, stream: Stage[Any]) -> None:
        try:
            await self.raw.xgroup_create(stream.key, GROUP, "0", mkstream=True)
        except Exception as error:
            if "BUSYGROUP" not in str(error):
                raise


class Life(RuleBasedStateMachine):
    """Submit, deliver, duplicate, reorder, crash, expire, flush, retry."""

    taken = Bundle("taken")
    world: World
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[UUID] = []
        self.fetching: set[str] = set()
        self.retries: Counter[UUID] = Counter()
        self.summaries: dict[UUID, bytes] = {}
        self.run(self._empty())

    def run[T](self, step: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(step)

    async def _empty(self) -> None:
        await self.world.database.engine.fetch("DELETE FROM job")
        await self.world.raw.flushdb()

    @rule(told=st.booleans())
    def submit(self, told: bool) -> None:  # noqa: FBT001 - drawn
        self.accepted.append(self.run(self.world.submit(told=told)))

    @rule()
    def refresh(self) -> None:
        """A job that is joined is a queued one, of which no fetch has begun."""
        found = self.run(self.world.refresh())
        assert found.created is not found.coalesced
        if found.created:
            self.accepted.append(found.job.id)
        assert found.job.id in self.accepted
        assert found.job.state is State.QUEUED
        round_ = self.run(self.world.database.coalescing.queued("demo")).attempts[found.job.id]
        assert not self.fetching.intersection(attempt_name(found.job.id, it) for it in round_)

    @rule(it=consumes(taken))
    def crash_in_a_fetch(self, it: Any) -> None:
        """It has begun; the entry stays pending."""
        _, _, message = it
        if isinstance(message, FetchRequested):
            self.run(self.world.begun.mark(message.job_id, message.attempt))
            self.fetching.add(attempt_of(message))

    @rule(target=taken, stream=st.sampled_from([FETCH, PROCESS]), again=st.booleans())
    def deliver(self, stream: Stage[Any], again: bool) -> Any:  # noqa: FBT001 - drawn
        found = self.run(self.world.take(stream, again=again))
        return multiple(*((stream, *it) for it in found))

    @rule(it=consumes(taken), how=HOW)
    def work(self, it: Any, how: str) -> None:
        """Do with a message what its worker does, up to its acknowledgement."""
        self.run(self._work(*it, how=how, acknowledged=True))

    @rule(it=consumes(taken), how=HOW)
    def crash_before_the_acknowledgement(self, it: Any, how: str) -> None:
        self.run(self._work(*it, how=how, acknowledged=False))

    @rule(it=consumes(taken))
    def crash_before_anything_is_done(self, it: Any) -> None:
        """The entry stays pending, for another worker."""

    @rule(stream=st.sampled_from([FETCH, PROCESS]))
    def duplicate_and_reorder(self, stream: Stage[Any]) -> None:
        self.run(self.world.copy(stream))

    @rule()
    def flush(self) -> None:
        self.run(_void(self.world.raw.flushdb()))
        self.fetching.clear()  # what Redis forgets nobody knows

    @rule(it=consumes(taken))
    def crash_between_the_pieces_and_their_message(self, it: Any) -> None:
        """The entry stays pending, and the pieces for as long as they are kept."""
        _, _, message = it
        if isinstance(message, FetchRequested):
            self.run(_void(self._outcome(message, "large batch")))

    @rule()
    def lose_the_pieces(self) -> None:
        self.run(_void(self.world.lose_pieces()))

    @rule()
    def reconcile(self) -> None:
        self.run(self.world.reconciler.reconcile())

    @rule()
    def let_leases_expire(self) -> None:
        self.run(self.world.all_due())
        self.run(self.world.reconciler.reconcile())

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self.accepted))
        job = self.run(self.world.database.jobs.find(job_id))
        assert job
        if job.state is State.FAILED and self.retries[job_id] < MAX_RETRIES:
            self.run(_void(self.world.database.jobs.retry(job_id)))
            self.retries[job_id] += 1
        elif job.state is State.FAILED:
            with pytest.raises(TooManyRetriesError):
                self.run(_void(self.world.database.jobs.retry(job_id)))

    @invariant()
    def a_summary_never_changes(self) -> None:
        for summary in self.run(self.world.database.summaries.page(limit=100)):
            first = self.summaries.setdefault(summary.job_id, summary.document)
            assert first == summary.document

    def teardown(self) -> None:
        """Let the processes run undisturbed: every job that was accepted ends."""
        for _ in range(2 * ATTEMPTS + 2):
            self.run(self._heal())
        self.run(self._judge())

    async def _heal(self) -> None:
        await self.world.all_due()
        await self.world.reconciler.reconcile()
        for stream in (FETCH, PROCESS):
            for again in (True, False):
                while found := await self.world.take(stream, again=again):
                    for entry_id, message in found:
                        await self._work(stream, entry_id, message, how="batch", acknowledged=True)

    async def _judge(self) -> None:
        jobs = {job.id: job for job in await self.world.database.jobs.page(limit=1000)}
        assert set(jobs) == set(self.accepted)
        summaries = [it.job_id for it in await self.world.database.summaries.page(limit=1000)]
        assert len(summaries) == len(set(summaries))
        for job in jobs.values():
            assert job.state is not State.QUEUED, f"{job} never ended"
            assert (job.id in summaries) == (job.state is State.SUCCEEDED)
            assert (job.failure is None) == (job.state is State.SUCCEEDED)
        [[partial]] = await self.world.database.engine.fetch(POINTS)
        assert partial == 0
        for piece in await self.world.raw.keys(f"{PREFIX}*"):
            assert 0 < await self.world.raw.ttl(piece) <= KEPT
        for stream in (FETCH, PROCESS):
            assert await self.world.raw.xlen(stream.key) == 0
        await self.world.inspector.look_for([])
        assert await self.world.raw.zcard(WAITING) == 0

    async def _work(
        self, stream: Stage[Any], entry_id: bytes, message: Any, *, how: str, acknowledged: bool
    ) -> None:
        if isinstance(message, FetchRequested):
            await self.world.begun.mark(message.job_id, message.attempt)
            self.fetching.add(attempt_of(message))
            await self.world.publisher.send(await self._outcome(message, how))
        else:
            await self.world.processor.process(message)
        if acknowledged:
            await self.world.acknowledge(stream, entry_id, message)

    async def _outcome(self, request: FetchRequested, how: str) -> FetchOutcome:
        now, attempt = datetime.now(UTC), request.attempt
        if how == "batch":
            return BatchFetched(request.job_id, now, BATCH, attempt=attempt)
        if how == "large batch":
            return await in_pieces(self.world.pieces, request.job_id, LARGE, attempt=attempt)
        return FetchFailed(
            request.job_id, now, "gone", how, retryable=how == "failure", attempt=attempt
        )


async def _void(step: Awaitable[object]) -> None:
    await step


def test_whatever_happens_every_job_ends_exactly_once(migrated_dsn: str, redis_url: str) -> None:
    with asyncio.Runner() as runner:
        world = World(migrated_dsn, redis_url)
        runner.run(world.open())
        try:
            kind = type("Life", (Life,), {"world": world, "runner": runner})
            run_state_machine_as_test(
                kind,
                settings=settings(
                    max_examples=60,
                    stateful_step_count=30,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(world.close())
