"""The API servers of the oldest and the newest supported Kubernetes would accept every object."""

import copy
from typing import Any, Final

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from kubernetes.rendering import (
    CHART,
    NEWEST,
    OLDEST,
    SUPPORTED,
    helm,
    refusal,
    render,
    rendered,
    values,
)

RESOURCES: Final = {"HTTPRoute", "PrometheusRule", "ScaledObject", "ServiceMonitor"}
"""Kinds that others define: Kubernetes has no schema for them."""

LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?"
SWITCHES: Final = (
    ("podDisruptionBudget", "enabled"),
    ("networkPolicy", "enabled"),
    ("postgres", "enabled"),
    ("valkey", "enabled"),
    ("ingress", "enabled"),
    ("gateway", "enabled"),
    ("monitoring", "serviceMonitor", "enabled"),
    ("monitoring", "prometheusRule", "enabled"),
    ("api", "autoscaling", "enabled"),
    ("worker", "autoscaling", "enabled"),
)


def check(found: dict[str, Any], version: str) -> None:
    if found["kind"] not in RESOURCES:
        kubernetes_validate.validate(found, version, strict=True)
    for part in (found["metadata"]["name"], *found["metadata"]["labels"].values()):
        assert len(part) <= 63, part
        assert part[-1].isalnum()


@pytest.mark.parametrize("version", SUPPORTED)
@pytest.mark.parametrize("file", ["trial", "production"])
def test_every_object_has_the_form_that_kubernetes_wants(file: str, version: str) -> None:
    for found in render(values(file), kubernetes=version):
        check(found, version)


def test_misspelt_field_would_be_found() -> None:
    [deployment, *_] = [it for it in rendered("trial") if it["kind"] == "Deployment"]
    wrong = copy.deepcopy(deployment)
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError):
        check(wrong, NEWEST)


# Each example is a run of Helm, too slow for hypothesis to look for a smaller one.
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    release=st.from_regex(LABEL, fullmatch=True),
    tag=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,40}", fullmatch=True),
    switches=st.lists(st.booleans(), min_size=len(SWITCHES), max_size=len(SWITCHES)),
    version=st.sampled_from(SUPPORTED),
)
@example(release="a" * 53, tag="1.0.0_dirty-", switches=[True] * len(SWITCHES), version=OLDEST)
@example(release="0", tag="1e5", switches=[True] * len(SWITCHES), version=NEWEST)
def test_every_combination_of_switches_has_it_too(
    release: str, tag: str, switches: list[bool], version: str
) -> None:
    said: dict[str, Any] = values("production")
    said["image"] |= {"tag": tag, "digests": {}}
    for path, on in zip(SWITCHES, switches, strict=True):
        place = said
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = on

    objects = render(said, release=release, kubernetes=version)

    for found in objects:
        check(found, version)
    told = [(it["kind"], it["metadata"]["name"]) for it in objects]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("file", ["trial", "production"])
def test_lint_has_nothing_to_say(file: str) -> None:
    done = helm("lint", "--strict", "--quiet", str(CHART), values=values(file))

    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


def test_kubernetes_that_is_too_old_is_refused() -> None:
    before = "1.{}".format(int(OLDEST.removeprefix("1.")) - 1)

    assert f"requires kubeVersion: >={OLDEST}.0-0" in refusal(values("trial"), kubernetes=before)


def test_values_that_the_chart_is_checked_with_switch_everything_on() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    for path in SWITCHES:
        found = []
        for said in (defaults, values("trial"), values("production")):
            place: Any = said
            for name in path:
                place = place.get(name, {})
            found.append(place)
        assert True in found, path
