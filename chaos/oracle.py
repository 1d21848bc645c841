"""The rules that must hold once the system has healed, whatever the faults were."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from chaos.cells import LEASE, OF_CLOCKS, Cell, Kind, Name
from chaos.evidence import Evidence, Job, Memory
from chaos.load import Look, Submission
from chaos.sources import HONEST, SOURCES, SUCCEEDED
from chaos.strike import Strike
from mousetrap.api.live.summary_cache import STALENESS

SLACK: Final = 48 * 1024 * 1024
"""The allowed growth of a process in bytes: its last reads, and its allocator's cache."""
VALKEY_SLACK: Final = 4 * 1024 * 1024
SHOWN: Final = 5
ID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

UNCERTAINTY: Final = 0.5
"""Seconds: a commit is seen a little after the time that it tells."""
SETTLED: Final = 5.0
FORGETS: Final = {Name.FLUSH, Name.FLUSHES, Name.EVICTION, Name.WRONG_TYPE}
"""Faults of Redis that delete messages which nobody has read."""

LATE_COMMITS: Final = {
    *OF_CLOCKS,
    *(Name.FREEZE, Name.STANDSTILL, Name.LOCK, Name.CRASH, Name.DISK),
}
"""Faults of Postgres due to which a commit may be seen long after the time that it tells."""

LIMITS: Final = {
    Kind.API: 5.0,
    Kind.FETCH: LEASE + 5.0,
    Kind.QUEUE: 10.0,
    Kind.PROCESS: LEASE + 5.0,
    Kind.FOLLOW_UP: LEASE + 5.0,
    Kind.DATABASE: 30.0,
}
"""Seconds that recovery may take."""


def limit(cell: Cell) -> float:
    """Return the seconds that recovery from a fault may take."""
    return LIMITS[cell.server or cell.kind]


