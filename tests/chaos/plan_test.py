import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.cells import EVERYTHING, KILLS, OTHERS, OUTAGES, REPLICAS, SURROUNDINGS, Name
from chaos.plan import OTHERS_PER_KILL, matrix, plan, weight

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

    cells = [fault.cell for fault in made.storm]
    assert {*KILLS, *OTHERS} <= set(cells)
    drawn = [it for it in cells if it in SURROUNDINGS]
    assert len(drawn) == len(set(drawn)) == round(40 * OTHERS_PER_KILL)


def test_matrix_tries_every_cell_and_nothing_at_the_same_time() -> None:
    made = matrix(1)

    assert {fault.cell for fault in made.survey} == set(EVERYTHING)
    assert not made.storm
    assert {it.lasts for it in made.survey if it.cell.name is Name.BLACKHOLE} == {5, 30, 60}
