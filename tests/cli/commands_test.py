"""The commands as the shell sees them: help, completion, exit codes, streams that end early."""

import asyncio
import fcntl
import json
import os
import pty
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest

import mousetrap as package
from cli.conftest import Command
from mousetrap.cli.options import DEFAULT_URL
from mousetrap.settings.process import CommandLineSettings
from support.origin import Origin, answer
from support.processes import PYTHON_PATH

HEAVY = {"asyncio", "httpx2", "msgspec", "rich", "structlog"}
SOURCES = json.dumps(
    {
        "items": [
            {"name": "demo", "kind": "faker", "default": True},
            {"name": "earthquakes", "kind": "geojson", "default": False, "every": "5m"},
        ]
    }
).encode()
ASK = """
COMP_WORDS=("$@" '')
COMP_CWORD=$#
_mousetrap_completion "$1"
echo "${COMPREPLY[@]}"
"""


async def test_the_version_is_that_of_the_images(mousetrap: Command) -> None:
    for option in ("--version", "-V"):
        done = await mousetrap.run(option)
        assert (done.code, done.out) == (0, f"mousetrap {package.__version__}\n")


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (["jobs", "-s", "demo", "-n", "1", "-S", "failed"], ["--source", "--limit", "--state"]),
        (["refresh", "-w", "-k", "key", "-t", "1"], ["--wait", "--idempotency-key", "--timeout"]),
        (["summaries", "-a", "-j", "-u", "http://x"], ["--all", "--json", "--url"]),
    ],
)
async def test_options_have_short_forms(
    mousetrap: Command, short: list[str], long: list[str]
) -> None:
    told = (await mousetrap.run(short[0], "--help")).out

    for letter, name in zip([it for it in short if it.startswith("-")], long, strict=False):
        assert f"{letter}, {name}" in told


async def test_open_prints_the_address_that_it_opens(
    mousetrap: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("click.launch", opened.append)

    done = await mousetrap.run("open", "--url", "http://127.0.0.1:9000/geo")

    assert done.out == "http://127.0.0.1:9000/geo/dashboard\n"
    assert opened == ["http://127.0.0.1:9000/geo/dashboard"]


async def test_help_names_every_exit_code(mousetrap: Command) -> None:
    done = await mousetrap.run("--help")

    assert (done.code, done.err) == (0, "")
    told = " ".join(done.out.split())
    for code in (*(f"{number} " for number in range(7)), "130 Ctrl-C", "141 "):
        assert code in told.partition("Exit codes: ")[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["nonsense"],
        ["latest", "more"],
        ["job", "no-uuid"],
        ["jobs", "--limit", "0"],
        ["jobs", "--state", "lost"],
        ["latest", "--url", "ftp://127.0.0.1"],
        ["latest", "--timeout", "0"],
        ["open", "--token-file", "token"],
        ["completion", "csh"],
    ],
    ids=" ".join,
)
async def test_what_is_not_understood_is_told_with_the_usage(
    mousetrap: Command, arguments: list[str]
) -> None:
    done = await mousetrap.run(*arguments)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: mousetrap")


def test_help_waits_for_nothing_that_is_heavy() -> None:
    program = "import sys, mousetrap.cli.command as it; it.main(['--help']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert not HEAVY & set(done.stdout.splitlines()[-1].split())


async def test_each_shell_has_a_completion(mousetrap: Command) -> None:
    for shell in ("bash", "zsh", "fish"):
        done = await mousetrap.run("completion", shell)
        assert done.code == 0
        assert f"_MOUSETRAP_COMPLETE={shell}_complete" in done.out


