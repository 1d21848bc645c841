"""One step of one process, or one fault."""

from collections.abc import Iterator
from typing import NamedTuple

from model.state import State, bit


class Step(NamedTuple):
    """An action of a kind of process, the state that it leads to, and whether it is a fault.

    The `detail` is for people who read a run.
    """

    actor: str
    action: str
    state: State
    fault: bool = False
    detail: str = ""

    @property
    def name(self) -> str:
        """The name under which docs/model.md has it."""
        return f"{self.actor}: {self.action}"


Steps = Iterator[Step]


def broken(state: State, promise: str) -> State:
    """Return a state in which a promise is broken."""
    return state._replace(memory=state.memory._replace(broken=promise))


def dies(actor: str, step: str, state: State, *, fault: bool = True) -> Step:
    """Return the step in which a process dies before its next one, and is started again."""
    return Step(actor, "dies", state, fault, f"before it would {step}")


def tried(state: State, attempt: int) -> State:
    """Remember that an attempt had its chance."""
    memory = state.memory
    return state._replace(memory=memory._replace(tried=memory.tried | bit(attempt)))
