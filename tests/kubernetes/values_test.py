"""The values of the chart: all are described, bad ones are refused with what to do."""

import re
from pathlib import Path
from typing import Any, Final

import chart
import pytest
import yaml

from deploy.files import WORKERS
from kubernetes.rendering import (
    CHART,
    complete,
    containers,
    helm,
    of_kind,
    refusal,
    render,
    values,
)
from mousetrap.queue.stages import STAGES
from mousetrap.settings import environment
from mousetrap.settings.process import DEPLOYABLES

GOOD: Final = {"image": {"tag": "x"}, "sources": "default = 1"}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"image": {}}, "image.tag: name the revision to run"),
        ({"sources": ""}, "sources: give the text of sources.toml"),
        ({"sourcesConfigMap": "mine"}, "sources, sourcesConfigMap: keep one"),
        ({"ingress": {"enabled": True}}, "hosts: name at least one"),
        (
            {"gateway": {"enabled": True}, "hosts": ["a.example"]},
            "trustedProxies: give the networks",
        ),
        (
            {
                "ingress": {"enabled": True},
                "hosts": ["a.example"],
                "trustedProxies": ["10.0.0.0/8"],
            },
            "networkPolicy.front: name the pods of the proxy behind ingress",
        ),
        (
            {"worker": {"autoscaling": {"enabled": True}}},
            "worker.autoscaling.prometheus: the address",
        ),
        ({"image": {"tag": "x", "digests": {"api": "sha256:abc"}}}, "/image/digests/api"),
        ({"api": {"settings": {"rate_limitt": 5}}}, "'rate_limitt' not allowed"),
        ({"api": {"settings": {"redis_url": "redis://x/0"}}}, "'redis_url' not allowed"),
        ({"api": {"settings": {"pool_size": 0}}}, "/api/settings/pool_size"),
        ({"api": {"settings": {"open": True}}}, "/api/settings/open"),
        ({"api": {"replica": 3}}, "'replica' not allowed"),
        ({"workers": {"fetch": {"replicas": 3}}}, "'fetch' not allowed"),
        ({"workers": {"fetch-worker": {"settings": {"retention": 3}}}}, "'retention' not allowed"),
        ({"worker": {"autoscaling": {"minReplicas": 0}}}, "/worker/autoscaling/minReplicas"),
        ({"trustedProxies": ["proxy.example"]}, "/trustedProxies/0"),
        ({"secret": ""}, "/secret"),
        ({"topologySpread": "Never"}, "/topologySpread"),
    ],
)
def test_bad_values_are_refused_with_what_to_do(bad: dict[str, Any], said: str) -> None:
    assert said in refusal(complete(GOOD | bad))


def test_every_value_is_described() -> None:
    text = (CHART / "values.yaml").read_text("utf-8")
    described = {path for path, _, _ in chart.described(text)}

    def leaves(found: Any, *path: str) -> set[str]:
        inner = ".".join(path)
        if inner in described or not isinstance(found, dict):
            return {inner}
        return set().union(*(leaves(it, *path, name) for name, it in found.items()))

    assert leaves(yaml.safe_load(text)) == described


@pytest.mark.parametrize("name", ["api", *WORKERS])
def test_every_setting_can_be_given_that_the_chart_does_not_give(name: str) -> None:
    kind = DEPLOYABLES[name.replace("-", "_")]
    own = {"grace": 5, "log_level": "debug", "lease": 7.5}
    said = {"api": {"settings": own}} if name == "api" else {"workers": {name: {"settings": own}}}

    container = containers(render(GOOD | said))[name]

    given = {it["name"]: it["value"] for it in container["env"]}
    assert (
        given.items()
        >= {
            "MOUSETRAP_GRACE": "5",
            "MOUSETRAP_LOG_LEVEL": "debug",
            "MOUSETRAP_LEASE": "7.5",
        }.items()
    )
    schema = chart._settings(name.replace("-", "_"))  # noqa: SLF001 - its promise
    assert set(schema) == set(kind.__struct_fields__) - chart.GIVEN
    by_chart = {environment.variable(it) for it in chart.GIVEN}
    assert not by_chart & {environment.variable(it) for it in schema}


def test_values_of_a_worker_go_before_those_of_all_workers() -> None:
    said = {
        "worker": {"replicas": 3, "settings": {"log_level": "debug"}},
        "workers": {"fetch-worker": {"replicas": 5, "settings": {"concurrency": 8}}},
    }

    found = of_kind(render(GOOD | said), "Deployment")

    assert {
        name: found[name]["spec"]["replicas"] for name in ("fetch-worker", "process-worker")
    } == {
        "fetch-worker": 5,
        "process-worker": 3,
    }
    [container] = found["fetch-worker"]["spec"]["template"]["spec"]["containers"]
    given = {it["name"]: it["value"] for it in container["env"]}
    assert (given["MOUSETRAP_LOG_LEVEL"], given["MOUSETRAP_CONCURRENCY"]) == ("debug", "8")


def test_pods_start_anew_when_their_sources_change() -> None:
    def annotations(sources: str) -> dict[str, Any]:
        found = of_kind(render(GOOD | {"sources": sources}), "Deployment")
        return {
            name: it["spec"]["template"]["metadata"].get("annotations")
            for name, it in found.items()
        }

    one, other = annotations("default = 1"), annotations("default = 2")

    readers = {"api", *(name for name, it in WORKERS.items() if reads_sources(it.worker))}
    assert {name for name in one if one[name] != other[name]} == readers


def reads_sources(worker: str) -> bool:
    return "sources_file" in DEPLOYABLES[worker].__struct_fields__


def test_further_things_of_the_operator_are_in_the_pods() -> None:
    said = values("production")
    [container] = of_kind(render(said), "Deployment")["fetch-worker"]["spec"]["template"]["spec"][
        "containers"
    ]

    [mount] = said["workers"]["fetch-worker"]["extraVolumeMounts"]
    assert mount in container["volumeMounts"]
    pod = of_kind(render(said), "Deployment")["process-worker"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == said["worker"]["nodeSelector"]
    assert pod["tolerations"] == said["worker"]["tolerations"]
    assert pod["priorityClassName"] == "batch"
    assert pod["imagePullSecrets"] == said["image"]["pullSecrets"]


@pytest.mark.parametrize("number", [0, 1])
def test_values_on_the_page_for_operators_are_good_ones(number: int) -> None:
    page = Path("docs/operations/kubernetes.md").read_text("utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)

    assert len(blocks) == 2
    assert render(yaml.safe_load(blocks[number]))


def test_stages_are_known() -> None:
    assert [WORKERS[name] for name in chart_workers()] == list(STAGES)


def chart_workers() -> list[str]:
    return list(yaml.safe_load((CHART / "files/workers.yaml").read_text("utf-8")))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "name others in networkPolicy.front"),
        ({"networkPolicy": {"enabled": False}}, "No NetworkPolicy keeps the processes apart"),
        ({"postgres": {"enabled": True}}, "The bundled Postgres is for trials"),
    ],
)
def test_notes_tell_the_operator_what_is_missing(said: dict[str, Any], expected: str) -> None:
    good = complete(GOOD | said)
    done = helm("install", "m", str(CHART), "--namespace", "maps", "--dry-run=client", values=good)

    _, _, notes = done.stdout.partition("\nNOTES:\n")
    assert expected in notes, done.stderr
    assert "kubectl -n maps port-forward service/m-mousetrap-api 8000" in notes
