"""A short storm of every kind of fault; `./pants chaos` makes a long one."""

import asyncio
import sys
from pathlib import Path

import pytest

from chaos import driver, report
from chaos.plan import plan

pytestmark = pytest.mark.usefixtures("untraced")

# The same faults in every run: ./pants chaos --seed 1 --kills 15 --minutes 0.3 --no-survey
SEED = 1
KILLS = 15
SECONDS = 18.0


@pytest.mark.skipif(sys.platform != "linux", reason="it goes by what Linux tells of processes")
@pytest.mark.timeout(300)
def test_promises_are_kept_whatever_is_killed(tmp_path: Path) -> None:
    planned = plan(SEED, kills=KILLS, seconds=SECONDS, survey=False)

    outcome = asyncio.run(
        driver.perform(planned, seed=SEED, per_second=10, root=tmp_path, say=print)
    )

    assert outcome.violations == [], report.text(report.results(SEED, SECONDS, outcome))
