"""Wires the process worker."""

from typing import Final

from mousetrap.jobs.retry import RetryPolicy
from mousetrap.process_worker import tasks
from mousetrap.process_worker.follow_ups import FollowUps
from mousetrap.process_worker.housekeeper import Housekeeper
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.process_worker.processor import Processor
from mousetrap.process_worker.reconciler import Reconciler
from mousetrap.queue.broker import StreamBroker, own_name
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.inspector import Inspector
from mousetrap.queue.pieces import PieceStore
from mousetrap.queue.receiver import StreamReceiver
from mousetrap.queue.stages import PROCESS, STAGES
from mousetrap.queue.task_publisher import TaskPublisher
from mousetrap.runtime.worker import work
from mousetrap.settings.process import MigrateSettings, ProcessWorkerSettings
from mousetrap.settings.sources import Sources
from mousetrap.store.database import Database
from mousetrap.store.errors import DefectError, StoreError, StoreUnavailableError
from mousetrap.store.metrics import PoolMetrics
from mousetrap.store.schema.grants import Roles
from mousetrap.telemetry import logs
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.traces import Tracer

SECONDS_PER_DAY: Final = 24 * 60 * 60

log = logs.logger(__name__)


async def run(settings: ProcessWorkerSettings, sources: Sources) -> int:
    """Work until the process is told to stop; return its exit code."""
    policy = RetryPolicy(
        attempts=settings.max_attempts,
        first_delay=settings.retry_delay,
        lease=settings.lease,
    )
    metrics = ProcessMetrics()
    followers = [stage for stage in STAGES if stage.follows_summary]
    async with (
        Tracer("process-worker", settings.otlp_endpoint, ratio=settings.trace_ratio) as tracer,
        Database(
            settings.postgres_dsn,
            pool_size=settings.pool_size,
            lease=settings.lease,
            followed_by=[stage.name for stage in followers],
            process="process",
        ) as database,
        TaskPublisher(settings.redis_url) as publisher,
        Inspector(settings.redis_url) as inspector,
        PieceStore(settings.redis_url) as pieces,
        StreamBroker(
            settings.redis_url,
            PROCESS,
            consumer=own_name("process-worker"),
            lease=settings.lease,
            max_deliveries=settings.max_deliveries,
        ) as broker,
    ):
        PoolMetrics(database, metrics.registry)
        processor = Processor(database, pieces, policy, metrics)
        tasks.declare(broker, processor)
        dispatcher = Dispatcher(publisher, tracer)
        reconciler = Reconciler(
            database,
            dispatcher,
            inspector,
            policy,
            metrics,
            period=settings.reconcile_period,
        )
        follow_ups = FollowUps(
            database,
            dispatcher,
            inspector,
            policy,
            metrics,
            stages=followers,
            period=settings.reconcile_period,
        )
        housekeeper = Housekeeper(
            database,
            dispatcher,
            inspector,
            metrics,
            schedules=sources.schedules(),
            period=settings.reconcile_period,
            retention=settings.retention * SECONDS_PER_DAY,
        )
        receiver = StreamReceiver(
            broker,
            concurrency=settings.concurrency,
            grace=settings.grace,
            bury=processor.bury,
            metrics=metrics.messages,
            tracer=tracer,
        )
        return await work(
            receiver,
            Health({"postgres": database.ping, "redis": broker.ping}),
            metrics,
            health_host=settings.health_host,
            health_port=settings.health_port,
            beside=(reconciler.watcher(), *follow_ups.watchers(), *housekeeper.watchers()),
            outages=(StoreUnavailableError, QueueUnavailableError),
        )


async def migrate(settings: MigrateSettings) -> int:
    """Bring the database up to date; return the exit code."""
    # Importing Piccolo's migrations costs memory and time that a worker need not spend.
    from mousetrap.store.schema import migrations  # noqa: PLC0415

    try:
        await migrations.migrate(
            settings.postgres_dsn,
            roles=Roles(
                api=settings.api_role,
                process=settings.process_role,
                admin=settings.admin_role,
                follow_up=settings.follow_up_role,
            ),
        )
    except StoreError as error:
        defect = isinstance(error, DefectError)
        log.error(  # noqa: TRY400 - the reason of all others says everything
            "the database was not migrated", reason=str(error), exc_info=defect
        )
        return 1
    return 0
