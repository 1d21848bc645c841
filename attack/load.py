"""H1 to H5 at once, at the memory limits of production, while another caller is served."""

import asyncio
import contextlib
import math
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from attack import hostile_feeds
from attack.caller import Experience
from attack.errors import AttackError
from attack.feed_server import answer
from attack.floods import FILL, JOBS
from attack.slowness import LARGE, SLOW
from attack.system import System
from attack.target import Target
from bench import load as bench_load
from bench import machine, usage
from bench.machine import Machine
from chaos import driver
from mousetrap.settings.source_kinds import GeojsonSettings

PYTHON_PATH: Final = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
CALLER: Final = "127.9.9.9"
CALLERS: Final = "read-refresh-metrics"
ATTACKERS: Final = "read-refresh-operate"
"""The tokens of the other caller and of all attackers: strangers would not get that far."""
P99: Final = 0.25
"""The most seconds that one in a hundred of the other caller's requests may take."""
DRAINED_WITHIN: Final = 400.0
"""Seconds; the jobs of one source over HTTP begin a second apart, by default."""
NAME: Final = "\U0001f42d" * 50

READERS: Final = 330
REPLAYS: Final = 200
NEVER: Final = 40
PACE: Final = 0.001
"""Seconds between two pieces of an endless message: some 10 MB/s, and time for other attacks."""
TRAILERS: Final = b"".join(b"t%05d: a\r\n" % i for i in range(1000))


@dataclass(slots=True)
class Progress:
    """The attacks so far: how often each was begun, and the jobs that were accepted."""

    begun: dict[str, int] = field(default_factory=dict)
    accepted: set[UUID] = field(default_factory=set)

    def count(self, name: str) -> None:
        """Count an attempt of an attack."""
        self.begun[name] = self.begun.get(name, 0) + 1


@dataclass(frozen=True, slots=True)
class LoadResults:
    """The figures; latencies in seconds, None when more than 1 % of requests had no answer."""

    machine: Machine
    enforced: bool
    seconds: float
    requests: int
    unanswered: int
    calm_p99: float | None
    p50: float | None
    p99: float | None
    attacks: dict[str, int]
    accepted: int
    unfinished: int
    drained_in: float | None
    ended_processes: Sequence[str]
    peak: dict[str, int]

    @property
    def failed(self) -> bool:
        """Tell whether the other caller, a job or a process suffered."""
        slow = self.p99 is None or self.p99 > P99
        return slow or self.unfinished > 0 or bool(self.ended_processes)


async def perform(system: System, seconds: float, say: Callable[[str], None]) -> LoadResults:
    """Attack for some seconds, then wait until every accepted job has ended."""
    system.feeds.replies["/heavy"] = _heavy()
    await _prepare(system)
    calm = (await _experience(system, min(seconds, 5.0))).latencies
    say(f"calm: p99 {_ms(_percentile(calm, 99))}")
    progress, ends, peak = Progress(), system.ends, dict[str, int]()
    async with _attacking(system, progress, peak):
        await asyncio.sleep(2)
        found = await _experience(system, seconds)
    latencies = found.latencies
    progress.accepted.update(found.jobs)
    say(f"attacked: p99 {_ms(_percentile(latencies, 99))}; now the jobs may end")
    drained_in, unfinished = await _drained(system, progress)
    return LoadResults(
        machine=machine.look(),
        enforced=system.enforced,
        seconds=seconds,
        requests=len(latencies),
        unanswered=sum(it is None for it in latencies),
        calm_p99=_percentile(calm, 99),
        p50=_percentile(latencies, 50),
        p99=_percentile(latencies, 99),
        attacks=dict(sorted(progress.begun.items())),
        accepted=len(progress.accepted),
        unfinished=unfinished,
        drained_in=drained_in,
        ended_processes=system.misdeeds[ends:],
        peak=peak,
    )


def text(found: LoadResults) -> str:
    """Return the figures for people."""
    attacks = ", ".join(f"{name} {count} times" for name, count in found.attacks.items())
    peaks = ", ".join(f"{name} {size / 2**20:.0f} MiB" for name, size in found.peak.items())
    how = "" if found.enforced else ", but not by cgroups, which this user may not make"
    drained = "not in time" if found.drained_in is None else f"after {found.drained_in:.0f} s"
    lines = [
        f"memory is limited{how}; peaks: {peaks}",
        f"attacks in {found.seconds:.0f} s: {attacks}",
        f"GET / of another caller: {found.requests} requests, {found.unanswered} unanswered",
        f"its latency: p50 {_ms(found.p50)}, p99 {_ms(found.p99)}, at most {P99 * 1e3:.0f} ms",
        f"its latency before the attacks: p99 {_ms(found.calm_p99)}",
        f"jobs: {found.accepted} accepted, {found.unfinished} not ended, drained {drained}",
        *(f"NOT SO: {it}" for it in found.ended_processes),
        "NOT held" if found.failed else "held",
    ]
    return "\n".join([*lines, ""])


async def _prepare(system: System) -> None:
    """Store a summary for `GET /`, and a history long enough for replays to cost something."""
    await system.job("demo")
    async with system.database() as database:
        await database.execute(FILL, JOBS)


