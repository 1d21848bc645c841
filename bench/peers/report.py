"""The tables of a comparison, as Markdown."""

from collections.abc import Iterator, Sequence
from typing import Final

from bench.peers.results import Outcome, Results
from bench.results import OURS
from bench.tables import Table, markdown, spread

TITLES: Final = {
    "worker-killed": "a worker killed, then no traffic",
    "workers-killed": "workers killed at random",
    "server-killed": "Valkey killed",
    "flushed": "`FLUSHALL`",
}


def tables(results: Results) -> str:
    """Return all tables, and the machine."""
    parts = [_table(results), _speeds(results), _faults(results)]
    return "\n".join([*_machine(results), *(line for it in parts for line in ("", *it)), ""])


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
    yield f"| lost / repeated / seconds | {' | '.join(titles)} |"
    yield f"| --- |{' --- |' * len(titles)}"
    for name in (OURS, *results.matches):
        cells = [_cell(scenario.outcomes[name]) for scenario in results.scenarios]
        yield f"| {_label(results, name)} | {' | '.join(cells)} |"


def _speeds(results: Results) -> Iterator[str]:
    rows = [
        [
            _label(results, name),
            *_beside([it.drain for it in match.theirs], [it.drain for it in match.ours]),
            *_beside([it.rush for it in match.theirs], [it.rush for it in match.ours]),
        ]
        for name, match in results.matches.items()
    ]
    head = ["a backlog, jobs/s", OURS, "ratio", "a rush, jobs/s", OURS, "ratio"]
    yield from markdown(Table("beside mousetrap", head, rows)).splitlines()


def _beside(theirs: Sequence[float], ours: Sequence[float]) -> list[str]:
    ratios = [mine / yours for mine, yours in zip(ours, theirs, strict=True)]
    return [spread(theirs), spread(ours), spread(ratios)]


def _label(results: Results, name: str) -> str:
    versions = results.versions.get(name, {})
    return ", ".join(f"{package} {version}" for package, version in versions.items()) or name


def _cell(outcome: Outcome) -> str:
    lost = f"**{outcome.lost}**" if outcome.lost else "0"
    seconds = "-" if outcome.recovery_s is None else f"{outcome.recovery_s:.1f}"
    return f"{lost} / {outcome.repeated} / {seconds}"


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
