"""Metrics of a consumer of a stream."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from mousetrap.telemetry import logs
from mousetrap.telemetry.metrics import LONG_SECONDS

log = logs.logger(__name__)


class Result(StrEnum):
    """The result of handling a message once."""

    DONE = "done"
    GIVEN_UP = "given-up"
    CUT_OFF = "cut-off"
    NOT_ACKNOWLEDGED = "not-acknowledged"


class ConsumerMetrics:
    """Metrics of one consumer, registered with `registry` if given."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        handled = Histogram(
            "mousetrap_message_handling_seconds",
            "How long a message was in flight, by its result. One that is not acknowledged is"
            " delivered again, one that is given up becomes a dead letter.",
            ["result"],
            buckets=LONG_SECONDS,
            registry=registry,
        )
        self._handled = {result: handled.labels(result.value) for result in Result}
        self.in_hand = Gauge(
            "mousetrap_messages_in_flight", "Messages in flight.", registry=registry
        )
        self.parked = Gauge(
            "mousetrap_messages_parked",
            "Messages that wait for their turn: their source has no room, or rests.",
            registry=registry,
        )
        self.repeated = Counter(
            "mousetrap_messages_repeated_total",
            "Messages that had been delivered before: a worker died, or lost its lease.",
            registry=registry,
        )

        steps = Counter(
            "mousetrap_clock_steps_total",
            "Steps of more than a second that the clock of a server was set `back` or `ahead`, as"
            " this process saw them.",
            ["server", "direction"],
            registry=registry,
        )
        self._steps = {
            (server, direction): steps.labels(server, direction)
            for server in ("postgres", "redis")
            for direction in ("back", "ahead")
        }

    def stepped(self, server: str, seconds: float) -> None:
        """Record and log by how many seconds the clock of `postgres` or `redis` was set ahead."""
        direction = "back" if seconds < 0 else "ahead"
        self._steps[server, direction].inc()
        log.warning(
            "the clock of a server was set: see its time service",
            server=server,
            seconds=round(seconds, 1),
        )

    def handled(self, result: Result, seconds: float) -> None:
        """Record the result of a message and its handling time in seconds."""
        self._handled[result].observe(seconds)
