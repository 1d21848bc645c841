"""`./pants bench`: measures the system beside yardsticks."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from bench import (
    acceptance,
    backlog,
    drain,
    fairness,
    geography,
    goals,
    growth,
    history,
    images,
    large,
    largest,
    latency,
    machine,
    memory,
    newest,
    options,
    pipeline,
    report,
    scale,
    soak,
    starts,
    streams,
    system,
    tables,
    workers,
)
from bench.builds import comparison
from bench.builds import report as builds
from bench.errors import BenchError
from bench.machine import Machine
from bench.pipeline import Work
from bench.results import BARE, BATCHED, OURS, Results
from bench.system import System
from chaos import sources


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of rounds, and the length or size of a round."""

    requests: int
    """rounds of requests: many short ones, because other load on the machine comes and goes"""
    seconds: float
    """of `GET`"""
    jobs: int
    """of `POST /refresh`"""
    rounds: int
    """of the pipeline"""
    work: Sequence[Work]
    backlog: int
    latency_rounds: int
    latency_seconds: float
    starts: int
    summaries: int


FULL: Final = Sizes(
    requests=15,
    seconds=0.4,
    jobs=300,
    rounds=5,
    work=[Work("100-points", 150, 8), Work("1-point", 150, 8)],
    backlog=4000,
    latency_rounds=9,
    latency_seconds=4.0,
    starts=5,
    summaries=9,
)
QUICK: Final = Sizes(
    requests=2,
    seconds=0.4,
    jobs=100,
    rounds=2,
    work=[Work("100-points", 50, 3), Work("1-point", 50, 3)],
    backlog=200,
    latency_rounds=2,
    latency_seconds=2.0,
    starts=1,
    summaries=2,
)


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return 0, or 1 when a limit is exceeded."""
    given = options.parse(arguments)
    if given.images:
        rows = images.measure()
        sys.stdout.write(report.sizes(rows))
        return _judge(images.flaws(rows))
    if sys.platform != "linux":
        sys.stderr.write("bench: reading processor time and memory needs Linux\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="mousetrap-bench-") as folder:
        return _run(given, Path(folder))


def _run(given: argparse.Namespace, folder: Path) -> int:
    if given.largest:
        return _largest(folder, given.json)
    if given.large:
        return _large(folder, 1 if given.quick else large.ROUNDS, given.json)
    if given.builds:
        return _builds(folder, 1 if given.quick else 3, given.json)
    for name, run in ALONE.items():
        if (size := getattr(given, name)) is not None:
            return run(folder, size, given.json)
    results = _measure(folder, QUICK if given.quick else FULL)
    sys.stdout.write(report.text(results))
    _save(results, given.json)
    return _judge(memory.flaws(results.memory))


@contextmanager
def _running(root: Path, configured: Path | None = None) -> Iterator[tuple[System, asyncio.Runner]]:
    """Run the servers, and an event loop like the API's for the measurement."""
    with (
        system.running(root, configured) as running,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        yield running, runner


def _builds(root: Path, count: int, json: Path | None) -> int:
    before = machine.look()
    try:
        found = builds.Built(before, *comparison.perform(root, count))
    except BenchError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    sys.stdout.write(growth.text(before, builds.table(found)))
    _save(found, json)
    return 0


def _largest(root: Path, json: Path | None) -> int:
    before, found = machine.look(), largest.measure(root)
    sys.stdout.write(growth.text(before, largest.table(found)))
    _save(found, json)
    return _judge(largest.flaws(found))


def _large(root: Path, count: int, json: Path | None) -> int:
    before = machine.look()
    found = large.measure(root, count, lambda it: _say(f"{it}\n"))
    sys.stdout.write(growth.text(before, large.table(found)))
    _save(found, json)
    return _judge(large.flaws(found))


def _soak(root: Path, jobs: int, json: Path | None) -> int:
    before = machine.look()
    sys.stdout.write(report.soak_head(before))
    with sources.served(root) as path, _running(root / "soak", path) as (running, runner):
        found = runner.run(soak.perform(running, jobs, lambda it: _say(report.sample(it))))
    sys.stdout.write(report.soak_foot(found))
    _save(report.Soaked(before, found), json)
    return _judge(soak.flaws(found.samples))


def _scale(root: Path, rows: int, json: Path | None) -> int:
    before = machine.look()
    with _running(root / "scale") as (running, runner):
        found = runner.run(scale.perform(running, rows, _progress))
    sys.stdout.write(growth.text(before, growth.rows(found), [growth.filled(found)]))
    _save(growth.Scaled(before, found), json)
    return 0


def _backlog(root: Path, jobs: int, json: Path | None) -> int:
    before = machine.look()
    _say(f"{before}\n\n{growth.backlog_head()}")
    with _running(root / "backlog") as (running, runner):
        found = runner.run(backlog.perform(running, jobs, lambda it: _say(growth.backlog_line(it))))
    sys.stdout.write("\n".join(["", *growth.backlog_facts(found), ""]))
    _save(growth.Backlog(before, found), json)
    return _judge(backlog.flaws(found))


def _workers(root: Path, jobs: int, json: Path | None) -> int:
    before, rounds = machine.look(), []
    for number, count in enumerate(workers.plan()):
        with _running(root / str(number)) as (running, runner):
            rounds.append(runner.run(workers.perform(running, count, jobs)))
        sys.stderr.write(f"bench: {count} workers of each kind\n")
    sys.stdout.write(growth.text(before, growth.workers_table(rounds)))
    _save(growth.Workers(before, rounds), json)
    return 0


def _streams(root: Path, clients: int, json: Path | None) -> int:
    before = machine.look()
    with _running(root / "streams") as (running, runner):
        found = runner.run(streams.perform(running, clients))
    sys.stdout.write(growth.text(before, growth.streams_table(found), growth.streams_facts(found)))
    _save(growth.Listeners(before, found), json)
    return _judge(streams.flaws(found))


def _fairness(root: Path, jobs: int, json: Path | None) -> int:
    before = machine.look()
    with (
        fairness.served(root) as path,
        _running(root / "fairness", path) as (running, runner),
    ):
        found = runner.run(fairness.perform(running, jobs))
    sys.stdout.write(f"{before}\n\n{tables.console(goals.table([fairness.goal(found)]))}")
    _save(found, json)
    return _judge(fairness.flaws(found))


ALONE: Final = {
    "fairness": _fairness,
    "soak": _soak,
    "scale": _scale,
    "backlog": _backlog,
    "workers": _workers,
    "streams": _streams,
}
"""Measurements that run alone, by the option that names their size."""


def _progress(rows: int) -> None:
    sys.stderr.write(f"bench: {rows:,} rows\n")


def _say(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


def _save(results: object, path: Path | None) -> None:
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")


def _judge(flaws: Sequence[str]) -> int:
    sys.stderr.writelines(f"bench: {flaw}\n" for flaw in flaws)
    return 1 if flaws else 0


def _measure(root: Path, sizes: Sizes) -> Results:
    here = machine.look()
    with _running(root / "bench") as (running, runner):
        found = runner.run(_compare(running, sizes, here))
    # Last: a process that compiles what it imports keeps up to 15 MB of the compiler's memory.
    return replace(found, memory=memory.measure(root / "up"))


async def _compare(running: System, sizes: Sizes, here: Machine) -> Results:
    count, seconds = sizes.requests, sizes.seconds
    mousetrap = await running.mousetrap()
    await pipeline.perform(mousetrap, Work("100-points", jobs=1, singles=1))
    requests = await newest.compare(running, mousetrap, count=count, seconds=seconds)
    await pipeline.perform(mousetrap, Work("1-point", jobs=history.LIMIT, singles=1))
    requests["GET /summaries"] = await history.compare(
        running, mousetrap, count=count, seconds=seconds
    )
    bare, batched = await running.stages("bench.stages"), await running.stages("bench.batched")
    requests |= await acceptance.compare(mousetrap, bare, count=count, jobs=sizes.jobs)
    stages = {OURS: mousetrap, BARE: bare}
    return Results(
        machine=here,
        requests=requests,
        pipeline={
            work.source: await pipeline.compare(mousetrap, bare, work, count=sizes.rounds)
            for work in sizes.work
        },
        drain=await drain.compare(
            {**stages, BATCHED: batched}, count=sizes.rounds, jobs=sizes.backlog
        ),
        latency=await latency.compare(
            stages, count=sizes.latency_rounds, seconds=sizes.latency_seconds
        ),
        geo=await geography.compare(running.root, count=sizes.summaries),
        starts=await starts.compare(running, count=sizes.starts),
        memory=[],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
