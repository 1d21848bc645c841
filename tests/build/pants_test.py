"""`./pants` before there is a Pants."""

import shutil
import subprocess
from pathlib import Path

import pytest

FILES = ("pants", "3rdparty/pants.lock", "3rdparty/pex.lock")
TOOLS = ("cat", "cksum", "cut", "dirname", "find", "mktemp", "mkdir", "rm", "sed", "sh")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "check out"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, root / name)
    (root / "src").mkdir()
    return root


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A machine with the tools of every Unix and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None, tool
        (folder / tool).symlink_to(found)
    return folder


def run(
    checkout: Path, path: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("sh") or "sh", str(checkout / "pants"), *arguments],
        cwd=checkout / "src",
        env={"PATH": str(path), "HOME": str(path.parent), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_missing_python_is_said_in_one_line(checkout: Path, path: Path) -> None:
    done = run(checkout, path, "--version")

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "CPython 3.13 is missing" in done.stderr
    assert "install it" in done.stderr


def test_a_python_that_does_not_run_is_no_python(checkout: Path, path: Path) -> None:
    # What pyenv leaves on the PATH for a version that is not switched on.
    shim = path / "python3.13"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)

    done = run(checkout, path, "--version")

    assert done.returncode == 1
    assert done.stderr.startswith("pants: CPython 3.13 is missing")


@pytest.fixture
def pex(checkout: Path, path: Path) -> None:
    """What was set up before: a Pex, and the Python that runs the code."""
    lock = (checkout / "3rdparty/pex.lock").read_bytes()
    checksum = subprocess.run(["cksum"], input=lock, capture_output=True, check=True).stdout
    home = path.parent / f".cache/mousetrap/pex-{checksum.split()[0].decode()}"
    home.mkdir(parents=True)
    (home / "environment").write_text(
        f"export PANTS_PEX_CLI_VERSION=v1.2.3\npython313={path / 'sh'}\n"
    )


@pytest.mark.usefixtures("pex")
def test_an_installed_launcher_is_used_with_our_pex(checkout: Path, path: Path) -> None:
    launcher = path / "pants"
    launcher.write_text(
        '#!/bin/sh\npwd\nprintf "<%s>" "$PANTS_PEX_CLI_VERSION" "${VIRTUAL_ENV-unset}" "$@"\n'
    )
    launcher.chmod(0o755)

    done = run(checkout, path, "test", "a path::", VIRTUAL_ENV="/somewhere")

    assert done.stdout == f"{checkout}\n<v1.2.3><unset><test><a path::>"


@pytest.mark.usefixtures("pex")
def test_without_a_launcher_the_python_of_pants_is_asked_for(checkout: Path, path: Path) -> None:
    done = run(checkout, path, "--version")

    assert done.returncode == 1
    assert done.stderr.startswith("pants: CPython 3.9 is missing (Pants runs on it)")


def test_a_home_that_is_not_set_is_said(checkout: Path, path: Path) -> None:
    done = run(checkout, path, "--version", HOME="")

    assert done.returncode != 0
    assert "HOME" in done.stderr
    assert "set it" in done.stderr
