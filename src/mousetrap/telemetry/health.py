"""The readiness of a process: the state of everything that it depends on."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NoReturn

from mousetrap.telemetry import logs

Check = Callable[[], Awaitable[object]]

log = logs.logger(__name__)

OK: Final = "ok"
UNAVAILABLE: Final = "unavailable"
STARTING: Final = "not checked yet"


class Health:
    """The latest state of each dependency; a check that raises marks it as unusable.

    Checks run together every `period` seconds, each with a `deadline` in seconds, so reading the
    report is free. A component without a check reports its own state (`show`).
    """

    def __init__(
        self, checks: Mapping[str, Check], *, period: float = 1.0, deadline: float = 3.0
    ) -> None:
        self._checks = dict(checks)
        self._period = period
        self._deadline = deadline
        self._troubles: dict[str, str | None] = dict.fromkeys(checks, STARTING)
        self._reachable = asyncio.Event()
        self._draining = False

    @property
    def ready(self) -> bool:
        """Whether the process accepts work: everything works and it is not stopping."""
        return not self._draining and not any(self._troubles.values())

    def report(self) -> dict[str, str]:
        """Return `ok` or the fault of each component by name."""
        return {name: trouble or OK for name, trouble in self._troubles.items()}

    def states(self) -> dict[str, str]:
        """Return `ok` or `unavailable` of each component, for those who may not know the faults.

        The errors of others may name addresses.
        """
        return {name: UNAVAILABLE if it else OK for name, it in self._troubles.items()}

    def show(self, name: str, trouble: str | None) -> None:
        """Report the fault of a component without a check; None when it works."""
        self._troubles[name] = trouble

    def drain(self) -> None:
        """Tell load balancers that this process is stopping."""
        self._draining = True

    async def watch(self) -> NoReturn:
        """Keep the report fresh until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(self._period)

    async def wait(self) -> None:
        """Return once everything has worked; needs `watch` to be running."""
        await self._reachable.wait()

    async def check(self) -> None:
        """Run every check once."""
        async with asyncio.TaskGroup() as group:
            for name, check in self._checks.items():
                group.create_task(self._check(name, check))
        if not any(self._troubles.values()):
            self._reachable.set()

    async def _check(self, name: str, check: Check) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                await check()
        except TimeoutError:
            trouble: str | None = f"no answer within {self._deadline:g} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the report
            trouble = f"{type(error).__name__}: {error}"
        else:
            trouble = None
        before, self._troubles[name] = self._troubles[name], trouble
        if trouble is None and before is not None:
            log.info("dependency is ready", dependency=name)
        elif trouble is not None and before in (None, STARTING):
            log.warning("waiting for %s", name, dependency=name, reason=trouble)
