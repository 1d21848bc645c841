import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import PYTHON_PATH

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such names")

NAMED = """
import sys
from pathlib import Path
from mousetrap.runtime import naming
naming.COMM = Path(sys.argv[2])
naming.name(sys.argv[1])
print(Path("/proc/self/comm").read_text())
"""


def named(part: str, file: str = "/proc/self/comm") -> str:
    done = subprocess.run(
        [sys.executable, "-c", NAMED, part, file],
        env={"PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("part", "name"),
    [("api", "mousetrap-api"), ("fetch", "mousetrap-fetch"), ("process", "mousetrap-proce")],
)
def test_a_process_has_its_name(part: str, name: str) -> None:
    assert named(part) == name


def test_a_machine_without_names_is_no_trouble(tmp_path: Path) -> None:
    assert named("api", str(tmp_path / "no" / "comm")).startswith("python")


@pytest.mark.parametrize(
    ("package", "name"),
    {
        "admin": "mousetrap-admin",
        "api": "mousetrap-api",
        "cli": "mousetrap",
        "fetch_worker": "mousetrap-fetch",
        "process_worker": "mousetrap-proce",
        "stack": "mousetrap-up",
    }.items(),
)
def test_every_program_names_itself(package: str, name: str) -> None:
    code = f"""
import runpy, sys
sys.argv[1:] = ["--help"]
try:
    runpy.run_module("mousetrap.{package}", run_name="__main__", alter_sys=True)
finally:
    print(open("/proc/self/comm").read())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-2] == name
