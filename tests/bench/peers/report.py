"""The tables of a comparison, as Markdown."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Final

from bench.peers.results import Outcome, Results

TITLES: Final = {
    "worker-killed": "a worker killed, then no traffic",
    "workers-killed": "workers killed at random",
    "server-killed": "Valkey killed",
    "flushed": "`FLUSHALL`",
}


def tables(results: Results) -> str:
    """Return all tables, with what they were measured on."""
    return "\n".join([*_machine(results), "", *_table(results), "", *_faults(results), ""])


def _machine(results: Results) -> Iterator[str]:
    terms = results.terms
    yield (
        f"Measured on {results.date} with CPython {results.python} on {results.processors}"
        f" processors ({results.architecture}), load average before: {results.load}."
        f" Lease {terms.lease_s} s; load {terms.jobs_per_s} jobs/s for {terms.load_s:g} s;"
        f" the source takes {terms.source_takes_s * 1000:g} ms."
    )


def _table(results: Results) -> Iterator[str]:
    titles = [TITLES[scenario.name] for scenario in results.scenarios]
    columns = ["lost / repeated / seconds", *titles, "a backlog, jobs/s", "a rush, jobs/s"]
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for name, speeds in results.speeds.items():
        versions = results.versions.get(name, {})
        label = ", ".join(f"{package} {version}" for package, version in versions.items()) or name
        cells = [_cell(scenario.outcomes[name]) for scenario in results.scenarios]
        cells += [_speed(speeds.drain), _speed(speeds.rush)]
        yield f"| {label} | {' | '.join(cells)} |"


def _cell(outcome: Outcome) -> str:
    lost = f"**{outcome.lost}**" if outcome.lost else "0"
    seconds = "-" if outcome.recovery_s is None else f"{outcome.recovery_s:.1f}"
    return f"{lost} / {outcome.repeated} / {seconds}"


def _speed(rounds: list[float]) -> str:
    return f"{statistics.median(rounds):.0f} ({min(rounds):.0f}-{max(rounds):.0f})"


def _faults(results: Results) -> Iterator[str]:
    yield "| scenario | faults, seconds after the first job | open | refused | ended workers |"
    yield "| --- | --- | --- | --- | --- |"
    for scenario in results.scenarios:
        faults = "; ".join(f"{it.after_s:g}: {it.what}" for it in scenario.faults)
        by_name = scenario.outcomes.items()
        counts = (
            [(name, it.open_at_last_fault) for name, it in by_name],
            [(name, it.refused) for name, it in by_name],
            [(name, it.ended_workers) for name, it in by_name],
        )
        yield f"| {TITLES[scenario.name]} | {faults} | {' | '.join(map(_who, counts))} |"


def _who(counts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts if count) or "none"
