"""The bundled Postgres makes its database once, and never takes half of one."""

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

from kubernetes.rendering import containers, rendered

ENSURE: Final = """#!/bin/sh
[ -e "$PGDATA/PG_VERSION" ] && echo 'it exists' && exit
touch "$PGDATA/PG_VERSION"
[ -z "$BROKEN" ] || exit 3
echo 'made it'
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of the database, and a stand-in for the program of the official image."""
    program = tmp_path / "docker-ensure-initdb.sh"
    program.write_text(ENSURE)
    program.chmod(0o755)
    folder = tmp_path / "pgdata"
    folder.mkdir()
    return folder


def run(data: Path, broken: str = "") -> subprocess.CompletedProcess[str]:
    container = containers(rendered("trial"))["initdb"]
    path = f"{data.parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [*container["command"], *container["args"]],
        env={"PATH": path, "PGDATA": str(data), "BROKEN": broken},
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )


def test_database_is_made_once(data: Path) -> None:
    first, second = run(data), run(data)

    assert (first.returncode, first.stdout) == (0, "made it\n")
    assert (second.returncode, second.stdout) == (0, "it exists\n")


def test_database_that_is_half_made_is_not_taken(data: Path) -> None:
    assert run(data, broken="yes").returncode == 3

    again = run(data)

    assert again.returncode == 1
    assert "half made: delete the claim" in again.stderr
    assert again.stdout == ""
