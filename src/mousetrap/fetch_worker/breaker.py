"""The circuit breaker of a source: a dead source costs a probe now and then."""

import asyncio
import math
from datetime import UTC, datetime
from typing import Final

from mousetrap.queue.circuits import Circuit, Circuits
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.settings.source_kinds import DocumentSettings, SourceSettings
from mousetrap.sources.errors import CircuitOpenError, SourceError
from mousetrap.telemetry import logs

log = logs.logger(__name__)

PERIOD: Final = 1.0
"""Seconds between two looks at an open circuit while jobs wait for it."""

CLOSE_PERIOD: Final = 5.0
"""Seconds in which a worker that knows of no failure reports one success of a source at most."""


class Breaker:
    """Lets jobs of a source begin while its circuit is closed.

    While it is open they wait for the next probe, which is one of them, and share its failure: each
    failed probe costs each waiting job an attempt, so that every job ends. Only failures that a
    later attempt may mend count; any other answer shows that the source is alive.

    The state is shared with the other fetch workers. A worker learns of it when its own fetch
    fails; while the state cannot be read, the circuit is closed. A success of any worker closes it
    within CLOSE_PERIOD seconds: the worker that recorded the failures may be gone.
    """

    def __init__(self, source: str, settings: SourceSettings, circuits: Circuits) -> None:
        deadline = settings.deadline if isinstance(settings, DocumentSettings) else 0.0
        self._source = source
        self._circuits = circuits
        self._interval = settings.probe_interval
        self._patience = deadline + settings.probe_interval
        self._circuit: Circuit | None = None
        self._close_at = -math.inf
        self._changed = asyncio.Event()

    async def arrive(self) -> int:
        """Return the time of the last failure; `check` tells whether there was one since."""
        if self._is_open():
            await self._look()
        return self._circuit.failed_at if self._circuit is not None else 0

    async def check(self, arrived: int) -> None:
        """Return when the source may be asked; raises CircuitOpenError when a probe has failed."""
        period = min(PERIOD, self._interval)
        while (circuit := self._circuit) is not None and circuit.state != "closed":
            if circuit.failed_at > arrived:
                raise CircuitOpenError(_reason(circuit, self._interval))
            if await self._may_probe():
                return
            try:
                async with asyncio.timeout(period):
                    await self._changed.wait()
            except TimeoutError:
                await self._look()

    async def record(self, error: SourceError | None) -> None:
        """Record the outcome of a fetch."""
        failed = error is not None and error.retryable
        if not failed:
            now = asyncio.get_running_loop().time()
            if self._circuit is None and now < self._close_at:
                return
            self._close_at = now + CLOSE_PERIOD
        was_open = self._is_open()
        try:
            if error is not None and failed:
                circuit = await self._circuits.failed(
                    self._source, error.code, interval=self._interval
                )
            else:
                await self._circuits.succeeded(self._source)
                circuit = None
        except QueueUnavailableError as unavailable:
            log.warning("the state of a source is not shared", reason=str(unavailable))
            circuit = None
        self._set(circuit)
        if was_open and not self._is_open():
            log.info("the source answers again", source=self._source)
        elif self._is_open() and not was_open:
            log.warning("the source keeps failing, it is only probed now", source=self._source)

    async def _may_probe(self) -> bool:
        try:
            return await self._circuits.may_probe(self._source, within=self._patience)
        except QueueUnavailableError:
            return True

    async def _look(self) -> None:
        try:
            self._set(await self._circuits.find(self._source))
        except QueueUnavailableError:
            self._set(None)

    def _set(self, circuit: Circuit | None) -> None:
        self._circuit = circuit
        self._changed.set()
        self._changed = asyncio.Event()

    def _is_open(self) -> bool:
        return self._circuit is not None and self._circuit.state != "closed"


def _reason(circuit: Circuit, interval: float) -> str:
    failed = datetime.fromtimestamp(circuit.failed_at / 1000, UTC)
    return (
        f"the source is asked every {interval:g} s only, since it has failed {circuit.failures}"
        f" times in a row, last at {failed:%Y-%m-%dT%H:%M:%SZ} with {circuit.code}: see whether"
        " it is up"
    )
