"""Explores all interleavings, the shortest runs first, and judges every state."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from model import api, fetch_worker, hostile, process_worker, promises, reconciler, redis
from model.protocol import Protocol
from model.state import State, Worker, canonical, canonical_of_hostile
from model.step import Step, Steps

CYCLE: Final = "a run without faults need not end"


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A promise that is broken, and the shortest run that breaks it.

    With a `cycle`, the run may go on like that for ever.
    """

    promise: str
    run: Sequence[Step]
    cycle: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Exploration:
    """The number of states and steps that were seen, the names of all steps, and the result."""

    states: int
    steps: int
    names: frozenset[str]
    counterexample: Counterexample | None = None


def steps(state: State, protocol: Protocol) -> Steps:
    """Yield every step that can follow a state."""
    yield from api.steps(state, protocol)
    yield from reconciler.steps(state, protocol)
    if protocol.hostile:
        yield from hostile.steps(state, protocol)
        return
    yield from fetch_worker.steps(state, protocol)
    yield from process_worker.steps(state, protocol)
    yield from redis.steps(state)


def explore(protocol: Protocol) -> Exploration:
    """Explore a protocol until a promise is broken, or until every state is known."""
    return _Explorer(protocol).explore()


class _Explorer:
    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        workers = (Worker(),) * protocol.workers
        first = State(
            requests=protocol.requests,
            retries=protocol.retries,
            fetchers=workers,
            processors=workers,
        )
        self._states = [first]
        self._numbers = {first: 0}
        # By the number of a state: the state before, and the healthy steps that lead elsewhere.
        self._before = [0]
        self._healthy: list[list[int]] = []
        self._names: set[str] = set()
        self._steps = 0

    def explore(self) -> Exploration:
        number = 0
        while number < len(self._states):
            if promise := promises.broken(self._states[number], self._protocol):
                return self._result(Counterexample(promise, self._run(number)))
            self._expand(number)
            number += 1
        return self._result(None if self._protocol.hostile else self._unended())

    def _result(self, found: Counterexample | None) -> Exploration:
        return Exploration(len(self._states), self._steps, frozenset(self._names), found)

    def _expand(self, number: int) -> None:
        healthy = []
        for step in self._following(self._states[number]):
            self._steps += 1
            self._names.add(step.name)
            known = self._numbers.get(step.state)
            if known is None:
                known = self._numbers[step.state] = len(self._states)
                self._states.append(step.state)
                self._before.append(number)
            if not step.fault and known != number:
                healthy.append(known)
        self._healthy.append(healthy)

    def _following(self, state: State) -> Iterator[Step]:
        for step in steps(state, self._protocol):
            after = step.state
            if self._protocol.hostile:
                yield step._replace(state=canonical_of_hostile(after))
            elif not step.fault:
                yield step._replace(state=canonical(after))
            elif state.faults < self._protocol.faults:
                after = after._replace(faults=state.faults + 1)
                yield step._replace(state=canonical(after))

    def _unended(self) -> Counterexample | None:
        """Return a run that never ends its job although nothing goes wrong any more.

        States are taken away that have no healthy step but to states that were taken away. Those
        without any have to have ended. If all are gone there is no cycle, so every run without
        faults is finite.
        """
        into: list[list[int]] = [[] for _ in self._states]
        left = [len(set(after)) for after in self._healthy]
        for number, after in enumerate(self._healthy):
            for it in set(after):
                into[it].append(number)
        ready = deque(number for number, count in enumerate(left) if not count)
        for number in ready:
            if promise := promises.unkept(self._states[number]):
                return Counterexample(promise, self._run(number))
        taken = 0
        while ready:
            taken += 1
            for it in into[ready.popleft()]:
                left[it] -= 1
                if not left[it]:
                    ready.append(it)
        if taken == len(self._states):
            return None
        return self._cycle({number for number, count in enumerate(left) if count})

    def _cycle(self, among: set[int]) -> Counterexample:
        """Return a run into a cycle: each of these states has a step to another one of them."""
        number = min(among)
        path: dict[int, int] = {}
        while number not in path:
            path[number] = len(path)
            number = next(it for it in self._healthy[number] if it in among)
        walked = list(path)
        cycle = walked[path[number] :]
        around = [
            self._step(one, two) for one, two in zip(cycle, (*cycle[1:], cycle[0]), strict=True)
        ]
        return Counterexample(CYCLE, self._run(number), around)

    def _run(self, number: int) -> Sequence[Step]:
        numbers = [number]
        while numbers[-1]:
            numbers.append(self._before[numbers[-1]])
        numbers.reverse()
        return [self._step(one, two) for one, two in pairwise(numbers)]

    def _step(self, one: int, two: int) -> Step:
        after = self._states[two]
        return next(it for it in self._following(self._states[one]) if it.state == after)
