"""Wires the worker of a stage that follows summaries."""

from mousetrap.follow_up.follower import Follow, Follower
from mousetrap.jobs.retry import RetryPolicy
from mousetrap.messages.schema import SummaryStored
from mousetrap.queue.broker import StreamBroker, own_name
from mousetrap.queue.metrics import ConsumerMetrics
from mousetrap.queue.receiver import StreamReceiver
from mousetrap.queue.stages import Stage
from mousetrap.runtime import naming
from mousetrap.runtime.worker import work
from mousetrap.settings.process import FollowUpSettings
from mousetrap.store.database import Database
from mousetrap.store.metrics import PoolMetrics
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.metrics import Metrics
from mousetrap.telemetry.traces import Tracer


class FollowUpMetrics(Metrics):
    """The metrics of a follow-up worker."""

    def __init__(self) -> None:
        super().__init__()
        self.messages = ConsumerMetrics(self.registry)


async def run(stage: Stage[SummaryStored], follow: Follow, settings: FollowUpSettings) -> int:
    """Call `follow` with every summary until the process is told to stop, as Follower says.

    Returns the exit code of the process.
    """
    naming.name(stage.name)
    policy = RetryPolicy(
        attempts=settings.max_attempts,
        first_delay=settings.retry_delay,
        lease=settings.lease,
    )
    metrics, service = FollowUpMetrics(), f"{stage.name}-worker"
    async with (
        Tracer(service, settings.otlp_endpoint, ratio=settings.trace_ratio) as tracer,
        Database(
            settings.postgres_dsn, pool_size=settings.pool_size, process="follow_up"
        ) as database,
        StreamBroker(
            settings.redis_url,
            stage,
            consumer=own_name(service),
            lease=settings.lease,
            max_deliveries=settings.max_deliveries,
        ) as broker,
    ):
        PoolMetrics(database, metrics.registry)
        follower = Follower(database, stage.name, policy, follow)

        @broker.task(task_name=stage.task)
        async def task(message: SummaryStored) -> None:
            await follower.handle(message)

        receiver = StreamReceiver(
            broker,
            concurrency=settings.concurrency,
            grace=settings.grace,
            bury=follower.bury,
            metrics=metrics.messages,
            tracer=tracer,
        )
        return await work(
            receiver,
            Health({"postgres": database.ping, "redis": broker.ping}),
            metrics,
            health_host=settings.health_host,
            health_port=settings.health_port,
        )
