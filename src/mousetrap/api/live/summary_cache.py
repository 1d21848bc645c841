"""The newest summary of each source, kept in memory and kept fresh by the notices of Postgres."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import msgspec

from mousetrap.api.schema.summary import NoSummary, Summary
from mousetrap.jobs.job import Job
from mousetrap.jobs.state import State
from mousetrap.store.database import Database
from mousetrap.store.errors import StoreError
from mousetrap.store.jobs import JobChange
from mousetrap.store.notices import Notice
from mousetrap.store.summaries import StoredSummary

STALENESS: Final = 3.0
"""Seconds for which what is kept is good after Postgres was heard the last time."""
REST: Final = 0.05
"""Seconds between two times that Postgres is asked for what nobody may need."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest summary of a source, if it has one, and the answer that shows it."""

    sequence: int
    summary: Summary | None
    etag: str
    body: bytes

    @classmethod
    def of(cls, stored: StoredSummary | None) -> "Newest":
        """Return the answer of what is stored, or of nothing."""
        if stored is None:
            return NONE
        summary = _read(stored.document)
        return cls(stored.sequence, summary, f'"{stored.job_id}"', stored.document)


_read: Final = msgspec.json.Decoder(Summary).decode
NONE: Final = Newest(0, None, "", msgspec.json.encode(NoSummary()))


class SummaryCache:
    """The newest summaries of the configured sources.

    What is kept is given away while Postgres is heard, and for at most three seconds after it was
    heard the last time, and while nothing newer is known of; else Postgres is asked.
    """

    def __init__(self, database: Database, sources: Collection[str]) -> None:
        self._database = database
        self._kept: dict[str, Newest] = {}
        self._expected = dict.fromkeys(sources, 0)
        self._generation = 0
        self._outdated = asyncio.Event()
        self._asked = asyncio.Event()
        self._asked.set()  # what is there at first is read without being asked for
        database.notices.subscribe(self._hear)

    async def of(self, source: str) -> Newest:
        """Return the newest summary of a configured source, the one requested last.

        Raises StoreError when it has to be asked for.
        """
        kept = self.kept(source)
        if kept is not None:
            return kept
        generation = self._generation
        newest = Newest.of(await self._database.summaries.newest(source))
        self._keep(source, newest, generation)
        self._asked.set()
        return newest

    def kept(self, source: str) -> Newest | None:
        """Return what `of` would without asking the database; None if it would have to ask.

        Either way somebody has asked for it: the next one is read in advance.
        """
        if not self._is_fresh(source):
            return None
        self._asked.set()
        return self._kept[source]

    async def of_all(self) -> dict[str, Newest]:
        """Return those of all sources; raises as `of` does."""
        self._asked.set()
        return dict(self._kept) if self._are_fresh() else await self._load()

    def note(self, job: Job) -> None:
        """Take notice of a job that somebody is shown: nothing older is given away after that."""
        if job.state is State.SUCCEEDED:
            self._expect(job.source, job.sequence)

    def note_summaries(self, shown: Sequence[StoredSummary]) -> None:
        """Take notice of summaries that somebody is shown, the newest first."""
        for source, sequence in {it.source: it.sequence for it in reversed(shown)}.items():
            self._expect(source, sequence)

    async def watch(self, works: Callable[[], None]) -> NoReturn:
        """Ask for what is not known before somebody needs it, until cancelled.

        That is once for each time that somebody has asked. Where nobody asks, the next one who does
        has to wait for what is new by then, and is refused while Postgres is away. Calls `works`
        after each time; raises StoreError when Postgres cannot be asked.
        """
        while True:
            await self._outdated.wait()
            await self._asked.wait()
            self._outdated.clear()
            if self._are_fresh():
                works()
                continue  # whoever asked has read it, and may ask for the next one
            self._asked.clear()
            try:
                await self._load()
            except StoreError:
                # The next call tries again, whether or not somebody asks.
                self._outdated.set()
                self._asked.set()
                raise
            works()
            await asyncio.sleep(REST)

    def _expect(self, source: str, sequence: int) -> None:
        if sequence > self._expected.get(source, sequence):
            self._expected[source] = sequence
            if sequence > self._kept.get(source, NONE).sequence:
                self._outdated.set()

    async def _load(self) -> dict[str, Newest]:
        generation = self._generation
        stored = await self._database.summaries.newest_of_all(self._expected)
        newest = {source: Newest.of(stored.get(source)) for source in self._expected}
        for source, found in newest.items():
            self._keep(source, found, generation)
        return newest

    def _keep(self, source: str, newest: Newest, generation: int) -> None:
        """Keep what was read, unless something newer has been read since, or all is void."""
        kept = self._kept.get(source, NONE)
        if generation == self._generation and newest.sequence >= kept.sequence:
            self._kept[source] = newest

    def _are_fresh(self) -> bool:
        return all(map(self._is_fresh, self._expected))

    def _is_fresh(self, source: str) -> bool:
        kept = self._kept.get(source)
        return (
            kept is not None
            and kept.sequence >= self._expected[source]
            and self._database.notices.age < STALENESS
        )

    def _hear(self, notice: Notice) -> None:
        if isinstance(notice, JobChange):
            self.note(notice.job)
            return
        self._kept.clear()
        self._expected = dict.fromkeys(self._expected, 0)
        self._generation += 1
        self._outdated.set()
