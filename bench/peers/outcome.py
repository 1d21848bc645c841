"""Waits for the end of a scenario, and counts its results."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.peers.contender import Contender, Stored
from bench.peers.results import Outcome

LOOK_EVERY: Final = 0.25


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: `quiet` to see repetitions, `stalled` without progress until jobs count as lost."""

    quiet: float
    stalled: float


async def settled(contender: Contender, last_event: float, patience: Patience) -> dict[str, Stored]:
    """Wait until no more results are expected after `last_event`; return the stored ones."""
    accepted = contender.door.accepted
    progress, before = time.time(), -1
    while True:
        stored = await contender.stored()
        done = sum(job in stored for job in accepted)
        if done != before:
            progress, before = time.time(), done
        if done == len(accepted) and time.time() - max(progress, last_event) > patience.quiet:
            return stored
        if time.time() - max(progress, last_event) > patience.stalled:
            return stored
        await asyncio.sleep(LOOK_EVERY)


def judge(
    contender: Contender, jobs: Mapping[str, float], stored: Mapping[str, Stored], last_fault: float
) -> Outcome:
    """Count the results; `jobs` has the times at which jobs were accepted."""
    found = {job: stored[job] for job in jobs if job in stored}
    took = [it.first - max(jobs[job], last_fault) for job, it in found.items()]
    return Outcome(
        accepted=len(jobs),
        refused=contender.door.refused,
        open_at_last_fault=sum(
            accepted < last_fault and (job not in found or found[job].first > last_fault)
            for job, accepted in jobs.items()
        ),
        lost=len(jobs) - len(found),
        repeated=sum(it.times > 1 for it in found.values()),
        recovery_s=round(max(took), 2) if took and max(took) > 0 else None,
        ended_workers=contender.deaths,
    )
