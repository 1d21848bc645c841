"""A cache of the newest summary of each source, invalidated by notices of Postgres."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import msgspec

from mousetrap.api.http import etags
from mousetrap.api.schema.summary import NoSummary, Summary
from mousetrap.jobs.job import Job
from mousetrap.jobs.state import State
from mousetrap.store.database import Database
from mousetrap.store.errors import StoreError
from mousetrap.store.notices import Gap, Notice, SummariesChanged, SummaryAdded
from mousetrap.store.summaries import StoredSummary

STALENESS: Final = 3.0
"""Seconds for which a cached summary is valid after the last notice of Postgres."""
PREFETCH_PAUSE: Final = 0.05
"""Seconds between two prefetches."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest summary of a source, if it has one, with its encoded body and ETag."""

    sequence: int
    summary: Summary | None
    etag: str
    body: bytes

    @classmethod
    def of(cls, stored: StoredSummary | None) -> "Newest":
        """Return the entry of a stored summary, or NONE."""
        if stored is None:
            return NONE
        summary = _read(stored.document)
        return cls(stored.sequence, summary, etags.tag(stored.document), stored.document)


_read: Final = msgspec.json.Decoder(Summary).decode
NONE: Final = Newest(0, None, "", msgspec.json.encode(NoSummary()))


class SummaryCache:
    """A cache of the newest summaries of the configured sources.

    An entry is fresh until a newer summary may be there, and for at most STALENESS seconds after
    the last notice of Postgres. A stale entry is read again, so a false notice costs one read.
    """

    def __init__(self, database: Database, sources: Collection[str]) -> None:
        self._database = database
        self._cached: dict[str, Newest] = {}
        self._expected = dict.fromkeys(sources, 0)
        self._generation = 0
        self._outdated = asyncio.Event()
        self._requested = asyncio.Event()
        self._requested.set()  # the first prefetch needs no request
        database.notices.subscribe(self._on_notice, wants=lambda: False)

    async def of(self, source: str) -> Newest:
        """Return the newest summary of a configured source, the one requested last.

        Raises StoreError when the entry is stale and Postgres cannot be read.
        """
        cached = self.fresh(source)
        if cached is not None:
            return cached
        generation = self._generation
        newest = Newest.of(await self._database.summaries.newest(source))
        self._put(source, newest, generation)
        self._requested.set()
        return newest

    def fresh(self, source: str) -> Newest | None:
        """Return the cached summary of a source if it is fresh, else None.

        A fresh one counts as a request, which allows another prefetch.
        """
        if not self._is_fresh(source):
            return None
        self._requested.set()
        return self._cached[source]

    async def of_all(self) -> dict[str, Newest]:
        """Return the newest summaries of all sources; raises StoreError as `of` does."""
        self._requested.set()
        return dict(self._cached) if self._all_fresh() else await self._load()

    def observe(self, job: Job) -> None:
        """Make sure that no summary older than that of `job`, which a caller sees, is served."""
        if job.state is State.SUCCEEDED:
            self._expect(job.source, job.sequence)

    def observe_summaries(self, shown: Sequence[StoredSummary]) -> None:
        """Make sure that no summary older than these, the newest first, is served."""
        for source, sequence in {it.source: it.sequence for it in reversed(shown)}.items():
            self._expect(source, sequence)

    async def watch(self, works: Callable[[], None]) -> NoReturn:
        """Prefetch newer summaries until cancelled, at most once per request.

        Without requests entries stay stale, so the next request has to read Postgres, and fails
        during an outage. Calls `works` after each prefetch; raises StoreError when it fails.
        """
        while True:
            await self._outdated.wait()
            await self._requested.wait()
            self._outdated.clear()
            if self._all_fresh():
                works()
                continue  # a request has read it already
            self._requested.clear()
            try:
                await self._load()
            except StoreError:
                # The next call retries, even without a request.
                self._outdated.set()
                self._requested.set()
                raise
            works()
            await asyncio.sleep(PREFETCH_PAUSE)

    def _expect(self, source: str, sequence: int) -> None:
        if sequence > self._expected.get(source, sequence):
            self._expected[source] = sequence
            if sequence > self._cached.get(source, NONE).sequence:
                self._outdated.set()

    async def _load(self) -> dict[str, Newest]:
        generation = self._generation
        stored = await self._database.summaries.newest_of_all(self._expected)
        newest = {source: Newest.of(stored.get(source)) for source in self._expected}
        for source, found in newest.items():
            self._put(source, found, generation)
        return newest

    def _put(self, source: str, newest: Newest, generation: int) -> None:
        """Cache a summary, unless a newer one is cached or may have been added meanwhile."""
        cached = self._cached.get(source, NONE)
        if generation == self._generation and newest.sequence >= cached.sequence:
            self._cached[source] = newest

    def _all_fresh(self) -> bool:
        return all(map(self._is_fresh, self._expected))

    def _is_fresh(self, source: str) -> bool:
        cached = self._cached.get(source)
        return (
            cached is not None
            and cached.sequence >= self._expected[source]
            and self._database.notices.age < STALENESS
        )

    def _on_notice(self, notice: Notice) -> None:
        match notice:
            case SummaryAdded(source) if source in self._expected:
                self._cached.pop(source, None)
            case SummariesChanged() | Gap():
                self._cached.clear()
                self._expected = dict.fromkeys(self._expected, 0)
            case _:
                return
        self._generation += 1
        self._outdated.set()
