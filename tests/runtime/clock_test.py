import pytest

from mousetrap.runtime import clock
from mousetrap.runtime.clock import ServerClock


class Steady:
    """The steady clock of this process."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Steady:
    found = Steady()
    monkeypatch.setattr(clock, "time", found)
    return found


@pytest.mark.parametrize("step", [-86_400, -3600, -30, -2, 0, 0.5, 2, 30, 3600])
def test_steps_are_told_once(steady: Steady, step: float) -> None:
    watched = ServerClock()
    assert watched.step(1000, 100) == 0
    steady.now = 110.0

    assert watched.step(1010 + step, 110) == (step if abs(step) > 1 else 0)

    steady.now = 120.0
    assert watched.step(1020 + step, 120) == 0


def test_a_slow_answer_is_no_step(steady: Steady) -> None:
    watched = ServerClock()
    steady.now = 105.0
    assert watched.step(1000, 100) == 0  # read at any time between
    steady.now = 115.0

    assert watched.step(1015, 110) == 0
    steady.now = 120.0
    assert watched.step(1015, 116) == 0
