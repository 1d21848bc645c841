"""The protocol of jobs keeps its promises in every interleaving, and needs each mechanism."""

import re
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

from model import fetch_worker, job, mechanisms, promises, reconciler, report, streams
from model.explorer import CYCLE, Exploration, explore
from model.mechanisms import MECHANISMS
from model.protocol import Protocol

# Coverage is that of `src`, and tracing the model takes as long again as exploring it.
pytestmark = pytest.mark.no_cover

HOSTILE: Final = Protocol(hostile=True, requests=2)
"""A queue that loses, repeats and delays as it likes, and any number of deaths."""

ROUNDS: Final = Protocol(hostile=True, attempts=2, retries=1)
STREAMS: Final = Protocol()
HEALTHY: Final = Protocol(faults=0)
SMALL: Final = Protocol(attempts=2, workers=1)

PROTOCOLS: Final = {
    "hostile": HOSTILE,
    "rounds": ROUNDS,
    "streams": STREAMS,
    "poisoned-requests": Protocol(poisoned="fetch"),
    "poisoned-outcomes": Protocol(poisoned="process", attempts=2),
}

BROKEN: Final = {
    mechanisms.COMMIT_BEFORE_ANSWER: (SMALL, promises.NO_JOB),
    mechanisms.IDEMPOTENCY_KEY: (HOSTILE, promises.TWO_JOBS),
    mechanisms.STATE_OF_SUCCESS: (HOSTILE, promises.TWO_ENDS),
    mechanisms.ROUND_OF_SUCCESS: (ROUNDS, promises.EARLIER_ROUND),
    mechanisms.LOCK_OF_SUCCESS: (HOSTILE, promises.TWO_ENDS),
    mechanisms.ONE_TRANSACTION: (HOSTILE, promises.HALF_AN_END),
    mechanisms.COMPARISON: (HOSTILE, promises.TWO_ENDS),
    mechanisms.LAST_ATTEMPT: (replace(HOSTILE, attempts=2), promises.TOO_MANY),
    mechanisms.SEND_FIRST: (SMALL, reconciler.NOT_LOST),
    mechanisms.STORE_FIRST: (SMALL, reconciler.NOT_LOST),
    mechanisms.LEASE: (HEALTHY, fetch_worker.TWICE),
    mechanisms.RECLAIMING: (SMALL, promises.ENDLESS),
    mechanisms.LIMIT: (replace(SMALL, faults=0, poisoned="fetch"), CYCLE),
    mechanisms.GROUP: (SMALL, promises.ENDLESS),
    mechanisms.DELETION: (SMALL, promises.ENDLESS),
    mechanisms.INDEX: (HEALTHY, reconciler.NOT_LOST),
    mechanisms.PRUNING: (SMALL, promises.ENDLESS),
    mechanisms.RECONCILER: (SMALL, promises.ENDLESS),
    mechanisms.COMMIT_BEFORE_SENDING: (SMALL, reconciler.NOT_LOST),
    mechanisms.LOCK_OF_CLAIM: (SMALL, streams.SENT_TWICE),
    mechanisms.COUNTING: (SMALL, streams.SENT_TWICE),
    mechanisms.TAKING_BACK: (Protocol(faults=2, workers=1), streams.SENT_TWICE),
    mechanisms.NEWEST: (SMALL, job.UNTRIED),
    mechanisms.NUMBERED_LETTERS: (Protocol(faults=2, workers=1), job.UNTRIED),
}


PAGE: Final = Path("docs/model.md")


@cache
def explored(name: str) -> Exploration:
    return explore(PROTOCOLS[name])


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_job_ends_exactly_once_in_every_interleaving(name: str) -> None:
    found = explored(name).counterexample

    assert found is None, report.text(found)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_promise_is_broken_without(mechanism: str) -> None:
    protocol, promise = BROKEN[mechanism]

    found = explore(replace(protocol, without=frozenset({mechanism}))).counterexample

    assert found is not None
    print(report.text(found))  # noqa: T201 - `pytest -s` shows the shortest run of each
    assert found.promise == promise


def test_a_run_is_told_step_by_step() -> None:
    found = explore(replace(HEALTHY, without=frozenset({mechanisms.INDEX}))).counterexample

    assert found is not None
    first, *steps = report.text(found).splitlines()
    assert first == f"{reconciler.NOT_LOST}:"
    assert [" ".join(it.split()) for it in steps] == [
        "1 API: gets a request no job",
        "2 API: commits the job queued, attempt 1",
        "3 API: sends the request, and answers queued, attempt 1",
        "4 reconciler: finds a job without a message queued, attempt 1",
    ]


def test_an_unknown_mechanism_is_refused() -> None:
    with pytest.raises(ValueError, match="no mechanism: luck"):
        Protocol(without=frozenset({"luck"}))


def test_page_tells_the_size_of_each_exploration() -> None:
    page = PAGE.read_text("utf-8")

    for name in PROTOCOLS:
        assert f"| {explored(name).states:,} |" in page, name


def test_page_has_every_step() -> None:
    table = PAGE.read_text("utf-8").partition("| step | code |")[2]
    rows = re.findall(r"^\| (\w.*) \| .* \|$", table, re.MULTILINE)
    told = [step for row in rows for step in row.split("; ")]

    assert len(told) == len(set(told))
    assert set(told) == frozenset().union(*(explored(name).names for name in PROTOCOLS))


def test_page_has_every_mechanism() -> None:
    page = PAGE.read_text("utf-8")

    assert all(f"| {name} | {rule} |" in page for name, rule in MECHANISMS.items())


def test_code_that_the_page_names_exists() -> None:
    names = re.findall(r"`(mousetrap\.[a-z_.]+)\.([A-Z]\w+\.)?(\w+)`", PAGE.read_text("utf-8"))

    assert len(names) > 20
    for module, owner, name in names:
        found: object = import_module(module)
        if owner:
            found = getattr(found, owner.removesuffix("."))
        assert callable(getattr(found, name)), name