@dataclass(frozen=True, slots=True)
class Promises:
    """The answers to callers: see Load."""

    accepted: Mapping[UUID, Submission]
    ended: Mapping[UUID, str]
    flaws: Sequence[str]
    looks: Sequence[Look] = ()


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that does not hold, the number of cases, and some of the evidence."""

    rule: str
    times: int
    evidence: Sequence[str]


def judge(
    evidence: Evidence,
    promises: Promises,
    strikes: Sequence[Strike],
    misdeeds: Sequence[str],
    baseline: Memory,
) -> list[Violation]:
    """Return the rules that do not hold."""
    found: dict[str, list[str]] = {
        "a job was accepted": [] if promises.accepted else ["none was"],
        "no accepted job is lost": list(_lost(evidence, promises)),
        "every job has ended": list(_queued(evidence)),
        "a job that succeeded has one summary and its batch, any other none": list(
            _results(evidence)
        ),
        "what follows a summary is done": list(evidence.unfollowed),
        "jobs of good sources succeed": list(_failed(evidence)),
        "what has ended stays as it was": list(_changed(evidence, promises)),
        "no job ends twice": list(_twice(evidence)),
        "dead letters are the poison": list(_innocents(evidence, strikes)),
        "the poison is in the dead letters": list(_unburied(evidence, strikes)),
        "nothing is left in the queue": [f"{k}: {v}" for k, v in evidence.left.items() if v],
        "consumers that are gone are forgotten": list(evidence.strays),
        "the newest summary is what was requested last": list(_outdated(evidence)),
        f"no answer of GET / is more than {STALENESS:g} s old": list(
            _stale(evidence, promises, strikes)
        ),
        "answers are right, or 503 with Retry-After": list(promises.flaws),
        "processes end when they are asked to, in good order": list(misdeeds),
        "memory is back at its baseline": list(_grown(evidence.memory, baseline)),
    }
    return [Violation(rule, len(them), them[:SHOWN]) for rule, them in found.items() if them]


def unfair(evidence: Evidence) -> list[str]:
    """Return the jobs that failed although their source is not to blame."""
    return [
        f"{_named(job_id, job)}: {job.error_detail}"
        for job_id, job in evidence.jobs.items()
        if job.state != "queued" and job.outcome not in SOURCES[job.source].outcomes
    ]


def _failed(evidence: Evidence) -> Iterator[str]:
    for job_id, job in evidence.jobs.items():
        if job.source in HONEST and job.error_code is not None:
            yield f"{_named(job_id, job)}: {job.error_detail}"


def _lost(evidence: Evidence, promises: Promises) -> Iterator[str]:
    for job_id, submission in promises.accepted.items():
        job = evidence.jobs.get(job_id)
        if job is None:
            yield f"{job_id} of {submission.source} is not in the database"
        elif job.state == "queued":
            yield _named(job_id, job)


def _changed(evidence: Evidence, promises: Promises) -> Iterator[str]:
    for job_id, state in promises.ended.items():
        if (job := evidence.jobs.get(job_id)) is not None and job.state != state:
            yield f"{_named(job_id, job)}, had {state}"


def _queued(evidence: Evidence) -> Iterator[str]:
    return (_named(key, job) for key, job in evidence.jobs.items() if job.state == "queued")


def _results(evidence: Evidence) -> Iterator[str]:
    for job_id, job in evidence.jobs.items():
        if not job.summaries == job.batches == (job.state == SUCCEEDED):
            yield f"{_named(job_id, job)}: {job.summaries} summaries, {job.batches} batches"


def _twice(evidence: Evidence) -> Iterator[str]:
    return (f"{key}: {times} times" for key, times in evidence.logged.ended.items() if times > 1)


def _innocents(evidence: Evidence, strikes: Sequence[Strike]) -> Iterator[str]:
    markers = {marker.encode() for strike in strikes for marker in strike.markers}
    for letter in evidence.letters:
        if markers.isdisjoint(ID.findall(letter.body)):
            yield f"{letter.queue}: {letter.reason}: {letter.body[:200]!r}"


def _unburied(evidence: Evidence, strikes: Sequence[Strike]) -> Iterator[str]:
    buried = {marker for letter in evidence.letters for marker in ID.findall(letter.body)}
    flushed_at = max((it.ended_at for it in strikes if it.fault.cell.name in FORGETS), default=0)
    for strike in strikes:
        if strike.began_at > flushed_at:  # earlier poison may have been flushed
            yield from (marker for marker in strike.markers if marker.encode() not in buried)


def _outdated(evidence: Evidence) -> Iterator[str]:
    for source, (shown, right) in evidence.newest.items():
        if shown != right:
            yield f"{source}: {shown} is shown in the place of {right}"


def _stale(evidence: Evidence, promises: Promises, strikes: Sequence[Strike]) -> Iterator[str]:
    ended: dict[str, list[tuple[float, int]]] = {}
    for job_id, submission in promises.accepted.items():
        job = evidence.jobs.get(job_id)
        if job is None or job.state != SUCCEEDED or job.finished_at is None:
            continue
        # Otherwise the clock of Postgres was set.
        if job.finished_at > submission.submitted_at - UNCERTAINTY:
            ended.setdefault(job.source, []).append((job.finished_at, job.sequence))
    unsure = [
        (it.began_at - SETTLED, it.ended_at + SETTLED)
        for it in strikes
        if it.fault.cell.name in LATE_COMMITS and it.fault.cell.kind is Kind.DATABASE
    ]
    for look in promises.looks:
        if any(begin < look.asked_at < end for begin, end in unsure):
            continue
        before = look.asked_at - STALENESS - UNCERTAINTY
        known = max((n for at, n in ended.get(look.source, ()) if at < before), default=0)
        seen = None if look.job_id is None else evidence.jobs.get(look.job_id)
        shown = 0 if seen is None else seen.sequence
        if shown < known:
            yield f"{look.source} at {look.asked_at:.1f}: job {shown} in the place of {known}"


def _grown(now: Memory, baseline: Memory) -> Iterator[str]:
    for kind, rss in now.rss.items():
        if rss > baseline.rss[kind] + SLACK:
            yield f"{kind}: {baseline.rss[kind]} bytes have become {rss}"
    if now.valkey > baseline.valkey + VALKEY_SLACK:
        yield f"valkey: {baseline.valkey} bytes have become {now.valkey}"


def _named(job_id: UUID, job: Job) -> str:
    return f"{job_id} of {job.source}, {job.outcome} after {job.attempts} attempts"
