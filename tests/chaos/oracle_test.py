"""Each rule finds what it is there for, and nothing in a run without a flaw."""

import dataclasses
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from chaos.cells import Cell, Kind, Name
from chaos.evidence import Evidence, Job, Letter, Logged, Memory
from chaos.load import Look, Submission
from chaos.oracle import Promises, judge
from chaos.plan import Fault
from chaos.strike import Recoveries, Strike

RESULTS = "a job that succeeded has one summary and its batch, any other none"

WELL, ILL = UUID(int=1), UUID(int=2)
MARKER = str(UUID(int=3))

SUCCEEDED = Job("place", 1, "succeeded", 1, 12.0, None, None, 1, 1)
FAILED = Job("empty", 2, "failed", 1, 13.0, "empty-batch", "nothing", 0, 0)
POISON = Strike(Fault(Cell(Name.POISON, Kind.FETCH), 0, 0, None, 0), 10, 11, 6, [MARKER])
MEMORY = Memory({Kind.API: 80_000_000}, 2_000_000)

EVIDENCE = Evidence(
    jobs={WELL: SUCCEEDED, ILL: FAILED},
    letters=[Letter("mousetrap:fetch", "unknown", MARKER.encode())],
    left={"mousetrap:fetch": 0},
    strays=[],
    unfollowed=[],
    newest={"place": (str(WELL), str(WELL))},
    memory=MEMORY,
    logged=Logged(Counter({str(WELL): 1}), Counter()),
)
ACCEPTED = {
    WELL: Submission("1", "place", 11.5, WELL),
    ILL: Submission("2", "empty", 11.6, ILL),
}
KEPT = Promises(ACCEPTED, {WELL: "succeeded"}, [])


def broken(promises: Promises = KEPT, misdeeds: tuple[str, ...] = (), **changes: Any) -> set[str]:
    found = judge(dataclasses.replace(EVIDENCE, **changes), promises, [POISON], misdeeds, MEMORY)
    return {violation.rule for violation in found}


def job(**changes: Any) -> dict[UUID, Job]:
    return {WELL: dataclasses.replace(SUCCEEDED, **changes), ILL: FAILED}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert broken() == set()


@pytest.mark.parametrize("look", [Look(15.4, "place", None), Look(20, "place", WELL)])
def test_answers_of_what_may_not_be_known_yet_are_right(look: Look) -> None:
    assert broken(Promises(ACCEPTED, {WELL: "succeeded"}, [], [look])) == set()


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("no accepted job is lost", {"jobs": {ILL: FAILED}}),
        ("no accepted job is lost", {"jobs": job(state="queued", summaries=0)}),
        ("every job has ended", {"jobs": job(state="queued", summaries=0)}),
        (RESULTS, {"jobs": job(summaries=2)}),
        (RESULTS, {"jobs": job(summaries=0)}),
        (RESULTS, {"jobs": job(batches=0)}),
        ("jobs of good sources succeed", {"jobs": job(state="failed", error_code="lost")}),
        (
            "what has ended stays as it was",
            {"promises": Promises(ACCEPTED, {ILL: "succeeded"}, [])},
        ),
        ("no job ends twice", {"logged": Logged(Counter({str(WELL): 2}), Counter())}),
        ("dead letters are the poison", {"letters": [Letter("q", "why", str(WELL).encode())]}),
        ("the poison is in the dead letters", {"letters": []}),
        ("nothing is left in the queue", {"left": {"mousetrap:fetch": 1}}),
        ("what follows a summary is done", {"unfollowed": ["alert of 1: queued"]}),
        ("consumers that are gone are forgotten", {"strays": ["one"]}),
        ("the newest summary is what was requested last", {"newest": {"place": ("a", "b")}}),
        (
            "answers are right, or 503 with Retry-After",
            {"promises": Promises(ACCEPTED, {}, ["500"])},
        ),
        (
            "no answer of GET / is more than 3 s old",
            {"promises": Promises(ACCEPTED, {}, [], [Look(15.6, "place", None)])},
        ),
        ("a job was accepted", {"promises": Promises({}, {}, [])}),
        ("processes end when they are asked to, in good order", {"misdeeds": ("one crashed",)}),
        ("memory is back at its baseline", {"memory": Memory({Kind.API: 180_000_000}, 0)}),
        ("memory is back at its baseline", {"memory": Memory({}, 200_000_000)}),
    ],
)
def test_each_rule_finds_what_breaks_it(rule: str, changes: dict[str, Any]) -> None:
    assert rule in broken(**changes)


@pytest.mark.parametrize("name", [Name.FLUSH, Name.FLUSHES, Name.EVICTION, Name.WRONG_TYPE])
def test_poison_may_be_gone_with_the_data_of_redis(name: Name) -> None:
    forgets = Strike(Fault(Cell(name, Kind.QUEUE), 0, 0, None, 0), 10, 12, 1)
    evidence = dataclasses.replace(EVIDENCE, letters=[])

    assert judge(evidence, KEPT, [POISON, forgets], (), MEMORY) == []


def test_recovery_is_the_first_success_of_what_was_submitted_after_the_fault() -> None:
    submissions = [
        Submission("before", "place", 10.9, UUID(int=10)),
        Submission("slow", "place", 11.1, UUID(int=11)),
        Submission("quick", "place", 11.2, UUID(int=12)),
        Submission("failed", "empty", 11.3, UUID(int=13)),
        Submission("refused", "place", 11.4),
    ]
    jobs = {
        UUID(int=10): dataclasses.replace(SUCCEEDED, finished_at=11.15),
        UUID(int=11): dataclasses.replace(SUCCEEDED, finished_at=19.0),
        UUID(int=12): dataclasses.replace(SUCCEEDED, finished_at=13.0),
        UUID(int=13): dataclasses.replace(FAILED, finished_at=11.4),
    }

    assert Recoveries(submissions, jobs).after(POISON) == 2.0
    assert Recoveries([], jobs).after(POISON) is None
