"""The table of a run: for people, and as JSON."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from attack.case import Kind, Outcome, Result
from bench import machine, tables
from bench.machine import Machine


@dataclass(frozen=True, slots=True)
class Results:
    """A whole run; `enforced` tells whether cgroups limited the memory of a system of its own."""

    machine: Machine
    seconds: float
    enforced: bool | None
    outcomes: Sequence[Outcome]

    @property
    def failed(self) -> bool:
        """Tell whether an attack did not hold."""
        return any(it.result is Result.NOT_HELD for it in self.outcomes)


def results(
    seconds: float, outcomes: Sequence[Outcome], *, enforced: bool | None = None
) -> Results:
    """Assemble the results."""
    return Results(machine.look(), round(seconds, 1), enforced, outcomes)


def text(found: Results) -> str:
    """Return a table of the kinds, and every attack that did not hold or was not tried."""
    rows = [[kind, *_counts(kind, found.outcomes)] for kind in Kind]
    rows = [row for row in rows if row[1] != "0"]
    counts = Counter(it.result for it in found.outcomes)
    tried = sum(counts.values()) - counts[Result.NOT_TRIED]
    total = f"{tried} attacks tried, {counts[Result.HELD]} held, in {found.seconds:.0f} s"
    table = tables.console(tables.Table("kind", ["tried", "held", "NOT held", "not tried"], rows))
    return "\n".join([table, *_listed(found.outcomes), total, ""])


def _counts(kind: Kind, outcomes: Sequence[Outcome]) -> Iterator[str]:
    counts = Counter(it.result for it in outcomes if it.kind is kind)
    yield str(counts[Result.HELD] + counts[Result.NOT_HELD])
    yield from (str(counts[it]) for it in (Result.HELD, Result.NOT_HELD, Result.NOT_TRIED))


def _listed(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for result in (Result.NOT_TRIED, Result.NOT_HELD):
        for it in outcomes:
            if it.result is result:
                finding = f" ({it.finding})" if it.finding else ""
                yield f"{result}: {it.kind}: {it.name}{finding}: {it.reason}"
