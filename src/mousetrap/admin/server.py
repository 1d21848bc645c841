"""The HTTP server of this process."""

import math
from types import FrameType

import uvicorn

from mousetrap.admin.app import Admin
from mousetrap.settings.process import AdminSettings


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, then finishes the requests in flight."""

    def __init__(self, admin: Admin, settings: AdminSettings) -> None:
        super().__init__(
            uvicorn.Config(
                admin.asgi,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=settings.trusted_proxies,
                server_header=False,
                timeout_graceful_shutdown=math.ceil(settings.grace),
            )
        )
        self._health = admin.health
        self._supervisor = admin.supervisor

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop, as after a failure; uvicorn asks ten times a second."""
        return await super().on_tick(counter) or self._supervisor.failed

    def handle_exit(self, sig: int, _: FrameType | None) -> None:  # noqa: ARG002 - both end it
        """Handle a signal; unlike uvicorn, do not raise it again after the shutdown."""
        self.should_exit = True
        self._health.drain()
