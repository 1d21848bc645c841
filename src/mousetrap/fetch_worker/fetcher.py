"""Turns a request into a batch, or into the reason why there is none."""

import time
from datetime import UTC, datetime
from typing import Any, Final

from mousetrap.fetch_worker.bulkheads import fetching
from mousetrap.fetch_worker.memory import MemoryBudget
from mousetrap.fetch_worker.metrics import TAKEN, FetchMetrics
from mousetrap.geo.batch import Batch
from mousetrap.messages.dead_letter import UNDELIVERABLE, DeadLetter
from mousetrap.messages.schema import (
    BatchFetched,
    FetchFailed,
    FetchOutcome,
    FetchRequested,
    LargeBatchFetched,
    Pieces,
)
from mousetrap.queue.errors import MessageTooLargeError, QueueUnavailableError
from mousetrap.queue.middlewares import current_span
from mousetrap.queue.pieces import PieceStore, new_key
from mousetrap.queue.publisher import MessageSender
from mousetrap.runtime.retry import retry
from mousetrap.sources.catalogue import Catalogue
from mousetrap.sources.errors import NoFileError, SourceError
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.packed import PackedBatch
from mousetrap.telemetry import logs
from mousetrap.telemetry.traces import Span

log = logs.logger(__name__)

MAX_IN_HAND: Final = 144 * 1024 * 1024
"""Bytes of memory that all batches in hand may take: three of feeds whose limit is the default.

With the process itself, the batches that `sources` remembers, and connections to servers that have
not answered yet it fits into 256 MiB.
"""


class Fetcher:
    """Fetches batches from `catalogue` and sends each outcome to the process worker.

    The pieces of a large batch go to `pieces` first, so whoever reads its message finds them.

    While the queue is down an outcome waits for up to `patience` seconds: an outage must not use up
    the deliveries of a request, nor cause another download. A request waits as long while this
    process may open no further file, which its source must not be charged with. From the time that
    they begin to arrive until they are sent all batches weigh at most MAX_IN_HAND; one that weighs
    more is alone.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        publisher: MessageSender,
        pieces: PieceStore,
        metrics: FetchMetrics,
        *,
        patience: float = 300.0,
    ) -> None:
        self._catalogue = catalogue
        self._publisher = publisher
        self._pieces = pieces
        self._metrics = metrics
        self._patience = patience
        self._memory = MemoryBudget(MAX_IN_HAND)

    def weigh(self, request: FetchRequested) -> int:
        """Return an estimate of the bytes that the batch of a request takes."""
        return self._catalogue.weight(request.source)

    async def fetch(self, request: FetchRequested) -> None:
        """Send the outcome of one request; once this returns the request may be forgotten.

        Raises QueueUnavailableError when the outcome could not be sent.
        """
        async with self._memory.hold():
            await self._answer(request)

    async def _answer(self, request: FetchRequested) -> None:
        span = current_span()
        outcome = await self._outcome(request, span)
        try:
            await self._send(outcome)
        except MessageTooLargeError as error:
            outcome = _failed(request, span, "batch-too-large", str(error), retryable=False)
            await self._send(outcome)
        points = 0 if isinstance(outcome, FetchFailed) else len(outcome.batch)
        log.info(
            "request answered",
            source=request.source,
            outcome=type(outcome).__name__,
            points=points,
        )

    async def bury(self, letter: DeadLetter) -> None:
        """Fail the attempt of a request that is given up, if its job is known.

        Raises QueueUnavailableError when that could not be sent.
        """
        if letter.job_id is not None:
            await self._send(
                FetchFailed(
                    job_id=letter.job_id,
                    failed_at=datetime.now(UTC),
                    code=UNDELIVERABLE,
                    detail=f"the fetch workers gave the request up: {letter.reason}",
                    retryable=True,
                    attempt=letter.attempt,
                )
            )

    async def _outcome(self, request: FetchRequested, span: Span) -> FetchOutcome:
        start = time.perf_counter()
        try:
            async with fetching():
                fetched = await self._taken(request.source)
        except SourceError as error:
            self._observe(request, error.code, start)
            log.warning(
                "no batch",
                source=request.source,
                code=error.code,
                detail=str(error),
                excerpt=error.excerpt,
            )
            return _failed(request, span, error.code, str(error), retryable=error.retryable)
        self._observe(request, TAKEN, start)
        self._metrics.taken(request.source, fetched.report)
        settings = self._catalogue.settings(request.source)
        facts: dict[str, Any] = {
            "job_id": request.job_id,
            "fetched_at": datetime.now(UTC),
            "attempt": request.attempt,
            "requested_at": request.requested_at,
            "traceparent": span.traceparent,
            "report": fetched.report,
            "grid": settings.grid,
            "changes": settings.changes,
        }
        if isinstance(fetched.batch, Batch):
            return BatchFetched(batch=fetched.batch, **facts)
        return LargeBatchFetched(batch=await self._kept(fetched.batch), **facts)

    async def _taken(self, source: str) -> Fetched:
        """Return a batch, once this process has a file left for the way to it."""
        return await retry(
            lambda: self._catalogue.fetch(source),
            "opening a connection or a file",
            on=(NoFileError,),
            patience=self._patience,
        )

    async def _kept(self, batch: PackedBatch) -> Pieces:
        """Return where the pieces of a batch are kept."""
        key = new_key()
        await retry(
            lambda: self._pieces.put(key, batch.pieces),
            "keeping the pieces of a batch",
            on=(QueueUnavailableError,),
            patience=self._patience,
        )
        return Pieces(key, batch.points, batch.ids, batch.groups, batch.values)

    def _observe(self, request: FetchRequested, result: str, start: float) -> None:
        series = self._metrics.fetches(request.source, result)
        series.observe(time.perf_counter() - start)

    async def _send(self, outcome: FetchOutcome) -> None:
        await retry(
            lambda: self._publisher.send(outcome),
            "sending the outcome",
            on=(QueueUnavailableError,),
            patience=self._patience,
        )


def _failed(
    request: FetchRequested, span: Span, code: str, detail: str, *, retryable: bool
) -> FetchFailed:
    span.fail(code)
    return FetchFailed(
        job_id=request.job_id,
        failed_at=datetime.now(UTC),
        code=code,
        detail=detail,
        retryable=retryable,
        attempt=request.attempt,
        traceparent=span.traceparent,
    )
