"""Tries again during an outage, with an end."""

from typing import Any

import pytest

from mousetrap.runtime.retry import retry

OUTAGES = (ConnectionError,)


class Step:
    """Raises `troubles` one after the other, and then succeeds."""

    def __init__(self, *troubles: Exception) -> None:
        self._troubles = list(troubles)
        self.calls = 0

    async def __call__(self) -> None:
        self.calls += 1
        if self._troubles:
            raise self._troubles.pop(0)


async def test_a_step_is_repeated_until_the_outage_is_over(events: list[Any]) -> None:
    step = Step(ConnectionError("away"), ConnectionError("away"))

    await retry(step, "sending", on=OUTAGES, patience=60)

    assert step.calls == 3
    assert [it["event"] for it in events] == [
        "sending does not work, trying again",
        "sending works again",
    ]


async def test_patience_has_an_end() -> None:
    step = Step(ConnectionError("away"))

    with pytest.raises(ConnectionError):
        await retry(step, "sending", on=OUTAGES, patience=-1)

    assert step.calls == 1


async def test_nothing_is_given_up_against_a_veto() -> None:
    step = Step(ConnectionError("away"), ConnectionError("away"))
    answers = iter([False, True])

    async def may_give_up(_: Exception) -> bool:
        return next(answers)

    with pytest.raises(ConnectionError):
        await retry(step, "sending", on=OUTAGES, patience=-1, may_give_up=may_give_up)

    assert step.calls == 2


async def test_other_errors_are_raised_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        await retry(Step(ZeroDivisionError()), "sending", on=OUTAGES, patience=60)
