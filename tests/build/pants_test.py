"""`./pants` before there is a Pants."""

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

FILES = ("pants", "3rdparty/pants.lock", "3rdparty/pex.lock", "3rdparty/uv.lock")
TOOLS = (
    *("cat", "chmod", "cksum", "cut", "dirname", "env", "find", "grep", "mktemp", "mkdir", "rm"),
    *("sed", "sh", "sort", "touch", "tr", "true", "xargs"),
)


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


def start(checkout: Path, path: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [shutil.which("sh") or "sh", str(checkout / "pants"), *arguments],
        cwd=checkout / "src",
        env={"PATH": str(path), "HOME": str(path.parent), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def run(
    checkout: Path, path: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    with start(checkout, path, *arguments, **environment) as process:
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def test_all_missing_pythons_are_said_in_one_line(checkout: Path, path: Path) -> None:
    done = run(checkout, path, "--version")

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("pants: missing: CPython 3.13 and 3.9")
    assert "install it" in done.stderr


def test_a_python_that_does_not_run_is_no_python(checkout: Path, path: Path) -> None:
    # pyenv leaves this on the PATH for a version that is not switched on.
    shim = path / "python3.13"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)

    done = run(checkout, path, "--version")

    assert done.returncode == 1
    assert done.stderr.startswith("pants: missing: CPython 3.13 and 3.9")


@pytest.fixture
def pex(checkout: Path, path: Path) -> None:
    """Tools that were set up before: a Pex, and the Python that runs the code."""
    lock = (checkout / "3rdparty/pex.lock").read_bytes()
    checksum = subprocess.run(["cksum"], input=lock, capture_output=True, check=True).stdout
    home = path.parent / f".cache/mousetrap/pex-{checksum.split()[0].decode()}"
    home.mkdir(parents=True)
    (home / "environment").write_text(
        f"export PANTS_PEX_CLI_VERSION=v1.2.3\npython313={shlex.quote(sys.executable)}\n"
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
def test_a_second_command_beside_another_does_not_wait_for_pantsd(
    checkout: Path, path: Path
) -> None:
    launcher = path / "pants"
    launcher.write_text(
        '#!/bin/sh\necho "${PANTS_CONCURRENT-pantsd}"\nif [ "$1" = stay ]; then read -r _; fi\n'
    )
    launcher.chmod(0o755)

    with start(checkout, path, "stay") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "pantsd\n"
        assert run(checkout, path, "other").stdout == "True\n"
        first.communicate("enough\n", timeout=60)

    assert run(checkout, path, "other").stdout == "pantsd\n"


@pytest.mark.usefixtures("pex")
def test_the_documentation_needs_no_other_command_before_it(checkout: Path, path: Path) -> None:
    launcher = path / "pants"
    launcher.write_text('#!/bin/sh\necho "$@"\n')
    launcher.chmod(0o755)

    done = run(checkout, path, "docs")

    assert done.stdout == "package-pex ::\ndocs\n"


# Stands for the PEX of the packages: its venv has a Python that tells how it was called.
PACKAGES = """#!/bin/sh
echo "$PANTS_CONCURRENT $*" >>"$HOME/pants.log"
[ -z "$BROKEN" ] || { echo "$BROKEN"; exit 1; }
mkdir -p dist
cat >dist/packages.pex <<'END'
import pathlib, sys
python = pathlib.Path(sys.argv[-1], "bin/python")
python.parent.mkdir(parents=True)
python.write_text('#!/bin/sh\\npwd\\necho "$PYTHONPATH"\\necho "$LC_ALL"\\necho "$*"\\nexit 7\\n')
python.chmod(0o755)
END
"""


@pytest.fixture
def packages_of_pants(checkout: Path, path: Path, pex: None) -> Path:
    """A launcher of Pants that builds the packages; returns the list of its commands."""
    assert pex is None  # it was set up
    for name in ("pants.toml", "3rdparty/BUILD", "3rdparty/default.in", "3rdparty/default.lock"):
        (checkout / name).touch()
    for name in ("build/macros.py", "build/plugins/a/register.py", "src/mousetrap/stack/app.py"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("import os\n")
    launcher = path / "pants"
    launcher.write_text(PACKAGES)
    launcher.chmod(0o755)
    return path.parent / "pants.log"


def test_programs_run_outside_of_pants_where_their_caller_stands(
    checkout: Path, path: Path, packages_of_pants: Path
) -> None:
    first = run(checkout, path, "mousetrap", "sources", "check", "a file", LC_ALL="C")
    again = run(checkout, path, "up", "--fresh", LC_ALL="C")

    here = f"{checkout}/src\n{checkout}/src\nC\n"
    assert first.stdout == f"{here}-P -m mousetrap.cli sources check a file\n"
    assert again.stdout == f"{here}-P -m mousetrap.stack --data {checkout}/.mousetrap --fresh\n"
    assert (first.returncode, again.returncode, again.stderr) == (7, 7, "")
    assert packages_of_pants.read_text() == "True package src/mousetrap/stack:packages\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the signals of a process")
@pytest.mark.usefixtures("packages_of_pants")
def test_programs_start_with_ctrl_c_blocked(checkout: Path, path: Path) -> None:
    run(checkout, path, "mousetrap")
    [python] = (path.parent / ".cache/mousetrap").glob("programs-*/venv/bin/python")
    python.write_text("#!/bin/sh\nexec grep SigBlk /proc/self/status\n")

    done = run(checkout, path, "up")

    blocked = int(done.stdout.split()[1], base=16)
    assert blocked == 1 << signal.SIGINT - 1


@pytest.mark.usefixtures("packages_of_pants")
def test_programs_run_from_a_cache_that_cannot_be_written(checkout: Path, path: Path) -> None:
    run(checkout, path, "mousetrap")
    (path / "touch").unlink()
    (path / "touch").write_text("#!/bin/sh\necho 'touch: Read-only file system' >&2\nexit 1\n")
    (path / "touch").chmod(0o755)

    done = run(checkout, path, "mousetrap", "jobs")

    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.endswith("-P -m mousetrap.cli jobs\n")


@pytest.mark.parametrize(
    ("change", "built"),
    [
        (("src/mousetrap/stack/app.py", "import os\n\nos.getpid()\n"), 1),
        (("src/mousetrap/stack/app.py", "import os\nimport msgspec\n"), 2),
        (("3rdparty/default.lock", "msgspec==1.0\n"), 2),
        (("src/mousetrap/stack/BUILD", "python_sources()\n"), 2),
    ],
)
def test_packages_are_built_again_when_others_may_be_needed(
    checkout: Path, path: Path, packages_of_pants: Path, change: tuple[str, str], built: int
) -> None:
    run(checkout, path, "mousetrap")
    file, text = change
    (checkout / file).write_text(text)

    assert run(checkout, path, "mousetrap").returncode == 7
    assert len(packages_of_pants.read_text().splitlines()) == built


@pytest.mark.usefixtures("packages_of_pants")
def test_a_build_that_fails_says_why_and_is_tried_again(checkout: Path, path: Path) -> None:
    failed = run(checkout, path, "up", BROKEN="the lock is wrong")

    assert failed.returncode == 1
    assert failed.stderr.endswith("\nthe lock is wrong\n")
    assert run(checkout, path, "up").returncode == 7


def test_ctrl_c_while_packages_are_built_is_silent(
    checkout: Path, path: Path, packages_of_pants: Path
) -> None:
    launcher = path / "pants"
    launcher.write_text("#!/bin/sh\necho 'Traceback'\necho >\"$HOME/building\"\nread -r _\n")
    building = path.parent / "building"
    os.mkfifo(building)

    with start(checkout, path, "up") as process:
        building.read_text()
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert process.returncode in {130, -signal.SIGINT}
    [line] = err.splitlines()
    assert line.startswith("pants: setting up programs once")
    assert not packages_of_pants.exists()


@pytest.mark.usefixtures("pex")
def test_without_a_launcher_the_python_of_pants_is_asked_for(checkout: Path, path: Path) -> None:
    done = run(checkout, path, "--version")

    assert done.returncode == 1
    assert done.stderr.startswith("pants: missing: CPython 3.9 (")


# Stands for uv: notes how it was called, and installs what its environment says.
UV = """#!/bin/sh
echo "$*" >>"$HOME/uv.log"
for version in $UV_INSTALLS; do
    folder=$UV_PYTHON_INSTALL_DIR/cpython-$version.1-here/bin
    mkdir -p "$folder"
    printf '#!/bin/sh\\necho "%s"\\n' "$folder/python$version" >"$folder/python$version"
    chmod +x "$folder/python$version"
done
"""


@pytest.fixture
def packages(checkout: Path, path: Path) -> dict[str, str]:
    """A machine with one Python and a package index with uv; returns the environment for both."""
    (path / "python3").symlink_to(sys.executable)
    folder = path.parent / "packages"
    folder.mkdir()
    wheel = folder / "uv-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        script = zipfile.ZipInfo("uv-1.0.data/scripts/uv")
        script.external_attr = 0o100755 << 16
        archive.writestr(script, UV)
        for name, text in {
            "METADATA": "Metadata-Version: 2.1\nName: uv\nVersion: 1.0\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }.items():
            archive.writestr(f"uv-1.0.dist-info/{name}", text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (checkout / "3rdparty/uv.lock").write_text(f"uv==1.0 --hash=sha256:{digest}\n")
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


def test_pythons_that_are_missing_come_from_the_uv_of_the_lock(
    checkout: Path, path: Path, packages: dict[str, str]
) -> None:
    done = run(checkout, path, "--version", UV_INSTALLS="3.9 3.13", **packages)

    # They are no real ones, so that setting up ends with them.
    assert done.stderr.startswith("pants: setting up uv once")
    assert "pants: setting up pex once" in done.stderr
    assert "missing:" not in done.stderr
    assert (path.parent / "uv.log").read_text() == "python install --quiet 3.13 3.9\n"
    assert not (path.parent / ".local").exists()


def test_an_installation_that_fails_is_said(
    checkout: Path, path: Path, packages: dict[str, str]
) -> None:
    done = run(checkout, path, "--version", UV_INSTALLS="3.9", **packages)

    assert done.returncode == 1
    assert done.stderr.splitlines()[1].startswith("pants: missing: CPython 3.13 and 3.9")


def test_a_uv_with_another_hash_is_not_run(
    checkout: Path, path: Path, packages: dict[str, str]
) -> None:
    (checkout / "3rdparty/uv.lock").write_text(f"uv==1.0 --hash=sha256:{'0' * 64}\n")

    done = run(checkout, path, "--version", UV_INSTALLS="3.9 3.13", **packages)

    assert done.returncode == 1
    assert "pants: missing: CPython 3.13 and 3.9" in done.stderr
    assert not (path.parent / "uv.log").exists()


def test_a_home_that_is_not_set_is_said(checkout: Path, path: Path) -> None:
    done = run(checkout, path, "--version", HOME="")

    assert done.returncode != 0
    assert "HOME" in done.stderr
    assert "set it" in done.stderr
