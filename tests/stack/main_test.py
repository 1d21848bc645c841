import importlib.resources
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

import psutil
import pytest

from mousetrap.settings import running, sources
from mousetrap.settings.source_kinds import FakerSettings, GeojsonSettings
from mousetrap.stack import command, folder, ports
from stack.processes import PYTHON_PATH, Program, Programs, family

UP = ("-m", str(command.__package__))


def up(programs: Programs, *arguments: str, env: dict[str, str] | None = None) -> Program:
    return programs.start(*UP, *arguments, blocked=True, env=env)


def refusal(program: Program) -> str:
    """Return all that it says when it cannot start."""
    assert program.wait() == 1
    assert program.text.startswith("up: ")
    return program.text


def test_a_port_that_is_taken_is_told_before_anything_starts(
    tmp_path: Path, programs: Programs
) -> None:
    with socket.create_server((ports.HOST, 0)) as listener:
        port = str(listener.getsockname()[1])
        said = refusal(up(programs, "--port", port))
    assert said == f"up: port {port} is taken: choose another one with --port"
    assert [each.name for each in (tmp_path / ".mousetrap").iterdir()] == ["lock"]


def test_a_folder_in_use_is_told_with_its_holder(tmp_path: Path, programs: Programs) -> None:
    with folder.hold(tmp_path / "data"):
        said = refusal(up(programs, "--data", "data"))
    assert f"{tmp_path / 'data'} is in use by process " in said


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, programs: Programs) -> None:
    (tmp_path / "file").touch()
    assert "file/data cannot be the data folder" in refusal(up(programs, "--data", "file/data"))


@pytest.mark.parametrize("content", [None, "default = 1", "[", 'default = "a"\n[sources]'])
def test_sources_that_cannot_be_used_are_told(
    tmp_path: Path, programs: Programs, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "mine.toml").write_text(content)
    assert "mine.toml" in refusal(up(programs, "--sources", "mine.toml"))
    assert not (tmp_path / ".mousetrap").exists()


def test_servers_that_the_environment_does_not_name_are_told(
    tmp_path: Path, programs: Programs
) -> None:
    said = refusal(up(programs, "--services-from-environment"))
    assert "MOUSETRAP_POSTGRES_DSN is not set" in said
    assert not (tmp_path / ".mousetrap").exists()


def test_data_of_others_is_not_forgotten(programs: Programs) -> None:
    program = up(programs, "--fresh", "--services-from-environment")
    assert program.wait() == 2
    assert "not allowed with argument" in program.text


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_port_that_is_none_is_a_usage_error(programs: Programs, port: str) -> None:
    program = up(programs, "--port", port)
    assert program.wait() == 2
    said = f"argument --port: must be a number from 1 to 65535, not '{port}'"
    assert program.text.endswith(said)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_stop_signal_while_the_servers_start_ends_them(
    tmp_path: Path, programs: Programs, number: signal.Signals, code: int
) -> None:
    [port] = ports.free(1)
    program = up(programs, "--port", str(port))
    program.line("starting Postgres and Valkey")
    program.child.send_signal(number)
    assert program.wait() == code
    with folder.hold(tmp_path / ".mousetrap", patience=5):
        pass


def test_the_built_in_sources_are_a_demo_and_the_earthquakes_of_the_week() -> None:
    with importlib.resources.as_file(
        importlib.resources.files("mousetrap.stack") / "sources.toml"
    ) as path:
        found = sources.load(path)
    assert found.default == "demo"
    assert found.sources == {
        "demo": FakerSettings(count=100),
        "earthquakes": GeojsonSettings(
            url="https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/all_week.geojson",
            name_property="title",
        ),
    }


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> tuple[float, float]:
    """The seconds that the start takes on this machine, and the end."""
    [port] = ports.free(1)
    began = monotonic()
    program = Program(*UP, "--port", str(port), cwd=tmp_path_factory.mktemp("life"), blocked=True)
    try:
        program.line("^Mousetrap is ready")
        ready = monotonic()
        program.child.send_signal(signal.SIGINT)
        assert program.wait() == 130
        return ready - began, monotonic() - ready
    finally:
        program.close()


def interrupt(program: Program, *, after: float) -> None:
    """Press Ctrl-C, unless the program has ended before."""
    with suppress(subprocess.TimeoutExpired):
        program.child.wait(after)
    program.child.send_signal(signal.SIGINT)


def assert_silent(program: Program, data: Path) -> None:
    # At the very first moment it is not our program yet, and ends by the signal, as a shell's 130.
    assert program.wait() in {130, -signal.SIGINT}
    assert "Traceback" not in program.text
    with folder.hold(data, patience=5):
        pass  # nothing is left that could write over the prompt


