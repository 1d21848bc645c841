"""Helm, and the objects that it makes of the chart."""

import functools
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.files import text

CHART: Final = Path("deploy/chart").resolve()
LOCKED: Final = Path("3rdparty/helm").resolve()
"""The program that `3rdparty/helm.lock` names, an executable for Linux on x86-64."""

OLDEST: Final = "1.25"
NEWEST: Final = "1.37"
SUPPORTED: Final = (OLDEST, NEWEST)

Object = dict[str, Any]
Values = Mapping[str, Any]


@functools.cache
def program() -> str:
    """Return the path of Helm; where the locked one does not run, there may be none."""
    if LOCKED.exists() and (sys.platform, platform.machine()) == ("linux", "x86_64"):
        return str(LOCKED)
    found = shutil.which("helm")
    if found is None:
        pytest.skip("the locked Helm does not run here, and there is no other one on the PATH")
    return found


def helm(*arguments: str, values: Values) -> subprocess.CompletedProcess[str]:
    """Run Helm with values, without a cluster and without a network."""
    return _ran(arguments, json.dumps(values))


@functools.cache
def _ran(arguments: tuple[str, ...], values: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as home:
        return subprocess.run(
            [program(), *arguments, "--values", "-"],
            input=values,
            env={"HOME": home},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def template(
    values: Values, *, release: str = "m", kubernetes: str = NEWEST, chart: Path = CHART
) -> subprocess.CompletedProcess[str]:
    """Have Helm render the chart."""
    options = ("--namespace", "maps", "--kube-version", f"{kubernetes}.0")
    return helm("template", release, str(chart), *options, values=values)


def render(
    values: Values, *, release: str = "m", kubernetes: str = NEWEST, chart: Path = CHART
) -> list[Object]:
    """Return the objects of the chart; the values have to be good ones."""
    done = template(complete(values, chart), release=release, kubernetes=kubernetes, chart=chart)
    assert done.returncode == 0, done.stderr
    return [it for it in yaml.load_all(done.stdout, yaml.CSafeLoader) if it]


def refusal(values: Values, **options: Any) -> str:
    """Return what Helm says of bad values."""
    done = template(values, **options)
    assert done.returncode != 0
    return done.stderr


def complete(values: Values, chart: Path = CHART) -> dict[str, Any]:
    """Return values with the settings that workers need, as deploy/.env.example gives them."""
    if chart.is_file():  # an archive of the same chart
        chart = CHART
    workers = dict(values.get("workers", {}))
    for name, worker in yaml.safe_load((chart / "files/workers.yaml").read_text("utf-8")).items():
        given = workers.get(name, {})
        settings = given.get("settings", {})
        missing = {it: example(it) for it in worker["needs"] if it not in settings}
        if missing:
            workers[name] = {**given, "settings": settings | missing}
    return {**values, "workers": workers}


def example(setting: str) -> str:
    [found] = re.findall(rf"^{setting.upper()}=(.*)$", text(".env.example"), re.MULTILINE)
    return str(found)


def values(name: str) -> dict[str, Any]:
    """Return the values in a file of the chart's folder `ci`."""
    found: dict[str, Any] = yaml.safe_load((CHART / f"ci/{name}-values.yaml").read_text("utf-8"))
    return found


@functools.cache
def rendered(name: str) -> tuple[Object, ...]:
    """Return the objects that the values in a file of the chart's folder `ci` make."""
    return tuple(render(values(name)))


def of_kind(objects: tuple[Object, ...] | list[Object], kind: str) -> dict[str, Object]:
    """Return the objects of a kind by their component."""
    return {component(it): it for it in objects if it["kind"] == kind}


def component(found: Object) -> str:
    return str(found["metadata"]["labels"]["app.kubernetes.io/component"])


def pods(objects: tuple[Object, ...] | list[Object]) -> dict[str, Object]:
    """Return the specs of all pods by their component."""
    return {
        component(it): it["spec"] if it["kind"] == "Pod" else it["spec"]["template"]["spec"]
        for it in objects
        if it["kind"] in {"Deployment", "Job", "Pod", "StatefulSet"}
    }


def containers(objects: tuple[Object, ...] | list[Object]) -> dict[str, Object]:
    """Return all containers by their name; that of the only one of a pod is its component."""
    return {it["name"]: it for pod in pods(objects).values() for it in every_container(pod)}


def every_container(pod: Object) -> Iterator[Object]:
    yield from pod.get("initContainers", ())
    yield from pod["containers"]
