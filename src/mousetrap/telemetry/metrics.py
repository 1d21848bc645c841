"""Metrics for Prometheus: a registry for each process, and the metrics that all processes have.

Each deployable defines its metrics in one module and passes them to its components.
"""

import asyncio
from functools import partial
from typing import Final, NoReturn

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from mousetrap.telemetry.health import Health

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
PATH: Final = "/metrics"

PAUSE: Final = 0.25

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets for what a caller waits for."""

LONG_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Buckets for what goes on behind a caller's back."""


class Metrics:
    """The metrics of one process; base of the metrics of each deployable.

    CPU time, memory and open files of the process are measured at each scrape, on Linux only.
    """

    def __init__(self) -> None:
        # A creation time for every series would double their number.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._lag = Histogram(
            "mousetrap_event_loop_lag_seconds",
            "How late the event loop is with what it should do now, measured four times a second.",
            buckets=SECONDS,
            registry=self.registry,
        )

        self._up = Gauge(
            "mousetrap_dependency_up",
            "Whether a dependency, or a loop of the process, worked when it was last looked at.",
            ["dependency"],
            registry=self.registry,
        )

    def follow(self, health: Health) -> None:
        """Show the state of each dependency."""

        def up(name: str) -> float:
            return health.report()[name] == "ok"

        for name in health.report():
            self._up.labels(name).set_function(partial(up, name))

    def render(self) -> bytes:
        """Return all values as text of the type CONTENT_TYPE."""
        return generate_latest(self.registry)

    async def watch(self) -> NoReturn:
        """Measure the event loop until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PAUSE
            await asyncio.sleep(PAUSE)
            self._lag.observe(max(0.0, loop.time() - due))
