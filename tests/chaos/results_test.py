"""A fault that had no effect fails, and so does one after which the system took too long."""

from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from chaos import matrix, report
from chaos.cells import Cell, Kind, Name
from chaos.driver import Outcome
from chaos.evidence import Evidence, Job, Logged, Memory
from chaos.load import Load, Submission
from chaos.plan import Fault
from chaos.strike import Strike

JOB = UUID(int=1)
MEMORY = Memory({}, 0)
EVIDENCE = Evidence(
    jobs={JOB: Job("place", 1, "succeeded", 1, 43.0, None, None, 1, 1)},
    letters=[],
    left={},
    strays=[],
    unfollowed=[],
    newest={},
    memory=MEMORY,
    logged=Logged(Counter(), Counter()),
)
STRIKE = Strike(
    Fault(Cell(Name.LOCK, Kind.DATABASE), 0, 30, None, 0),
    began_at=10,
    ended_at=40,
    touched=1,
    alone=True,
    expected=frozenset({Kind.API}),
    unready_in=2.6,
    ready_in=1.0,
    slowest=5.1,
)


RESETS = Cell(Name.RESETS, Kind.API, Kind.DATABASE)


def outcome(*strikes: Strike) -> Outcome:
    load = Load([], seed=1, per_second=1)
    load.submissions.append(Submission("1", "place", 41.0, JOB))
    return Outcome(strikes, load, {}, MEMORY, EVIDENCE, 1.0, [])


def failures(**changes: Any) -> list[str]:
    [cell] = matrix.results(1, 60.0, outcome(replace(STRIKE, **changes)), {}).cells
    return list(cell.failures)


def storm(*touched: int, alone: bool = False) -> bool:
    """Return whether a fault passes that touched so much each time that it came."""
    fault = replace(STRIKE.fault, cell=RESETS)
    strikes = [replace(STRIKE, fault=fault, touched=it, alone=alone) for it in touched]
    return report.results(1, 60.0, outcome(*strikes)).matrix[0].passed


def test_a_fault_that_was_withstood_passes() -> None:
    assert failures() == []


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"touched": 0}, "it touched nothing"),
        ({"slowest": 8.1}, "a request took 8.1 s"),
        ({"unready_in": None}, "a process that could not work was ready"),
        ({"unready_in": 6.0}, "a process that could not work was ready for 6.0 s"),
        ({"ready_in": None}, "not every process was ready again"),
        ({"ready_in": 36.0}, "all processes were ready after 36.0 s"),
        ({"flaws": ["GET / was answered 500"]}, "GET / was answered 500"),
    ],
)
def test_a_fault_that_was_not_withstood_fails(changes: dict[str, Any], failure: str) -> None:
    assert failures(**changes) == [failure]


def test_a_fault_of_a_storm_that_came_often_and_touched_nothing_fails() -> None:
    assert storm(0)
    assert storm(*[0] * report.OFTEN, 1)
    assert not storm(*[0] * report.OFTEN)
    assert not storm(0, alone=True)
