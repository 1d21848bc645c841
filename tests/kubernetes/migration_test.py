"""The migration is a Job of its own for each revision, and for each change of its template."""

import re
from typing import Any, Final

import pytest

from deploy.files import WORKERS
from kubernetes.rendering import Object, of_kind, render

GOOD: Final = {"image": {"tag": "0123456789ab"}, "sources": "default = 1"}


def job(**values: Any) -> Object:
    return of_kind(render(GOOD | values), "Job")["migrate"]


def test_its_name_tells_the_revision() -> None:
    assert re.fullmatch(r"m-mousetrap-migrate-0123456789ab-[0-9a-f]{8}", job()["metadata"]["name"])
    by_digest = job(image={"digests": digests()})["metadata"]["name"]
    assert re.fullmatch(r"m-mousetrap-migrate-[0-9a-f]{8}", by_digest)


def digests() -> dict[str, str]:
    return {name: f"sha256:{number:064}" for number, name in enumerate(("api", *WORKERS))}


@pytest.mark.parametrize(
    "change",
    [
        {"image": {"tag": "ba9876543210"}},
        {"image": {"tag": "0123456789ab", "digests": digests()}},
        {"secret": "another"},
        {"migrate": {"podLabels": {"a": "b"}}},
        {"migrate": {"resources": {"limits": {"cpu": "2"}}}},
    ],
)
def test_another_template_is_another_job(change: dict[str, Any]) -> None:
    changed, before = job(**change), job()

    assert changed["spec"]["template"] != before["spec"]["template"]
    assert changed["metadata"]["name"] != before["metadata"]["name"]


@pytest.mark.parametrize("change", [{"api": {"replicas": 9}}, {"sources": "default = 2"}])
def test_other_changes_leave_it_alone(change: dict[str, Any]) -> None:
    assert job(**change) == job()


def test_it_runs_the_migration_and_is_tried_again() -> None:
    spec = job()["spec"]
    [container] = spec["template"]["spec"]["containers"]

    assert container["args"] == ["migrate"]
    assert "Probe" not in str(container)
    assert spec["backoffLimit"] == 5  # as `on-failure:5` in deploy/production.yaml
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # the logs of failures stay
