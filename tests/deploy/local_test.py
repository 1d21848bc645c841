"""deploy/local.yaml and deploy/development.yaml: nobody else reaches them, and they are like
production where it matters."""

import re
from pathlib import Path
from typing import Final

import msgspec
import pytest
import yaml

from deploy.files import DATA, PROCESSES, services, text
from mousetrap.settings import process
from mousetrap.settings.process import DEPLOYABLES, MigrateSettings

KINDS: Final[dict[str, type[msgspec.Struct]]] = {
    "migrate": MigrateSettings,
    **{name.replace("_", "-"): kind for name, kind in DEPLOYABLES.items()},
}


def test_docker_compose_up_is_all() -> None:
    top = yaml.safe_load(Path("compose.yaml").read_text("utf-8"))

    assert top == {"name": "mousetrap", "include": ["deploy/local.yaml"]}


@pytest.mark.parametrize("file", ["local.yaml", "development.yaml"])
def test_ports_are_those_of_this_machine_only(file: str) -> None:
    ports = [port for service in services(file).values() for port in service.get("ports", [])]

    assert ports
    assert all(re.fullmatch(r"127\.0\.0\.1:\$\{\w+:-\d+\}:\d+", port) for port in ports)


def test_development_runs_the_servers_and_nothing_else() -> None:
    assert services("development.yaml").keys() == DATA


@pytest.mark.parametrize("name", sorted(DATA | PROCESSES | {"admin"}))
def test_what_an_image_may_not_do_in_production_it_may_not_do_here(name: str) -> None:
    service = services("local.yaml")[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(PROCESSES | {"admin"}))
def test_settings_are_accepted(name: str) -> None:
    found = services("local.yaml")[name]["environment"]
    given = {key: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value) for key, value in found.items()}

    assert isinstance(process.load(KINDS[name], given), KINDS[name])


def test_images_of_servers_are_those_of_production() -> None:
    examples = dict(re.findall(r"^(\w+_IMAGE)=(\S+)$", text(".env.example"), re.MULTILINE))

    for name in DATA:
        variable = f"{name.upper()}_IMAGE"
        expected = f"${{{variable}:-{examples[variable]}}}"
        assert services("local.yaml")[name]["image"] == expected


def test_images_of_ours_are_built_here_and_never_pulled() -> None:
    for name in PROCESSES | {"admin"}:
        service = services("local.yaml")[name]
        assert service["image"].startswith("mousetrap/")
        assert service["pull_policy"] == "never"
