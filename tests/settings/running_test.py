import os
import subprocess
import sys
from pathlib import Path

import pytest

from mousetrap.settings import running
from support.processes import PYTHON_PATH

KILLED = """
import os, sys
from mousetrap.settings import running
with running.announced("http://127.0.0.1:9002", 9002, {"XDG_STATE_HOME": sys.argv[1]}):
    os._exit(0)
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path)}


def test_the_newest_system_that_runs_is_found(environ: dict[str, str]) -> None:
    assert running.newest(environ) is None
    with running.announced("http://127.0.0.1:9000", 9000, environ) as first:
        os.utime(first, (1, 1))
        with running.announced("http://127.0.0.1:9001", 9001, environ):
            assert running.newest(environ) == "http://127.0.0.1:9001"
        assert running.newest(environ) == "http://127.0.0.1:9000"
    assert running.newest(environ) is None


def test_a_system_that_was_killed_does_not_run(environ: dict[str, str], tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], env={"PYTHONPATH": PYTHON_PATH}, check=True
    )

    assert (running.folder(environ) / "9002.url").exists()
    assert running.newest(environ) is None
    with running.announced("http://127.0.0.1:9002", 9002, environ):
        assert running.newest(environ) == "http://127.0.0.1:9002"


def test_a_folder_that_cannot_be_read_holds_none(tmp_path: Path) -> None:
    (tmp_path / "mousetrap").touch()

    assert running.newest({"XDG_STATE_HOME": str(tmp_path)}) is None
