"""Runs processes side by side: starts them, reports readiness, ends them together."""

import asyncio
import contextlib
import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from mousetrap.runtime import interrupt
from mousetrap.stack import process, readiness
from mousetrap.stack.console import Console
from mousetrap.stack.process import Process

NAME = "up"
SIGNALLED = 128  # a shell adds it to the signal that a program died of
ECHO = 0.3
SERVER_GRACE = 10.0
PATIENCE = 30.0
UNUSABLE: Final = 2
"""The exit code of a process whose settings cannot be used: it would end so again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to run; `health_port` answers `/health/ready`, if it is not None."""

    name: str
    command: Sequence[str | Path]
    env: Mapping[str, str]
    health_port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Programs that must succeed first, then services that run side by side.

    `services` are groups in the order in which they are stopped. The members of a group are
    stopped together, and killed after `grace` seconds. `announcement` is printed once every
    service is ready.
    """

    preparation: Sequence[Program]
    services: Sequence[Sequence[Program]]
    grace: float
    announcement: str


@dataclass(frozen=True, slots=True)
class Restarts:
    """When a service that ended starts again, in seconds.

    The first pause doubles with each further end, up to the `longest`. A service that ran for
    `steady` seconds begins anew. The `most`th restart in a row is the last one.
    """

    first: float = 0.5
    longest: float = 8.0
    steady: float = 30.0
    most: int = 5

    def pause(self, failures: int) -> float:
        """Return the pause after a number of ends in a row, at least one."""
        return min(self.first * 2.0 ** (failures - 1), self.longest)


async def supervise(  # noqa: PLR0913 - each is a collaborator or a plain value
    plan: Plan,
    servers: Sequence[Process],
    *,
    console: Console,
    cwd: Path,
    echo: float = ECHO,
    restarts: Restarts = Restarts(),
) -> int:
    """Run the plan beside `servers`, which run already and are stopped last.

    A process that ends is started again. Returns the exit code: that of `asked` after a stop
    signal; otherwise that of the process that cannot stay up, as a shell reports it, or 1 when that
    was 0. A second stop signal, unless it comes within `echo` seconds of the first, kills
    everything and does not return. To be called on the main thread. Raises StackError.
    """
    return await _Supervisor(plan, servers, console, cwd, (echo, restarts)).run()


@dataclass(frozen=True, slots=True)
class _Member:
    """A process that runs or ran, with its status as Popen reports it."""

    process: Process
    status: asyncio.Future[int]

    async def ended(self) -> int:
        """Wait for the end, and return the status."""
        # A caller may be cancelled, and the future must not be.
        await asyncio.wait({self.status})
        return self.status.result()

    async def stop(self, grace: float) -> bool:
        """Stop it; return whether it ended by itself."""
        self.process.child.send_signal(self.process.end)
        await asyncio.wait({self.status}, timeout=grace)
        if self.status.done():
            return True
        self.process.child.kill()
        await self.ended()
        return False


class _Supervisor:
    def __init__(
        self,
        plan: Plan,
        servers: Sequence[Process],
        console: Console,
        cwd: Path,
        limits: tuple[float, Restarts],
    ) -> None:
        self._plan = plan
        self._console = console
        self._cwd = cwd
        self._echo, self._restarts = limits
        self._members: dict[str, _Member] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._exit_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._interrupted_at: float | None = None
        self._servers = [server.name for server in servers]
        for server in servers:
            self._run(self._keep(self._watch(server), server.again))

    async def run(self) -> int:
        with self._signals():
            self._run(self._bring_up())
            try:
                return await self._exit_code
            finally:
                for task in self._tasks:
                    task.cancel()
                await self._stop_all()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._fail_with)
        self._tasks.append(task)

    async def _bring_up(self) -> None:
        for program in self._plan.preparation:
            status = await self._start(program).ended()
            if status != 0:
                self._fail(program.name, status)
                return
        services = [program for group in self._plan.services for program in group]
        for program in services:
            begin = functools.partial(self._begin, program)
            self._run(self._keep(self._start(program), begin, program.health_port))
        waits = {
            asyncio.create_task(readiness.wait(program.health_port)): program.name
            for program in services
            if program.health_port is not None
        }
        try:
            await self._all_ready(waits)
        finally:
            for task in waits:
                task.cancel()
        self._console.announce(self._plan.announcement)

    async def _keep(
        self, member: _Member, again: Callable[[], Process] | None, port: int | None = None
    ) -> None:
        """Start a process again whenever it ends, until it cannot stay up."""
        name, failures = member.process.name, 0
        waiting: asyncio.Task[None] | None = None
        try:
            while True:
                begin = time.monotonic()
                status = await member.ended()
                if waiting is not None:
                    waiting.cancel()
                steady = time.monotonic() - begin >= self._restarts.steady
                failures = 1 if steady else failures + 1
                if again is None or status == UNUSABLE or failures > self._restarts.most:
                    self._fail(name, status)
                    return
                pause = self._restarts.pause(failures)
                self._console.flush(name)
                self._console.say(
                    NAME, f"{name} {describe(status)}: it starts again in {pause:g} s"
                )
                await asyncio.sleep(pause)
                member = self._watch(again())
                if port is not None:
                    waiting = asyncio.create_task(self._tell_when_ready(name, port))
        finally:
            if waiting is not None:
                waiting.cancel()

    async def _tell_when_ready(self, name: str, port: int) -> None:
        await readiness.wait(port)
        self._console.say(NAME, f"{name} is ready")

    async def _all_ready(self, waits: Mapping[asyncio.Task[None], str]) -> None:
        pending = set(waits)
        while pending:
            _, pending = await asyncio.wait(pending, timeout=PATIENCE)
            if pending:
                names = ", ".join(waits[task] for task in pending)
                self._console.say(NAME, f"still waiting for {names} to be ready")

    def _start(self, program: Program) -> _Member:
        return self._watch(self._begin(program))

    def _begin(self, program: Program) -> Process:
        return process.start(
            program.name,
            program.command,
            output=self._console.open(program.name),
            env=program.env,
            cwd=self._cwd,
            end=signal.SIGTERM,
            death=signal.SIGKILL,
        )

    def _watch(self, started: Process) -> _Member:
        loop = asyncio.get_running_loop()
        status: asyncio.Future[int] = loop.create_future()

        def wait() -> None:
            ended = started.child.wait()
            with contextlib.suppress(RuntimeError):  # Ctrl-C has closed the loop before
                loop.call_soon_threadsafe(status.set_result, ended)

        threading.Thread(target=wait, daemon=True).start()
        member = self._members[started.name] = _Member(started, status)
        return member

    def _fail(self, name: str, status: int) -> None:
        if not self._exit_code.done():
            self._console.flush(name)
            self._console.say(NAME, f"{name} {describe(status)}: stopping everything")
            self._exit_code.set_result(exit_code(status))

    def _fail_with(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._exit_code.done():
            self._exit_code.set_exception(error)

    async def _stop_all(self) -> None:
        preparation = [program.name for program in self._plan.preparation]
        await self._stop(preparation, self._plan.grace)
        for group in self._plan.services:
            await self._stop([program.name for program in group], self._plan.grace)
        await self._stop(self._servers, SERVER_GRACE)

    async def _stop(self, names: Sequence[str], grace: float) -> None:
        members = [self._members[name] for name in names if name in self._members]
        ended = await asyncio.gather(*(member.stop(grace) for member in members))
        for member, by_itself in zip(members, ended, strict=True):
            self._console.flush(member.process.name)
            if not by_itself:
                self._console.say(NAME, f"{member.process.name} did not end, so it was killed")

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in stop_signals()}
        for number in before:
            loop.add_signal_handler(number, self._interrupt, number)
        try:
            yield
        finally:
            # asyncio leaves Python's own handlers behind; that of Ctrl-C would print a traceback.
            signal.pthread_sigmask(signal.SIG_BLOCK, before)
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, before)

    def _interrupt(self, number: signal.Signals) -> None:
        now = time.monotonic()
        if self._interrupted_at is None:
            self._interrupted_at = now
            self._console.say(NAME, "stopping")
            if not self._exit_code.done():
                self._exit_code.set_result(asked(number))
        elif now - self._interrupted_at > self._echo:
            # One request may arrive twice: timeout(1) signals its child and then its group.
            self._kill_all(number)

    def _kill_all(self, number: signal.Signals) -> NoReturn:
        for member in self._members.values():
            member.process.child.kill()
        self._console.say(NAME, "killed")
        os._exit(SIGNALLED + number)


def stop_signals() -> list[signal.Signals]:
    """Return the signals that ask this process to stop."""
    # Under nohup, SIGHUP is ignored.
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


def asked(number: int) -> int:
    """Return the exit code after a stop signal: 130 after Ctrl-C, 0 after any other."""
    return interrupt.CODE if number == signal.SIGINT else 0


def describe(status: int) -> str:
    """Describe the end of a process from its status as Popen reports it."""
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def exit_code(status: int) -> int:
    """Return the exit code after the unexpected end of a process."""
    return SIGNALLED - status if status < 0 else status or 1
