"""`./pants run tests/bench/__main__.py`: what the system takes, beside what it would take bare."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from bench import (
    acceptance,
    history,
    images,
    latest,
    memory,
    pipeline,
    report,
    scale,
    soak,
    system,
)
from bench.pipeline import Work
from bench.report import Results
from bench.system import System
from chaos import sources


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: rounds of `GET /` of so many seconds, of `POST /refresh` for so many
    jobs, and of so much work.
    """

    rounds: int
    seconds: float
    jobs: int
    work: Sequence[Work]


FULL: Final = Sizes(5, 1.0, 600, [Work("100-points", 150, 8), Work("1-point", 150, 8)])
QUICK: Final = Sizes(2, 0.5, 100, [Work("100-points", 50, 5), Work("1-point", 50, 5)])


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return 0, or 1 when something is larger than it may be."""
    options = _parser().parse_args(arguments)
    if options.images:
        rows = images.measure()
        sys.stdout.write(report.sizes(rows))
        return _judge(images.flaws(rows))
    if sys.platform != "linux":
        sys.stderr.write("bench: processor time and memory are what Linux tells: run it there\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="mousetrap-bench-") as folder:
        if options.soak is not None:
            return _soak(Path(folder), options.soak, options.json)
        if options.scale is not None:
            return _scale(Path(folder), options.scale, options.json)
        results = _measure(Path(folder), QUICK if options.quick else FULL)
    sys.stdout.write(report.text(results))
    _save(results, options.json)
    return _judge(memory.flaws(results.memory))


def _soak(root: Path, jobs: int, json: Path | None) -> int:
    before = report.machine()
    sys.stdout.write(report.soak_head(before))
    with (
        sources.served(root) as path,
        system.running(root / "soak", path) as running,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(soak.perform(running, jobs, _show))
    sys.stdout.write(report.soak_foot(found))
    _save(report.Soaked(before, found), json)
    return _judge(soak.flaws(found.samples))


def _scale(root: Path, rows: int, json: Path | None) -> int:
    before = report.machine()
    with (
        system.running(root / "scale") as running,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(scale.perform(running, rows, _progress))
    sys.stdout.write(report.scaled(before, found))
    _save(report.Scaled(before, found), json)
    return 0


def _progress(rows: int) -> None:
    sys.stderr.write(f"bench: {rows:,} rows\n")


def _show(sample: soak.Sample) -> None:
    sys.stdout.write(report.sample(sample))
    sys.stdout.flush()


def _save(results: object, path: Path | None) -> None:
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")


def _judge(flaws: Sequence[str]) -> int:
    sys.stderr.writelines(f"bench: {flaw}\n" for flaw in flaws)
    return 1 if flaws else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="Measure Mousetrap on this machine.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument(
        "--images", action="store_true", help="measure the size of the images, and nothing else"
    )
    parser.add_argument(
        "--soak",
        type=_jobs,
        metavar="JOBS",
        help="push so many jobs through the system, watch its memory, and nothing else",
    )
    parser.add_argument(
        "--scale",
        type=_rows,
        metavar="ROWS",
        help="ask of tables with so many jobs and summaries, beside small ones, and nothing else",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to FILE")
    return parser


def _jobs(text: str) -> int:
    jobs = int(text)
    if jobs < soak.SAMPLES:
        raise argparse.ArgumentTypeError(f"must be {soak.SAMPLES} at least")
    return jobs


def _rows(text: str) -> int:
    rows = int(text)
    if rows < 2 * scale.FEW:
        raise argparse.ArgumentTypeError(f"must be {2 * scale.FEW} at least")
    return rows


def _measure(root: Path, sizes: Sizes) -> Results:
    machine = report.machine()
    idle = memory.measure(root / "up")
    with (
        system.running(root / "bench") as running,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        get, accepted, through = runner.run(_compare(running, sizes))
    return Results(machine, get, accepted, through, idle)


async def _compare(running: System, sizes: Sizes) -> tuple[
    dict[str, dict[str, list[latest.Round]]],
    dict[str, list[latest.Round]],
    dict[str, dict[str, list[pipeline.Round]]],
]:
    mousetrap = await running.mousetrap()
    await pipeline.perform(mousetrap, Work("100-points", jobs=1, singles=1))
    get = await latest.compare(running, mousetrap, count=sizes.rounds, seconds=sizes.seconds)
    await pipeline.perform(mousetrap, Work("1-point", jobs=history.LIMIT, singles=1))
    get["GET /summaries"] = await history.compare(
        running, mousetrap, count=sizes.rounds, seconds=sizes.seconds
    )
    bare = await running.stages()
    accepted = await acceptance.compare(mousetrap, bare, count=sizes.rounds, jobs=sizes.jobs)
    through = {
        work.source: await pipeline.compare(mousetrap, bare, work, count=sizes.rounds)
        for work in sizes.work
    }
    return get, accepted, through


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