@pytest.mark.parametrize("twelfth", range(12))  # about a quarter of a second, on an idle machine
def test_ctrl_c_is_silent_at_every_moment_of_the_start(
    tmp_path: Path, programs: Programs, life: tuple[float, float], twelfth: int
) -> None:
    [port] = ports.free(1)
    program = up(programs, "--port", str(port))

    interrupt(program, after=life[0] * twelfth / 12)

    assert_silent(program, tmp_path / ".mousetrap")


@pytest.mark.parametrize("quarter", range(1, 4))
def test_ctrl_c_is_silent_at_every_moment_of_the_end(
    tmp_path: Path, programs: Programs, life: tuple[float, float], quarter: int
) -> None:
    [port] = ports.free(1)
    program = up(programs, "--port", str(port))
    program.line("^Mousetrap is ready")

    interrupt(program, after=0)
    interrupt(program, after=life[1] * quarter / 4)

    assert_silent(program, tmp_path / ".mousetrap")


BETWEEN = """
import asyncio, os, signal
from mousetrap.stack import command, supervisor

async def supervise(*_, **__):
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()

supervisor.supervise = supervise
raise SystemExit(command.main(["--services-from-environment", "--port={port}"]))
"""


def test_ctrl_c_is_silent_between_the_start_and_the_supervision(programs: Programs) -> None:
    """asyncio logs most errors of callbacks with a traceback, and goes on."""
    servers = {"MOUSETRAP_POSTGRES_DSN": "postgresql://db/m", "MOUSETRAP_REDIS_URL": "redis://q/0"}
    [port] = ports.free(1)
    program = programs.start("-c", BETWEEN.format(port=port), env=servers)

    assert program.wait() == 130
    assert program.text == ""


def test_settings_that_do_not_exist_are_told_with_the_nearest(programs: Programs) -> None:
    program = up(programs, env={"MOUSETRAP_LOG_LEVLE": "debug"})

    assert refusal(program).endswith("did you mean MOUSETRAP_LOG_LEVEL?")


@pytest.mark.parametrize(
    ("option", "count"),
    [("--fetch-workers", "0"), ("--fetch-workers", "two"), ("--process-workers", "33")],
)
def test_a_number_of_workers_that_cannot_be_is_a_usage_error(
    programs: Programs, option: str, count: str
) -> None:
    program = up(programs, option, count)
    assert program.wait() == 2
    said = f"argument {option}: must be a number from 1 to 32, not '{count}'"
    assert program.text.endswith(said)


def test_the_system_is_found_and_survives_the_death_of_its_processes(
    tmp_path: Path, programs: Programs
) -> None:
    [port] = ports.free(1)
    environ = {"XDG_STATE_HOME": str(tmp_path / "state")}
    options = (f"--port={port}", "--fetch-workers=2", "--process-workers=2", "--admin")
    program = up(programs, *options, env=environ)
    program.line("^Mousetrap is ready")
    program.line("the admin page +http://127.0.0.1:")
    assert running.newest(environ) == f"http://127.0.0.1:{port}"
    commands = [command_line(it) for it in family(program.child.pid)]
    for worker in ("fetch_worker", "process_worker"):
        assert sum(f"mousetrap.{worker}" in it for it in commands) == 2
    killed = []
    for name, mark in {
        r"fetch_worker-[12]": "mousetrap.fetch_worker",
        "postgres": "postgres",
        "valkey": "valkey-server",
    }.items():
        os.kill(outermost(program.child.pid, mark), signal.SIGKILL)

        killed.append(program.line(f"({name}) was killed by SIGKILL: it starts again")[1])
    program.line(f"{killed[0]} is ready")
    done = subprocess.run(
        [sys.executable, "-m", "mousetrap.cli", "refresh", "--wait"],
        env={"PYTHONPATH": PYTHON_PATH, "HOME": str(tmp_path), **environ},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    program.child.send_signal(signal.SIGTERM)

    assert program.wait() == 0
    assert running.newest(environ) is None


def outermost(pid: int, mark: str) -> int:
    """Return a descendant with a mark in its command line whose parent has no such mark.

    Ids tell nothing of it: the kernel counts them from the beginning again.
    """
    marked = [it for it in family(pid)[1:] if mark in command_line(it)]
    return next(it for it in marked if psutil.Process(it).ppid() not in marked)


def command_line(pid: int) -> str:
    return " ".join(psutil.Process(pid).cmdline())
