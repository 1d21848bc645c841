"""From the old version to the new one, back, and forward again, under load."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos import driver, evidence, load, oracle, sources
from chaos.cells import Kind
from chaos.errors import ChaosError
from chaos.evidence import Evidence
from chaos.load import Load
from chaos.oracle import Promises, Violation
from chaos.system import READS, Logs
from mousetrap.stack import folder, servers
from update.fleet import Fleet, Revision, Version

# One kind changes its version at a time, those that read before those that write: a new version
# reads the batches of the old one, and not the other way round. Rolling back is the reverse.
READERS_FIRST: Final = (Kind.API, Kind.PROCESS, Kind.FETCH)
STEPS: Final = (
    *(Revision(kind, Version.NEW) for kind in READERS_FIRST),
    *(Revision(kind, Version.OLD) for kind in reversed(READERS_FIRST)),
    # An API is of either version beside any workers.
    Revision(Kind.PROCESS, Version.NEW),
    Revision(Kind.FETCH, Version.NEW),
)

PER_SECOND: Final = 10.0
JOBS: Final = 20
"""The number of jobs that end in each combination before the next change."""

SOURCE_DEADLINE: Final = 3.0
"""Seconds; long, because the old version does not retry a source that seems slow."""

WITHIN: Final = 60.0
SETTLED_WITHIN: Final = 20.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answers to callers, the evidence at the end, and the violations."""

    load: Load
    evidence: Evidence
    violations: Sequence[Violation]


class Walk:
    """Changes versions while callers request jobs."""

    def __init__(self, fleet: Fleet, callers: Load, say: Callable[[str], None]) -> None:
        self._fleet = fleet
        self._load = callers
        self._say = say

    async def all(self) -> None:
        """Update, roll back, and update again, with the API last."""
        await self._work("all old")
        self._fleet.migrate(Version.NEW)
        await self._work("all old, database of the new one")
        for revision in STEPS:
            await self._change(revision, f"{revision.kind} {revision.version}")
        await self._change(Revision(Kind.API, Version.NEW), "all new")

    async def _change(self, revision: Revision, name: str) -> None:
        self._fleet.start(revision)
        await ready(self._fleet)
        self._load.turn_to(self._fleet.ports(Version.OLD, Version.NEW))
        await self._work(f"{name}, beside the other version")
        if revision.kind is Kind.API:
            self._load.turn_to(self._fleet.ports(revision.version))
        await self._fleet.stop(Revision(revision.kind, _other(revision.version)))
        await self._work(name)

    async def _work(self, name: str) -> None:
        self._say(name)
        before = await self._ended()

        async def worked() -> bool:
            return await self._ended() >= before + JOBS

        if not await driver.until(worked, within=WITHIN):
            raise ChaosError(f"{name}: fewer than {JOBS} jobs ended in {WITHIN:g} s")

    async def _ended(self) -> int:
        async with self._fleet.system.database() as database:
            count: int = await database.fetchval("SELECT count(*) FROM job WHERE state <> 'queued'")
        return count


async def perform(
    folders: Mapping[Version, Path], root: Path, say: Callable[[str], None]
) -> Outcome:
    """Make the whole update in an empty folder; raises ChaosError and StackError."""
    with (
        sources.served(root, deadline=SOURCE_DEADLINE) as served,
        folder.hold(root / "data") as held,
        servers.run(held) as real,
    ):
        fleet = Fleet(folders, real, served, Logs(root))
        try:
            fleet.migrate(Version.OLD)
            for kind in READS:
                fleet.start(Revision(kind, Version.OLD))
            await ready(fleet)
            old = fleet.ports(Version.OLD)
            # The old version takes no large batch.
            async with load.running(
                old, seed=1, per_second=PER_SECOND, names=sources.SMALL
            ) as callers:
                await Walk(fleet, callers, say).all()
                return await _settle(fleet, callers, say)
        finally:
            fleet.close()


async def ready(fleet: Fleet) -> None:
    """Wait until all processes are ready; raises ChaosError."""
    if not await driver.until(fleet.is_ready, within=WITHIN):
        raise ChaosError(f"a process was not ready within {WITHIN:g} s")


async def _settle(fleet: Fleet, callers: Load, say: Callable[[str], None]) -> Outcome:
    # The reconciler removes the attempts that old workers left in the sorted set.
    callers.submit("trouble")
    say("no more requests")
    await callers.settle(SETTLED_WITHIN)

    async def drained() -> bool:
        return await evidence.drained(fleet.system)

    await driver.until(drained, within=WITHIN)
    found = await evidence.gather(fleet.system, callers)
    violations = oracle.judge(
        found,
        Promises(callers.accepted, callers.ended, callers.flaws),
        strikes=[],
        misdeeds=fleet.system.misdeeds,
        baseline=found.memory,  # the soak test checks memory
    )
    if idle := list(fleet.idle()):
        violations.append(Violation("every worker takes part", len(idle), idle))
    return Outcome(callers, found, violations)


def _other(version: Version) -> Version:
    return Version.NEW if version is Version.OLD else Version.OLD
