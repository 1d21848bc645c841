"""The start of a process until it is ready, beside the imports of its packages."""

import asyncio
import contextlib
import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import mousetrap
from bench import rounds, usage
from bench.errors import StartError
from bench.results import IMPORTS, OURS, Start
from bench.system import System
from mousetrap.stack import readiness
from mousetrap.stack.supervisor import Program

PROCESSES: Final = ("api", "fetch_worker", "process_worker")
PERIOD: Final = 0.005
DEADLINE: Final = 60.0
GRACE: Final = 10.0

PROFILE: Final = {"PYTHONPROFILEIMPORTTIME": "1"}


async def compare(system: System, *, count: int) -> dict[str, dict[str, list[Start]]]:
    """Measure each process and its yardstick `count` times.

    The yardstick is a Python that imports the same third-party modules in the same order. Raises
    StartError.
    """
    return {name: await _compare(system, name, count) for name in PROCESSES}


async def _compare(system: System, name: str, count: int) -> dict[str, list[Start]]:
    modules = await _modules(system.another(name))

    async def measure(side: str) -> Start:
        program = system.another(name)
        return await _start(program) if side == OURS else _imports(program, modules)

    for side in (OURS, IMPORTS):
        await measure(side)  # writes bytecode files
    return await rounds.alternate({side: side for side in (OURS, IMPORTS)}, count, measure)


async def _modules(program: Program) -> list[str]:
    """Return the third-party modules that a process has imported when it is ready."""
    with _running(program.command, {**program.env, **PROFILE}, stderr=subprocess.PIPE) as child:
        reading = asyncio.create_task(asyncio.to_thread(_last_columns, child))
        await _ready(child, program)
        child.terminate()
        names = await reading
    return [name for name in names if _foreign(name.partition(".")[0])]


def _last_columns(child: subprocess.Popen[bytes]) -> list[str]:
    assert child.stderr is not None
    lines = (line.decode(errors="replace") for line in child.stderr)
    return [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]


def _foreign(package: str) -> bool:
    known = package in sys.stdlib_module_names or package == mousetrap.__name__
    return not known and importlib.util.find_spec(package) is not None


async def _start(program: Program) -> Start:
    begin = time.perf_counter()
    with _running(program.command, program.env) as child:
        await _ready(child, program)
        return _since(begin, child)


async def _ready(child: subprocess.Popen[bytes], program: Program) -> None:
    assert program.health_port is not None
    end = time.monotonic() + DEADLINE
    while not await readiness.is_ready(program.health_port):
        if child.poll() is not None or time.monotonic() > end:
            raise StartError(f"{program.name} did not become ready")
        await asyncio.sleep(PERIOD)


def _imports(program: Program, modules: Sequence[str]) -> Start:
    begin = time.perf_counter()
    command = [sys.executable, "-m", "bench.imports", *modules]
    with _running(command, program.env, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        if not child.stdout.readline():
            raise StartError(f"the packages of {program.name} cannot be imported alone")
        return _since(begin, child)


def _since(begin: float, child: subprocess.Popen[bytes]) -> Start:
    return Start(
        ready_ms=(time.perf_counter() - begin) * 1e3,
        cpu_ms=usage.cpu_seconds(child.pid) * 1e3,
        rss=usage.memory(child.pid).rss,
    )


@contextlib.contextmanager
def _running(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    *,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, without the guard that ends it with its parent, which takes time."""
    with subprocess.Popen(command, env=dict(env), stdout=stdout, stderr=stderr) as child:
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(GRACE)
            except subprocess.TimeoutExpired:
                child.kill()
