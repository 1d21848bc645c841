import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from mousetrap.stack import process, supervisor
from mousetrap.stack.console import Console
from mousetrap.stack.supervisor import Plan
from stack import supervised
from stack.processes import Program, Programs, Watch

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has death signals")


def supervise(programs: Programs, **changes: object) -> Program:
    plan = {
        "server": ["database"],
        "preparation": [],
        "services": [[["api"]], [["fetch"], ["process"]]],
        "grace": 30,
        "echo": 0,
        "restarts": [0.01, 0.02, 60, 2],
    }
    return programs.start(supervised.__file__, json.dumps(plan | changes))


def pid(program: Program, name: str, restarts: int = 0) -> int:
    """Return the id that a process has after so many restarts."""
    pattern = rf"^{name} +\| {name} has pid (\d+)"
    found = re.findall(pattern, program.text, re.MULTILINE)
    # Its line takes another way than the one that it is ready, and may come after it.
    while len(found) <= restarts:
        found.append(program.line(pattern)[1])
    return int(found[restarts])


def ends(program: Program) -> list[str]:
    return [line.split()[0] for line in program.lines if " got " in line]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)]
)
def test_a_stop_signal_ends_all_in_order(
    programs: Programs, number: signal.Signals, code: int
) -> None:
    program = supervise(programs)
    program.line("^all are ready$")
    program.child.send_signal(number)
    assert program.wait() == code
    first, *workers, last = ends(program)
    assert (first, sorted(workers), last) == ("api", ["fetch", "process"], "database")


def test_the_announcement_waits_for_every_service(programs: Programs) -> None:
    program = supervise(programs, services=[[["api"]], [["fetch", "unready"]]])
    program.line("api has pid")
    program.child.send_signal(signal.SIGTERM)
    assert program.wait() == 0
    assert "all are ready" not in program.text


def test_the_preparation_comes_first(programs: Programs) -> None:
    program = supervise(programs, preparation=[["migrate", "exits:0"]])
    program.line("^all are ready$")
    names = [line.split()[0] for line in program.lines if " has pid " in line]
    assert next(name for name in names if name != "database") == "migrate"


def test_nothing_starts_after_a_preparation_that_fails(programs: Programs) -> None:
    program = supervise(programs, preparation=[["migrate", "exits:3"]])
    assert program.wait() == 3
    assert "migrate ended with status 3: stopping everything" in program.text
    assert "api has pid" not in program.text
    assert ends(program) == ["database"]


def test_a_stop_signal_ends_the_preparation(programs: Programs) -> None:
    program = supervise(programs, preparation=[["migrate"]])
    program.line("migrate has pid")
    program.child.send_signal(signal.SIGTERM)
    assert program.wait() == 0
    assert ends(program) == ["migrate", "database"]


@pytest.mark.parametrize(("wish", "code"), [("exits:7", 7), ("exits:0", 1)])
def test_a_service_that_cannot_stay_up_is_the_end_of_all(
    programs: Programs, wish: str, code: int
) -> None:
    program = supervise(programs, services=[[["api"]], [["fetch", wish]]])
    assert program.wait() == code
    said = [line.partition(" status ")[2] for line in program.lines if line.startswith("up ")]
    assert said == [
        f"{wish[-1]}: it starts again in 0.01 s",
        f"{wish[-1]}: it starts again in 0.02 s",
        f"{wish[-1]}: stopping everything",
    ]


def test_a_service_whose_settings_cannot_be_used_is_not_tried_again(programs: Programs) -> None:
    program = supervise(programs, services=[[["api"]], [["fetch", "exits:2"]]])
    assert program.wait() == 2
    assert "it starts again" not in program.text


@pytest.mark.parametrize("victim", ["fetch", "database"])
def test_a_process_that_died_starts_again_and_it_is_said(programs: Programs, victim: str) -> None:
    program = supervise(programs)
    program.line("^all are ready$")
    first = pid(program, victim)
    os.kill(first, signal.SIGKILL)
    program.line(f"^up +. {victim} was killed by SIGKILL: it starts again in 0.01 s$")
    program.line(f"{victim} has pid" if victim == "database" else f"{victim} is ready")
    assert pid(program, victim, restarts=1) != first

    program.child.send_signal(signal.SIGTERM)

    assert program.wait() == 0
    assert set(ends(program)) == {"api", "fetch", "process", "database"}


def test_nothing_is_said_to_be_ready_once_everything_stops(programs: Programs) -> None:
    program = supervise(programs, services=[[["api"]], [["fetch", "late"]]], grace=1)
    program.line("fetch has pid")
    os.kill(pid(program, "fetch"), signal.SIGKILL)
    program.line("fetch has pid")
    program.child.send_signal(signal.SIGTERM)
    assert program.wait() == 0
    assert "fetch got SIGTERM" in program.text
    assert "is ready" not in program.text


