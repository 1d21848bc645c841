"""The chart that `./pants package` makes is the one that the other tests check."""

import json
import re
import tarfile
from pathlib import Path
from typing import Final

import pytest
import yaml
from plugins.charts import archive

from deploy.files import DEPLOY
from kubernetes.rendering import CHART, containers, helm, render, values

PACKAGED: Final = Path("mousetrap-1.0.0.tgz").resolve()

by_pants = pytest.mark.skipif(not PACKAGED.exists(), reason="only Pants packages the chart")


def packed() -> dict[str, tarfile.TarInfo]:
    with tarfile.open(PACKAGED) as archive:
        return {member.name.removeprefix("mousetrap/"): member for member in archive}


def content(path: str) -> str:
    with tarfile.open(PACKAGED) as archive:
        file = archive.extractfile(f"mousetrap/{path}")
        assert file is not None
        return file.read().decode()


@by_pants
def test_it_has_every_file_but_those_of_the_repository() -> None:
    files = {str(it.relative_to(CHART)) for it in CHART.rglob("*") if it.is_file()}

    assert set(packed()) == {it for it in files if not it.startswith("ci/") and it != "BUILD"}
    for path in set(packed()) - {"Chart.yaml"}:
        assert content(path) == (CHART / path).read_text("utf-8"), path


@by_pants
def test_equal_content_has_equal_bytes() -> None:
    members = packed()

    assert list(members) == sorted(members)
    for member in members.values():
        assert member.isfile()
        assert (member.uid, member.gid, member.mtime) == (0, 0, 1_700_000_000)
    assert PACKAGED.read_bytes()[4:8] == (1_700_000_000).to_bytes(4, "little")  # of gzip


@by_pants
def test_it_runs_the_images_of_the_commit_that_it_was_built_from() -> None:
    chart = yaml.safe_load(content("Chart.yaml"))
    said = values("trial")
    said["image"].pop("tag")

    image = containers(render(said, chart=PACKAGED))["api"]["image"]

    assert re.fullmatch(r"[0-9a-f]{12}(-dirty)?", chart["appVersion"])
    assert image == f"mousetrap/api:{chart['appVersion']}"


@by_pants
def test_version_is_that_of_the_images() -> None:
    [version] = re.findall(
        r"image\.version=(\S+)", (DEPLOY / "images/Dockerfile").read_text("utf-8")
    )

    assert yaml.safe_load(content("Chart.yaml"))["version"] == version


@by_pants
def test_lint_has_nothing_to_say_about_it() -> None:
    done = helm("lint", "--strict", "--quiet", str(PACKAGED), values=values("production"))

    assert done.returncode == 0, done.stdout


DIGESTS: Final = {name: f"sha256:{name[0].encode().hex() * 32}" for name in ("api", "fetch-worker")}


def source() -> dict[str, bytes]:
    return {str(it.relative_to(CHART)): it.read_bytes() for it in CHART.rglob("*") if it.is_file()}


def test_it_pins_the_images_of_a_registry_by_their_digests(tmp_path: Path) -> None:
    files = archive.released(source(), "0123456789ab", "registry.example/maps", json.dumps(DIGESTS))
    packaged = tmp_path / archive.name(files)
    packaged.write_bytes(archive.packed("mousetrap", files))
    said = values("trial")
    said["image"].pop("tag")

    found = containers(render(said, chart=packaged))

    assert packaged.name == "mousetrap-1.0.0.tgz"
    for name, digest in DIGESTS.items():
        assert found[name]["image"] == f"registry.example/maps/{name}:0123456789ab@{digest}"
    assert found["process-worker"]["image"] == "registry.example/maps/process-worker:0123456789ab"


@pytest.mark.parametrize(
    ("digests", "said"),
    [
        ('{"api": "latest"}', "api needs"),
        ('{"api": null}', "api needs"),
        ("api", "is no JSON"),
        ('["api"]', "is no JSON object"),
        ("null", "is no JSON object"),
    ],
)
def test_it_is_not_made_with_digests_that_are_none(digests: str, said: str) -> None:
    with pytest.raises(archive.ChartError, match=said):
        archive.released(source(), None, None, digests)
