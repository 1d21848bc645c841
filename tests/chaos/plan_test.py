import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.plan import KILLS, OTHERS, OUTAGES, REPLICAS, plan, weight

SEEDS = st.integers(0, 2**64)


@given(SEEDS, st.integers(0, 300), st.floats(1, 3600))
def test_same_seed_gives_the_same_faults(seed: int, kills: int, seconds: float) -> None:
    assert plan(seed, kills=kills, seconds=seconds) == plan(seed, kills=kills, seconds=seconds)


@given(SEEDS)
def test_another_seed_gives_other_faults(seed: int) -> None:
    assert plan(seed, kills=20, seconds=60) != plan(seed + 1, kills=20, seconds=60)


@given(SEEDS, st.integers(0, 300), st.floats(1, 3600), st.booleans())
def test_kills_are_as_many_as_wanted_and_within_the_storm(
    seed: int, kills: int, seconds: float, survey: bool  # noqa: FBT001 - hypothesis chooses it
) -> None:
    made = plan(seed, kills=kills, seconds=seconds, survey=survey)

    assert sum(map(weight, [*made.survey, *made.storm])) >= kills
    assert all(0 <= fault.at <= seconds for fault in made.storm)
    assert list(made.storm) == sorted(made.storm, key=lambda fault: fault.at)
    assert all(
        fault.replica is None or fault.replica < REPLICAS[fault.cell.kind] for fault in made.storm
    )


def test_survey_tries_every_cell_once() -> None:
    made = plan(1, kills=0, seconds=1)

    cells = [fault.cell for fault in made.survey]
    assert len(cells) == len(set(cells))
    assert set(cells) == {*KILLS, *OUTAGES, *OTHERS}


@pytest.mark.parametrize("seed", range(5))
def test_short_storm_has_every_kind_of_fault(seed: int) -> None:
    made = plan(seed, kills=40, seconds=30, survey=False)

    assert {fault.cell for fault in made.storm} == {*KILLS, *OTHERS}
