"""A process that faults strike, restarted as by an orchestrator."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from bench import usage
from chaos.cells import Kind
from mousetrap.stack import ports, supervisor
from mousetrap.stack.process import Process

LISTENS_WITHIN: Final = 20.0
ENDS_WITHIN: Final = 15.0
"""The grace of the processes, and the deadlines of the calls that they wait for after it."""


class Member:
    """One of our processes; the context manager `launch` starts it and waits for its end.

    A server is ready when `launch` is entered; other processes listen on `port` a little later. A
    fault holds the `lock` until the process is whole again. `misdeeds` lists unexpected ends. While
    it is `doomed` its end is expected, and it is not started again.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        launch: Callable[[], AbstractContextManager[Process]],
        *,
        port: int | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.port = port
        self.lock = asyncio.Lock()
        self.misdeeds: list[str] = []
        self.starts = 0
        self.doomed = False
        self._launch = launch
        self._stack = contextlib.ExitStack()
        self._frozen: list[int] = []
        self._asked = False
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def process(self) -> Process:
        """The running process."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process

    @property
    def pid(self) -> int:
        """The id of the running process."""
        return self.process.child.pid

    @property
    def lives(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.child.poll() is None

    def start(self) -> None:
        """Start it; raises StackError when a server does not get ready."""
        if self._watch is not None and self._watch is not asyncio.current_task():
            self._watch.cancel()  # it may not have seen yet that the last one has ended
        self._stack.close()
        self._process = self._stack.enter_context(self._launch())
        self._asked = False
        self.starts += 1
        self._watch = asyncio.create_task(self._mind(self._process))

    async def kill(self) -> None:
        """Kill it and its children, and wait for their end."""
        self._asked = True
        if self.process.child.poll() is not None:
            return
        doomed = self._stop_family()
        for pid in doomed:
            _send(pid, signal.SIGKILL)
        await asyncio.gather(*(ended(pid) for pid in doomed))
        self._frozen.clear()
        self.process.child.wait()

    async def terminate(self) -> None:
        """Send SIGTERM, once it listens, and wait for its end in good order."""
        await self.listening()
        self._asked = True
        self.process.child.send_signal(self.process.end)
        try:
            async with asyncio.timeout(ENDS_WITHIN):
                await ended(self.pid)
        except TimeoutError:
            self.misdeeds.append(f"{self.name} did not end within {ENDS_WITHIN:g} s")
            await self.kill()
            return
        status = self.process.child.wait()
        if status != 0:
            self.misdeeds.append(f"{self.name}, asked to end, {supervisor.describe(status)}")

    def freeze(self) -> None:
        """Stop it and its children."""
        if self.process.child.poll() is None:
            self._frozen = self._stop_family()

    def thaw(self) -> None:
        """Continue them, the youngest first."""
        for pid in reversed(self._frozen):
            _send(pid, signal.SIGCONT)
        self._frozen.clear()

    async def crash(self, fraction: float) -> bool:
        """Kill one of its children, if any; return whether Postgres then ended the others.

        It does not where that child only refused a connection.
        """
        _, *children = usage.family(self.pid)
        if children:
            _send(children[int(fraction * len(children))], signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENDS_WITHIN):
                    await asyncio.gather(*map(ended, children))
                    return True
        return False

    def close(self) -> None:
        """End it for good."""
        self._asked = True
        if self._watch is not None:
            self._watch.cancel()
        self.thaw()
        self._stack.close()

    def _stop_family(self) -> list[int]:
        _send(self.pid, signal.SIGSTOP)
        # Once it is stopped, it starts no more children.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        family = usage.family(self.pid)
        for pid in family[1:]:
            _send(pid, signal.SIGSTOP)
        return family

    async def listening(self) -> None:
        """Return once it listens, or after LISTENS_WITHIN seconds."""
        if self.port is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTENS_WITHIN):
                while not await _listens(self.port):  # noqa: ASYNC110 - it sends no signal
                    await asyncio.sleep(0.05)

    async def _mind(self, process: Process) -> None:
        await ended(process.child.pid)
        if self._asked or self.doomed:
            return
        self.misdeeds.append(f"{self.name} {supervisor.describe(process.child.wait())} by itself")
        async with self.lock:
            if self._process is process:
                self.start()


async def ended(pid: int) -> None:
    """Wait for the end of a process, whether it was reaped or not."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(ports.HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
