"""The HTTP server of this process: uvicorn with the signals and logs of our other processes."""

import functools
import logging
import math
import os
import resource
import socket
from types import FrameType
from typing import Any, Final, cast

import uvicorn

from mousetrap.api.app import Api
from mousetrap.api.http.protocol import Connection
from mousetrap.settings.process import ApiSettings
from mousetrap.telemetry import logs

KEEP_ALIVE: Final = 15
"""Seconds that a connection may be idle between two requests."""
FILES: Final = 8192
"""The requested limit of open files: each connection holds one."""
OTHER_FILES: Final = 256
"""Open files that are no connections of callers."""

log = logs.logger(__name__)


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, then finishes the requests in flight.

    A second signal ends the process at once.
    """

    def __init__(self, config: uvicorn.Config, api: Api) -> None:
        super().__init__(config)
        self._health = api.health
        self._supervisor = api.supervisor
        self._end_streams = api.end_streams
        self._connections = api.connections

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        """Handle a signal.

        It logs nothing, because the signal may have interrupted another log call. Unlike uvicorn,
        it does not raise the signal again after the shutdown.
        """
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True
        self._health.drain()

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop, as after a failure; uvicorn asks ten times a second."""
        return await super().on_tick(counter) or self._supervisor.failed

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and log the address."""
        files = allow_files(self._connections.maximum + OTHER_FILES)
        self._connections.lower(files - OTHER_FILES)
        await super().startup(sockets)
        log.info("the API is served", url=f"http://{self.config.host}:{self.config.port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the requests in flight within the grace; end event streams at once."""
        self._end_streams()
        log.info("stopping", requests_in_flight=len(self.server_state.tasks))
        await super().shutdown(sockets)
        log.info("stopped")


def allow_files(needed: int = FILES) -> int:
    """Raise the soft limit of open files, often 1,024, and return it.

    It is raised towards FILES, or `needed` if that is more, within the hard limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return max(FILES, needed)
    wanted = max(FILES, needed)
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def create_server(api: Api, settings: ApiSettings) -> Server:
    """Return the server of an application; it listens once it runs."""
    # The server logs what uvicorn would log at the info level.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        cast("Any", api.asgi),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=cast("Any", functools.partial(Connection, connections=api.connections)),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=math.ceil(settings.grace),
    )
    return Server(config, api)