def test_ends_of_long_ago_do_not_count(programs: Programs) -> None:
    program = supervise(programs, restarts=[0.01, 0.02, 0, 1])
    program.line("^all are ready$")
    for restarts in range(3):
        os.kill(pid(program, "fetch", restarts), signal.SIGKILL)
        program.line("fetch is ready")
    program.child.send_signal(signal.SIGTERM)
    assert program.wait() == 0


def test_a_stop_signal_during_the_pause_before_a_restart_is_heard(programs: Programs) -> None:
    program = supervise(programs, restarts=[60, 60, 60, 5])
    program.line("^all are ready$")
    os.kill(pid(program, "fetch"), signal.SIGKILL)
    program.line("it starts again in 60 s")
    program.child.send_signal(signal.SIGTERM)
    assert program.wait() == 0
    assert "Traceback" not in program.text


def test_a_service_that_does_not_end_is_killed_and_it_is_said(programs: Programs) -> None:
    program = supervise(programs, services=[[["api", "stubborn"]], [["fetch"]]], grace=0.1)
    program.line("^all are ready$")
    program.child.send_signal(signal.SIGTERM)
    assert program.wait() == 0
    assert "api did not end, so it was killed" in program.text
    assert ends(program) == ["api", "fetch", "database"]


def test_one_ctrl_c_that_arrives_twice_still_ends_all_in_order(programs: Programs) -> None:
    program = supervise(programs, services=[[["api", "stubborn"]], [["fetch"]]], grace=1, echo=60)
    program.line("^all are ready$")
    program.child.send_signal(signal.SIGINT)
    program.line("api got SIGTERM")
    program.child.send_signal(signal.SIGINT)
    assert program.wait() == 130
    assert ends(program)[-1] == "database"


def test_ctrl_c_at_the_last_moment_is_for_who_had_it_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[int] = []

    async def run() -> int:
        loop = asyncio.get_running_loop()
        remove = loop.remove_signal_handler

        def remove_and_interrupt(number: int) -> bool:
            removed = remove(number)
            signal.raise_signal(signal.SIGINT)
            return removed

        monkeypatch.setattr(loop, "remove_signal_handler", remove_and_interrupt)
        loop.call_soon(signal.raise_signal, signal.SIGTERM)
        plan = Plan(preparation=[], services=[], grace=1, announcement="")
        console = Console(io.StringIO(), colour=False)
        return await supervisor.supervise(plan, [], console=console, cwd=Path.cwd())

    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        assert asyncio.run(run()) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]


@linux
def test_a_second_stop_signal_kills_at_once(programs: Programs) -> None:
    program = supervise(programs, services=[[["api", "stubborn"]], [["fetch"]]])
    program.line("^all are ready$")
    everyone = Watch([pid(program, name) for name in ("database", "api", "fetch")])
    program.child.send_signal(signal.SIGTERM)
    program.line("api got SIGTERM")
    program.child.send_signal(signal.SIGTERM)
    assert program.wait() == 128 + signal.SIGTERM
    assert everyone.ended()


@linux
def test_a_killed_supervisor_leaves_no_process(programs: Programs) -> None:
    program = supervise(programs, services=[[["api", "stubborn"]], [["fetch"]]])
    program.line("^all are ready$")
    everyone = Watch([pid(program, name) for name in ("database", "api", "fetch")])
    program.child.kill()
    assert everyone.ended()


@linux
def test_it_ends_in_good_order_when_nobody_reads_its_lines(programs: Programs) -> None:
    program = supervise(programs, services=[[["api", "stubborn"]], [["fetch"]]], grace=0.1)
    program.line("^all are ready$")
    everyone = Watch([pid(program, name) for name in ("database", "api", "fetch")])
    api = pid(program, "api")
    program.abandon()
    while program.child.poll() is None:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.kill(api, signal.SIGINT)  # it has something to say about that
            program.child.wait(0.1)
    assert program.child.returncode == 0
    assert everyone.ended()


def test_a_server_may_end_after_the_loop_of_its_supervisor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failures: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    server = process.start(
        "server",
        [sys.executable, "-c", "import time; time.sleep(60)"],
        output=os.open(os.devnull, os.O_WRONLY),
        env=os.environ,
        cwd=tmp_path,
        end=signal.SIGTERM,
        death=signal.SIGKILL,
    )

    def ctrl_c() -> list[signal.Signals]:
        raise KeyboardInterrupt

    monkeypatch.setattr(supervisor, "stop_signals", ctrl_c)  # before it handles signals
    plan = Plan(preparation=[], services=[], grace=1, announcement="")
    console = Console(io.StringIO(), colour=False)
    threads = {*threading.enumerate()}
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(supervisor.supervise(plan, [server], console=console, cwd=tmp_path))
    [waiting] = {*threading.enumerate()} - threads

    server.child.kill()
    waiting.join(30)

    assert failures == []
