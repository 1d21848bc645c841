"""The report for people: figures of both sides and their ratios."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench import goals, images, sections, soak, tables
from bench.machine import Machine
from bench.results import Results
from bench.tables import Table, megabytes


@dataclass(frozen=True, slots=True)
class Soaked:
    """A soak test, and the machine."""

    machine: Machine
    soak: soak.Soak


def text(results: Results) -> str:
    """Return all tables, the goals last."""
    found = [*sections.tables(results), goals.table([*goals.of(results)])]
    return "\n".join([f"{results.machine}\n", *map(tables.console, found)])


def sizes(rows: Sequence[images.Row]) -> str:
    """Return the table of the images."""
    head = ["base", "dependencies", "sources", "over base: ratio", "limit"]
    body = [
        [
            row.name,
            *(megabytes(size) for size in (row.base, row.dependencies, row.sources)),
            f"{megabytes(row.ours)}: {row.ours / row.base:.2f}",
            megabytes(row.limit),
        ]
        for row in rows
    ]
    return tables.console(Table("Images, MB", head, body))


def soak_head(here: Machine) -> str:
    """Return the head of the samples of a soak test."""
    names = [f"{name}, MB" for name in ("api", "fetch", "process", "valkey")]
    held = ("fetch", "process", "dead", "waiting", "keys")
    return f"{here}\n\n{_sample('jobs', 'seconds', *names, *held)}\n"


def sample(it: soak.Sample) -> str:
    """Return a sample of a soak test: RSS of the processes, then the content of Valkey."""
    held = (f"{count}" for count in it.valkey.values())
    seconds = f"{it.seconds:.0f}"
    return f"{_sample(f'{it.jobs:,}', seconds, *map(megabytes, it.rss.values()), *held)}\n"


def soak_foot(it: soak.Soak) -> str:
    """Return the result of a soak test."""
    rates = f"{it.jobs / it.seconds:.0f} jobs/s, callers were told to come back {it.refused} times"
    growths = [f"{name} {last / second:.3f}" for name, second, last in soak.growths(it.samples)]
    return f"\n{rates}\nlast quarter to second quarter: {', '.join(growths)}\n"


def _sample(*cells: str) -> str:
    return "".join(f"{cell:>12}" for cell in cells)
