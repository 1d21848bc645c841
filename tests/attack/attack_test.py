"""A part of the attacks, against a whole system; `./pants attack` tries all of them."""

import asyncio
import sys
from pathlib import Path

import pytest

from attack import catalogue, report, runner, system
from attack.case import Attack, Kind, Outcome

pytestmark = pytest.mark.usefixtures("untraced")

WHOLE = (Kind.FRAMING, Kind.CROSS_SITE, Kind.AUTHENTICATION, Kind.IDEMPOTENCY)
EVERY_TENTH = (Kind.SIZES, Kind.PARAMETERS, Kind.PATHS, Kind.FEEDS, Kind.POISON, Kind.ROLES)


@pytest.mark.skipif(sys.platform != "linux", reason="attackers use addresses only Linux has")
@pytest.mark.timeout(300)
def test_attacks_do_no_harm(tmp_path: Path) -> None:
    chosen = [it for it in catalogue.attacks() if it.quick and it.kind in WHOLE]
    for kind in EVERY_TENTH:
        chosen += [it for it in catalogue.attacks(kind) if it.quick][::10]

    outcomes = asyncio.run(attacked(tmp_path, chosen))

    found = report.results(0, outcomes)
    assert not found.failed, report.text(found)


async def attacked(root: Path, chosen: list[Attack]) -> list[Outcome]:
    async with system.running(root) as running:
        return await runner.run(chosen, running.open, print)
