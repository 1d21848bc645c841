"""What the handlers work with, opened together and closed together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from mousetrap.api.errors import UnknownSourceError
from mousetrap.queue.publisher import Publisher
from mousetrap.settings.sources import Sources
from mousetrap.store.database import Database
from mousetrap.telemetry.health import Health


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of all handlers.

    They come as one, for Litestar resolves several dependencies of a handler in a task group,
    which takes longer than all the rest of a request.
    """

    sources: Sources
    database: Database
    publisher: Publisher
    health: Health

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open what needs opening; neither Postgres nor Redis has to be there."""
        async with self.database, self.publisher:
            watch = asyncio.create_task(self.health.watch())
            try:
                yield
            finally:
                watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch

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
