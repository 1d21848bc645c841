"""`./pants` before there is a Pants."""

import hashlib
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

FILES = ("pants", "3rdparty/pants.lock", "3rdparty/pex.lock", "3rdparty/uv.lock")
TOOLS = ("cat", "chmod", "cksum", "cut", "dirname", "find", "mktemp", "mkdir", "rm", "sed", "sh")


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
    # What pyenv leaves on the PATH for a version that is not switched on.
    shim = path / "python3.13"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)

    done = run(checkout, path, "--version")

    assert done.returncode == 1
    assert done.stderr.startswith("pants: missing: CPython 3.13 and 3.9")


@pytest.fixture
def pex(checkout: Path, path: Path) -> None:
    """What was set up before: a Pex, and the Python that runs the code."""
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
    assert run(checkout, path, "up").stdout == "True\n"


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
