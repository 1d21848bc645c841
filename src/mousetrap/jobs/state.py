"""The states of a job: `queued`, then `succeeded` or `failed`; only a person requeues it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


SUCCESSORS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.QUEUED: frozenset({State.SUCCEEDED, State.FAILED}),
        State.SUCCEEDED: frozenset(),
        State.FAILED: frozenset({State.QUEUED}),
    }
)


def predecessors(state: State) -> frozenset[State]:
    """Return the states from which a job may enter `state`."""
    return frozenset(before for before, after in SUCCESSORS.items() if state in after)
