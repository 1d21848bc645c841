"""Generates the tables of docs/operations/failure-matrix.md from the runs beside it."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import marked
import msgspec

from chaos.cells import GROUPS, KINDS, Kind, Name
from chaos.matrix import Matrix
from chaos.report import MatrixCell, Results

PAGE: Final = Path("docs/operations/failure-matrix.md")
RUNS: Final = Path("docs/operations/chaos")

NONE: Final = "-"

BEGIN: Final = "<!-- Generated from the runs in chaos/ by `./pants docs`; do not edit. -->\n"


def page() -> str:
    """Return the text of the page, with its tables generated again."""
    runs = [
        msgspec.json.decode(path.read_bytes(), type=Results)
        for path in sorted(RUNS.glob("seed-*.json"))
    ]
    groups = [
        msgspec.json.decode(path.read_bytes(), type=Matrix)
        for path in (RUNS / f"matrix-{group}.json" for group in GROUPS)
        if path.exists()
    ]
    parts = (*_alone(groups), "\n", *_broken(groups), *_runs(runs), "\n", *_matrix(runs))
    return marked.replaced(PAGE, BEGIN, "".join(parts))


def _alone(groups: Sequence[Matrix]) -> Iterator[str]:
    yield "| fault | strikes | lasts | result | accepted | lost | duplicated | stuck"
    yield " | recovery | unready after | ready after | slowest answer |\n"
    yield f"| --- | --- | --: | --- |{' --: |' * 8}\n"
    for cell in (it for group in groups for it in group.cells):
        result = "pass" if cell.passed else f"**fail**: {'; '.join(cell.failures)}"
        counts = " | ".join(
            f"{it:,}" for it in (cell.accepted, cell.lost, cell.duplicated, cell.stuck)
        )
        seconds = (cell.recovered_in, cell.unready_in, cell.ready_in, cell.slowest)
        times = " | ".join(map(_seconds, seconds))
        yield f"| {cell.fault} | {cell.strikes} | {_seconds(cell.lasted)}"
        yield f" | {cell.skipped or result} | {counts} | {times} |\n"


def _broken(groups: Sequence[Matrix]) -> Iterator[str]:
    found = {it.rule for group in groups for it in group.violations}
    yield f"Broken rules of the runs of the first table: {'; '.join(sorted(found)) or 'none'}.\n\n"


def _seconds(seconds: float | None) -> str:
    return NONE if seconds is None else f"{seconds:.1f} s"


def _runs(runs: Sequence[Results]) -> Iterator[str]:
    columns = ("accepted", "lost", "duplicates", "succeeded", "failed", "dead letters")
    yield f"| seed | faults | killed | seconds | {' | '.join(columns)} | broken rules |\n"
    yield f"| --- |{' --: |' * (len(columns) + 4)}\n"
    for run in runs:
        counts = " | ".join(f"{run.jobs.get(name, 0):,}" for name in columns)
        broken = "; ".join(it.rule for it in run.violations) or "none"
        yield f"| {run.seed} | {len(run.faults):,} | {run.kills} | {run.seconds:.0f}"
        yield f" | {counts} | {broken} |\n"


def _matrix(runs: Sequence[Results]) -> Iterator[str]:
    yield f"| fault | {' | '.join(kind.replace('_', ' ') for kind in KINDS)} |\n"
    yield f"| --- |{' --- |' * len(KINDS)}\n"
    found = [it for run in runs for it in run.matrix]
    struck = {(it.name, it.server) for it in found}
    for name, server in itertools.product(Name, (None, Kind.QUEUE, Kind.DATABASE)):
        if (name, server) not in struck:
            continue
        cells = (
            _cell([it for it in found if (it.name, it.server, it.kind) == (name, server, kind)])
            for kind in KINDS
        )
        link = "" if server is None else f", link to {server}"
        yield f"| {name}{link} | {' | '.join(cells)} |\n"


def _cell(found: Sequence[MatrixCell]) -> str:
    if not found:
        return NONE
    verdict = "pass" if all(cell.passed for cell in found) else "**fail**"
    alone = max((cell.alone for cell in found if cell.alone is not None), default=None)
    recovery = "" if alone is None else f", {alone:.1f} s"
    times = sum(cell.times for cell in found)
    return f"{verdict}{recovery} ({'once' if times == 1 else f'{times} times'})"
