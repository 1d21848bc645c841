"""Where the process worker is put together."""

from mousetrap.process_worker.processor import Processor
from mousetrap.queue import streams
from mousetrap.queue.consumer import Consumer
from mousetrap.queue.worker import work
from mousetrap.settings.process import MigrateSettings, ProcessWorkerSettings
from mousetrap.store import migrations
from mousetrap.store.database import Database
from mousetrap.store.errors import StoreError
from mousetrap.store.grants import Roles
from mousetrap.telemetry import logs
from mousetrap.telemetry.health import Health

log = logs.logger(__name__)


async def run(settings: ProcessWorkerSettings) -> int:
    """Work until the process is told to stop; return its exit code."""
    async with Database(settings.postgres_dsn, pool_size=settings.pool_size) as database:
        processor = Processor(database)
        consumer = Consumer(
            settings.redis_url,
            streams.PROCESS,
            processor.process,
            name="process-worker",
            concurrency=settings.concurrency,
            lease=settings.lease,
            max_deliveries=settings.max_deliveries,
            grace=settings.grace,
            bury=processor.bury,
        )
        return await work(
            consumer,
            Health({"postgres": database.ping, "redis": consumer.ping}),
            health_host=settings.health_host,
            health_port=settings.health_port,
        )


async def migrate(settings: MigrateSettings) -> int:
    """Bring the database up to date; return the exit code."""
    try:
        await migrations.migrate(
            settings.postgres_dsn,
            roles=Roles(
                api=settings.api_role, process=settings.process_role, admin=settings.admin_role
            ),
        )
    except StoreError as error:
        log.error("the database was not migrated", reason=str(error))  # noqa: TRY400 - says it all
        return 1
    return 0
