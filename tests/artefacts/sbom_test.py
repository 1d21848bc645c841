"""The bills of materials beside the PEX files (CycloneDX 1.6)."""

import hashlib
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from artefacts.files import pex, sbom
from mousetrap.settings.process import DEPLOYABLES

PROGRAMS = [*DEPLOYABLES, "mousetrap"]
every = pytest.mark.parametrize("deployable", PROGRAMS)


def materials(deployable: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sbom(deployable).read_bytes())
    return found


def libraries(deployable: str) -> dict[str, dict[str, Any]]:
    components = materials(deployable)["components"]
    return {it["name"]: it for it in components if it["type"] == "library"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@every
def test_names_just_what_the_file_holds(deployable: str) -> None:
    with zipfile.ZipFile(pex(deployable)) as archive:
        wheels = json.loads(archive.read("PEX-INFO"))["distributions"]

    named = {(name, it["version"]) for name, it in libraries(deployable).items()}

    assert named == {(normal(wheel.split("-")[0]), wheel.split("-")[1]) for wheel in wheels}


@every
def test_every_package_is_one_of_the_lock(deployable: str) -> None:
    lock = re.split(r"\n(?=\w)", Path("3rdparty/default.lock").read_text("utf-8"))
    for name, library in libraries(deployable).items():
        head = rf"{name.replace('-', '[-_.]')}(\[.*\])?=={re.escape(library['version'])} "
        [entry] = [it for it in lock if re.match(head, it, re.IGNORECASE)]
        [distribution] = library["externalReferences"]
        hashes = {it["content"] for it in distribution["hashes"]}
        assert hashes == set(re.findall("sha256:([0-9a-f]{64})", entry))
        assert library["purl"] == library["bom-ref"] == f"pkg:pypi/{name}@{library['version']}"


@every
def test_names_the_file_and_its_image(deployable: str) -> None:
    root = materials(deployable)["metadata"]["component"]
    digest = hashlib.sha256(pex(deployable).read_bytes()).hexdigest()

    assert root["properties"] == [{"name": "mousetrap:pex:sha256", "value": digest}]
    if deployable in DEPLOYABLES:
        assert root["type"] == "container"
        assert root["name"] == f"mousetrap/{deployable.replace('_', '-')}"
        [base] = [it for it in materials(deployable)["components"] if it["type"] == "container"]
        assert "python" in base["name"]
    else:
        assert (root["type"], root["name"]) == ("application", deployable)


@every
def test_every_component_follows_from_the_program(deployable: str) -> None:
    document = materials(deployable)
    edges = {it["ref"]: it["dependsOn"] for it in document["dependencies"]}
    reached, todo = set(), [document["metadata"]["component"]["bom-ref"]]
    while todo:
        ref = todo.pop()
        if ref not in reached:
            reached.add(ref)
            todo += edges.get(ref, [])

    refs = [it["bom-ref"] for it in document["components"]]
    assert len(refs) == len(set(refs))
    assert reached == {*refs, document["metadata"]["component"]["bom-ref"]}


@every
def test_is_the_same_in_every_build(deployable: str) -> None:
    """`.ci/images` compares two builds; this finds a clock or a machine that both share."""
    document = materials(deployable)

    assert document["metadata"].keys() == {"component"}
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", document["serialNumber"])
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
