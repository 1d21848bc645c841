"""Whether goals are met is said by the figures alone."""

from pathlib import Path

import msgspec
import pytest

from bench import goals, tables
from bench.goals import Goal, least, most
from bench.peers.results import Match, Speed
from bench.results import Results


@pytest.mark.parametrize(
    ("bound", "ours", "met"),
    [
        (least(0.8), [8, 9, 1], True),
        (least(0.8), [7, 9, 1], False),
        (most(1.5), [15, 1, 99], True),
        (most(1.5), [16, 1, 99], False),
    ],
)
def test_the_median_of_the_ratios_decides(
    bound: goals.Bound, ours: list[float], *, met: bool
) -> None:
    goal = Goal("it", bound, ours, "bare", [10, 10, 10])

    assert goal.figures == [it / 10 for it in ours]
    assert goal.met is met


def test_without_a_yardstick_the_median_itself_decides() -> None:
    goal = Goal("RSS", most(0.25), [0.3, 0.2, 0.2])

    assert goal.met
    assert goals.table([goal]).rows == [["RSS", "0.2 (0.2-0.3)", "", "", "≤ 0.25", "met"]]


def test_a_ratio_is_one_of_neighbouring_rounds() -> None:
    [row] = goals.table([Goal("it", least(0.8), [1, 20, 300], "bare", [2, 40, 600])]).rows

    assert row == ["it", "20 (1-300)", "bare: 40 (2-600)", "0.5 (0.5-0.5)", "≥ 0.8", "not met"]


def test_the_fastest_peer_is_the_one_to_be_ahead_of() -> None:
    def speeds(*drains: float) -> list[Speed]:
        return [Speed(rush=1, drain=it) for it in drains]

    slow = Match(ours=speeds(50, 60), theirs=speeds(1, 1000))
    fast = Match(ours=speeds(70, 80), theirs=speeds(600, 700))

    goal = goals.ahead({"slow": slow, "fast": fast})

    assert (goal.yardstick, goal.ours) == ("fast", [70, 80])
    assert not goal.met


def test_memory_is_flat_only_through_enough_jobs() -> None:
    assert [it.met for it in goals.flat(28_800, [1.0, 1.05])] == [False, True]
    assert [it.met for it in goals.flat(1_000_000, [1.0, 1.2])] == [True, False]


def test_every_row_of_the_table_has_a_figure_in_the_results_of_one_run() -> None:
    results = msgspec.json.decode(
        Path("docs/benchmarks/performance.json").read_bytes(), type=Results
    )

    found = [*goals.of(results)]

    assert all(goal.ours for goal in found)
    assert all(len(row) == len(goals.table(found).head) + 1 for row in goals.table(found).rows)


def test_markdown_has_a_rule_and_columns_of_figures_to_the_right() -> None:
    table = tables.Table("it", ["a", "b"], [["x", "1", "2"]])

    assert tables.markdown(table) == "| it | a | b |\n| --- | --: | --: |\n| x | 1 | 2 |\n"


def test_columns_on_the_console_are_as_wide_as_they_have_to_be() -> None:
    table = tables.Table("it", ["a", "bb"], [["longer", "100", ""]])

    assert tables.console(table) == "it        a  bb\nlonger  100\n"
