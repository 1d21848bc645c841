"""These tests bring the real stacks up, with the images that `./pants package ::` built. That takes
minutes and a Docker engine, so they run only when TEST_CONTAINERS=1 asks for them, as CI does."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.docker import Stack, docker
from mousetrap.stack import ports


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(400))
            if os.environ.get("TEST_CONTAINERS") != "1":
                item.add_marker(pytest.mark.skip("TEST_CONTAINERS=1 runs it, on a Docker engine"))


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder deploy/ in a copy of the repository, to which secrets can be added."""
    root = tmp_path_factory.mktemp("repository")
    shutil.copytree("deploy", root / "deploy")
    shutil.copy("compose.yaml", root)
    return root / "deploy"


@pytest.fixture(scope="module")
def port() -> int:
    return ports.free(1)[0]


@pytest.fixture(scope="module")
def feed() -> Iterator[str]:
    """A week of earthquakes, served in a container; joins a network as `feed`."""
    resources = Path("tests/resources").resolve()
    serve = ("-m", "http.server", "--directory", "/feed", "8000")
    container = docker(
        *("run", "--detach", "--rm", "--network", "none", "--volume", f"{resources}:/feed:ro"),
        *("--entrypoint", "/app/bin/python", "mousetrap/fetch-worker", *serve),
    )
    docker("network", "disconnect", "none", container)
    yield container
    docker("rm", "--force", container)


@pytest.fixture(scope="module")
def sources(deploy: Path) -> Path:
    """The sources of these tests: one of each kind."""
    path = deploy.parent / "sources.toml"
    path.write_text(
        'default = "demo"\n[sources.demo]\nkind = "faker"\ncount = 7\n'
        '[sources.earthquakes]\nkind = "geojson"\nname_property = "title"\n'
        'url = "http://feed:8000/usgs-all-week.geojson"\nallow_private = true\n'
    )
    path.chmod(0o644)
    return path


def stopped(stack: Stack, service: str) -> int:
    """Stop a service as its operator would; return the exit code of its container."""
    stack("stop", service)
    code: int = stack.inspect(service)["State"]["ExitCode"]
    return code