async def test_bash_completes_commands_and_the_names_of_sources(
    mousetrap: Command, origin: Origin, tmp_path: Path
) -> None:
    origin.answers(answer(SOURCES, content_type="application/json"), path="/sources")
    script = (await mousetrap.run("completion", "bash")).out
    program = tmp_path / "mousetrap"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mousetrap.cli "$@"\n')
    program.chmod(0o755)

    def completed(*words: str) -> list[str]:
        done = subprocess.run(
            [shutil.which("bash") or "bash", "-c", script + ASK, "bash", *words],
            env={
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "PYTHONPATH": PYTHON_PATH,
                "MOUSETRAP_URL": origin.url(""),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.split()

    assert "watch" in await asyncio.to_thread(completed, "mousetrap")
    assert await asyncio.to_thread(completed, "mousetrap", "refresh") == ["demo", "earthquakes"]


async def test_tables_fit_the_terminal_and_are_cut(mousetrap: Command, origin: Origin) -> None:
    letters = [
        {
            "id": 1,
            "queue": "mousetrap:fetch",
            "reason": "it is not JSON " * 20,
            "deliveries": 3,
            "buried_at": "2026-11-25T12:00:00Z",
            "size": 4,
            "job_id": "e3fc1375-a4b2-4f23-9f0a-a3269d63fe3f",
        }
    ]
    body = json.dumps({"items": letters, "next": None}).encode()
    origin.answers(answer(body, content_type="application/json"), path="/dead-letters?limit=20")
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 80, 0, 0))

    child = mousetrap.start(
        "dead-letters", "--url", origin.url(""), stdout=terminal, TERM="xterm", NO_COLOR="1"
    )
    os.close(terminal)
    assert await asyncio.to_thread(child.wait, 60) == 0
    header, line, *more = os.read(main, 10_000).decode().splitlines()
    os.close(main)

    assert header.split() == ["BURIED", "QUEUE", "JOB", "REASON"]
    assert "e3fc1375-a4b2-4f23-9f0a-a3269d63fe3f" in line
    assert line.endswith("…")
    assert len(line) <= 80
    assert more == []


async def test_nobody_who_reads_is_no_trouble(mousetrap: Command, origin: Origin) -> None:
    origin.answers(answer(SOURCES, content_type="application/json"), path="/sources")
    reader, writer = os.pipe()
    os.close(reader)

    child = mousetrap.start("sources", "--url", origin.url(""), stdout=writer)
    os.close(writer)
    _, err = await asyncio.to_thread(child.communicate, None, 60)

    assert (child.returncode, err) == (141, "")


@pytest.mark.parametrize("moment", [tenth / 10 for tenth in range(11)])
def test_ctrl_c_is_silent_at_every_moment(mousetrap: Command, moment: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # nothing is ever said there
        child = mousetrap.start("latest", "--url", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with suppress(subprocess.TimeoutExpired):
            child.wait(moment)

        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)

    # At the very first moment it is not our program yet, and ends by the signal, as a shell's 130.
    assert child.returncode in {130, -signal.SIGINT}
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["a terminal", "NO_COLOR", "a dumb terminal"],
)
async def test_colours_are_for_terminals_that_have_them(
    mousetrap: Command, origin: Origin, environment: dict[str, str], *, coloured: bool
) -> None:
    origin.answers(answer(SOURCES, content_type="application/json"), path="/sources")
    main, terminal = pty.openpty()

    child = mousetrap.start(
        "sources", "--url", origin.url(""), stdout=terminal, **{"TERM": "xterm"} | environment
    )
    os.close(terminal)
    assert await asyncio.to_thread(child.wait, 60) == 0
    shown = os.read(main, 10_000)
    os.close(main)

    assert b"earthquakes" in shown
    assert (b"\x1b[" in shown) is coloured
    assert b" \r\n" not in shown


async def test_a_terminal_without_such_letters_is_no_trouble(
    mousetrap: Command, tmp_path: Path
) -> None:
    sources = tmp_path / "sources.toml"
    sources.write_text('default = "demo"\n[sources.demo]\nkind = "faker"\ncount = 7\n')

    child = mousetrap.start("sources", "check", str(sources), PYTHONIOENCODING="ascii")
    out, _ = await asyncio.to_thread(child.communicate, None, 60)

    assert child.returncode == 0
    assert "? N" in out


def test_the_url_without_a_setting_is_the_documented_one() -> None:
    assert CommandLineSettings().url == DEFAULT_URL