async def _experience(system: System, seconds: float) -> Experience:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "attack.caller", str(system.guarded.port), str(seconds), CALLER),
        system.tokens[CALLERS],
        env=os.environ | {"PYTHONPATH": PYTHON_PATH},
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await child.communicate()
    if child.returncode != 0:
        raise AttackError(f"the other caller ended with status {child.returncode}")
    return msgspec.json.decode(printed, type=Experience)


@contextlib.asynccontextmanager
async def _attacking(
    system: System, progress: Progress, peak: dict[str, int]
) -> AsyncIterator[None]:
    target = replace(system.guarded, token=system.tokens[ATTACKERS])
    work: list[Coroutine[Any, Any, None]] = [
        *(_again(_trailers, target, progress) for _ in range(2)),
        *(_again(_reader, target, progress) for _ in range(READERS)),
        *(_again(_replay, target, progress) for _ in range(REPLAYS)),
        *(_again(_heavy_refresh, target, progress) for _ in range(6)),
        *(_again(_never_refresh, target, progress) for _ in range(NEVER)),
        _again(_fill_backlog, target, progress),
        _watch(system, peak),
    ]
    tasks = [asyncio.create_task(it) for it in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


Attack = Callable[[Target, Progress], Coroutine[Any, Any, None]]


async def _again(attack: Attack, target: Target, progress: Progress) -> None:
    """Repeat an attack until it is cancelled; a server that refuses it is asked again soon."""
    while True:
        progress.count(attack.__name__.strip("_").replace("_", " "))
        with contextlib.suppress(OSError, TimeoutError):
            await attack(target, progress)
        await asyncio.sleep(0.5)


async def _trailers(target: Target, _: Progress) -> None:
    """H1."""
    head = target.request("POST /refresh", {"Transfer-Encoding": "chunked"}, keep=True)
    async with target.connected(source="127.1.0.1") as wire:
        await wire.send(head.replace(b"Content-Length: 0\r\n", b"") + b"0\r\n")
        going = True
        while going:
            going = await wire.send(TRAILERS)
            await asyncio.sleep(PACE)


async def _reader(target: Target, _: Progress) -> None:
    """H2."""
    request = target.request(f"GET {LARGE}", keep=True)
    async with target.connected(source="127.1.0.2", window=SLOW) as wire:
        await wire.send(request * 4)
        await asyncio.sleep(30)


async def _replay(target: Target, _: Progress) -> None:
    """H3."""
    async with target.connected(source="127.1.0.3") as wire:
        await wire.send(target.request("GET /events", {"Last-Event-ID": "0"}, keep=True))
        await wire.receive(seconds=2)


async def _heavy_refresh(target: Target, progress: Progress) -> None:
    """H4."""
    await _refresh(target, progress, "heavy", "127.1.0.4")


async def _never_refresh(target: Target, progress: Progress) -> None:
    """H5: a source that never answers."""
    await _refresh(target, progress, "never", "127.1.0.5")


async def _fill_backlog(target: Target, progress: Progress) -> None:
    """H5: a client that fills the backlog."""
    for _ in range(100):
        await _refresh(target, progress, "flooded", "127.1.0.6")


async def _refresh(target: Target, progress: Progress, source: str, address: str) -> None:
    body = f'{{"source":"{source}"}}'.encode()
    found = await target.ask("POST /refresh", body=body, source=address, seconds=5)
    if found.status == 202:
        progress.accepted.add(UUID(found.json["job_id"]))


async def _watch(system: System, peak: dict[str, int]) -> None:
    """Record the largest memory of each process."""
    while True:
        for member in system.members:
            if member.lives:
                size = usage.family_memory(member.pid).rss
                peak[member.name] = max(peak.get(member.name, 0), size)
        await asyncio.sleep(1)


async def _drained(system: System, progress: Progress) -> tuple[float | None, int]:
    """Return the seconds until every accepted job had ended, and how many have not."""
    start = time.monotonic()

    async def ended() -> bool:
        return await _unfinished(system, progress) == 0

    if await driver.until(ended, within=DRAINED_WITHIN):
        return round(time.monotonic() - start, 1), 0
    return None, await _unfinished(system, progress)


async def _unfinished(system: System, progress: Progress) -> int:
    query = "SELECT count(*) FROM job WHERE id = ANY ($1) AND state <> 'queued'"
    async with system.database() as database:
        ended = await database.fetchval(query, [*progress.accepted])
    return len(progress.accepted) - int(ended)


def _heavy() -> bytes:
    """Return nearly the largest feed that the default bounds of a source permit."""
    most = GeojsonSettings(url="http://127.0.0.1/")
    one = hostile_feeds.feature("NAME").replace(b"NAME", NAME.encode())
    count = min(most.max_points, most.max_bytes // (len(one) + 1) - 1)
    return answer(hostile_feeds.collection(*([one] * count)))


def _percentile(latencies: Sequence[float | None], percent: int) -> float | None:
    found = sorted(math.inf if it is None else it for it in latencies)
    if not found or not any(map(math.isfinite, found)):
        return None
    [value] = bench_load.percentiles([min(it, 1e9) for it in found], percent)
    return round(value, 4) if value < 1e6 else None


def _ms(seconds: float | None) -> str:
    return "without an answer" if seconds is None else f"{seconds * 1e3:.0f} ms"
