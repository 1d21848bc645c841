"""A large batch on its way from the queue to the database, piece by piece."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

from mousetrap.geo.changes import Changes
from mousetrap.geo.summary import Summarizer, Summary
from mousetrap.messages import codec
from mousetrap.messages.schema import LargeBatchFetched
from mousetrap.queue.pieces import PieceStore
from mousetrap.store import batches
from mousetrap.store.batches import Part
from mousetrap.store.changes import NOTHING_BEFORE, ChangeStore

LOST: Final = "batch-lost"
"""The code of a failure whose pieces are gone; another attempt fetches them again."""


class BatchLostError(Exception):
    """A piece is gone: it was kept for too long, or Redis has lost it."""


class ArrivingBatch:
    """The parts of a large batch, which is summarised on the way and never in memory as a whole.

    Its pieces are read once; `parts` raises BatchLostError, MessageError, TooManyGroupsError and
    QueueUnavailableError.
    """

    def __init__(
        self, fetched: LargeBatchFetched, pieces: PieceStore, changes: ChangeStore
    ) -> None:
        self.report = fetched.report
        self._fetched = fetched
        self._pieces = pieces
        self._changes = changes
        self._summarizer = Summarizer(grid=fetched.grid)
        self._summary: Summary | None = None

    async def parts(self) -> AsyncGenerator[Sequence[Part]]:
        """Yield the parts of each piece.

        While these are stored the next piece is read, and after the last one the summary is
        computed.
        """
        count = len(self._fetched.batch.points)
        ahead: asyncio.Task[Any] = asyncio.create_task(self._piece(0))
        try:
            for number in range(1, count + 1):
                parts = await ahead
                following = self._piece(number) if number < count else self._summarise()
                ahead = asyncio.create_task(following)
                yield parts
            await ahead
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _piece(self, number: int) -> Sequence[Part]:
        batch = self._fetched.batch
        piece = await self._pieces.get(batch.key, number)
        if not piece:
            raise BatchLostError(
                f"piece {number} of the batch is gone: it waited for too long for a process worker,"
                " or Redis has lost its data"
            )
        return await asyncio.to_thread(self._take, piece, batch.points[number])

    def _take(self, piece: bytes, points: int) -> Sequence[Part]:
        whole = self._fetched.batch
        part = codec.read_piece(piece, points).with_columns(
            ids=whole.ids, groups=whole.groups, values=whole.values
        )
        self._summarizer.add(part)
        return list(batches.parts(part))

    async def changes(self) -> Changes | None:
        """Return what has changed, if the source asks for it."""
        if not self._fetched.changes:
            return None
        if not self._fetched.batch.ids:
            return NOTHING_BEFORE
        return await self._changes.since_last_of_stored(self._fetched.job_id)

    async def _summarise(self) -> None:
        self._summary = await asyncio.to_thread(self._summarizer.summary)

    def summary(self) -> Summary:
        """Return the summary of all parts, once they have been yielded."""
        assert self._summary is not None  # noqa: S101 - the order of the calls is the caller's
        return self._summary
