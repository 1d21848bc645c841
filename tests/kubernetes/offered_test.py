"""Objects for what a cluster may offer: proxies, scaling, Prometheus' operator."""

from typing import Any, Final

import catalogue
import pytest
import yaml

from deploy.files import WORKERS, services, text
from kubernetes.rendering import of_kind, render, rendered, values
from mousetrap.queue.stages import STAGES

PROCESSES: Final = ("api", *WORKERS)


def spec(kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = of_kind(rendered("production"), kind)[name]["spec"]
    return found


def test_by_default_none_of_it_is_there() -> None:
    kinds = {it["kind"] for it in rendered("trial")}

    offered = {"HTTPRoute", "HorizontalPodAutoscaler", "Ingress", "PrometheusRule", "ScaledObject"}
    assert not kinds & {*offered, "ServiceMonitor"}


def test_ingress_and_route_serve_all_hosts_at_the_path_of_the_api() -> None:
    said = values("production")
    service = of_kind(rendered("production"), "Service")["api"]
    name = service["metadata"]["name"]
    ingress, route = spec("Ingress", "api"), spec("HTTPRoute", "api")

    assert ingress["ingressClassName"] == "nginx"
    assert ingress["tls"] == [{"hosts": said["hosts"], "secretName": "api-example"}]
    assert [it["host"] for it in ingress["rules"]] == said["hosts"]
    for rule in ingress["rules"]:
        [path] = rule["http"]["paths"]
        assert (path["path"], path["pathType"]) == ("/geo", "Prefix")
        assert path["backend"] == {"service": {"name": name, "port": {"name": "http"}}}
    assert (route["hostnames"], route["parentRefs"]) == (
        said["hosts"],
        said["gateway"]["parentRefs"],
    )
    [rule] = route["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/geo"}}]
    assert rule["backendRefs"] == [{"name": name, "port": 8000}]
    assert service["spec"]["ports"] == [{"name": "http", "port": 8000, "targetPort": "http"}]


def test_api_is_scaled_by_its_processor_time_within_its_connections() -> None:
    scaler = spec("HorizontalPodAutoscaler", "api")

    assert scaler["scaleTargetRef"]["name"] == "m-mousetrap-api"
    [metric] = scaler["metrics"]
    assert metric["resource"]["name"] == "cpu"
    assert "replicas" not in spec("Deployment", "api")
    surge = spec("Deployment", "api")["strategy"]["rollingUpdate"]["maxSurge"]
    assert (scaler["maxReplicas"] + surge) * 6 <= limit("api")


def limit(role: str) -> int:
    [line] = [
        it for it in text("postgres/roles.sql").splitlines() if f"mousetrap_{role} CONNECTION" in it
    ]
    return int(line.removesuffix(";").split()[-1])


@pytest.mark.parametrize("stage", STAGES, ids=lambda it: it.name)
def test_workers_are_scaled_by_their_queues(stage: Any) -> None:
    name = stage.worker.replace("_", "-")
    scaler = spec("ScaledObject", name)

    assert scaler["scaleTargetRef"] == {"name": f"m-mousetrap-{name}"}
    assert scaler["minReplicaCount"] >= 1  # schedules and the reconciler never rest
    [trigger] = scaler["triggers"]
    assert trigger["type"] == "prometheus"
    query = f'max(mousetrap_queue_messages{{queue="{stage.name}",namespace="maps"}})'
    assert trigger["metadata"]["query"] == query
    assert trigger["metadata"]["threshold"] == "100"
    assert "mousetrap_queue_messages" in {
        it.name for it in catalogue.kinds(catalogue.processes()["api"])
    }
    assert "replicas" not in spec("Deployment", name)


def test_process_workers_stay_within_their_connections() -> None:
    assert (spec("ScaledObject", "process-worker")["maxReplicaCount"] + 1) * 5 <= limit("process")


def test_prometheus_asks_every_replica_of_every_process() -> None:
    for name in PROCESSES:
        found = of_kind(rendered("production"), "ServiceMonitor")[name]
        service = of_kind(rendered("production"), "Service")[name]
        monitor = found["spec"]
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        pod = spec("Deployment", name)["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= pod.items()
        # The alerts know a process by its name in `job`.
        assert service["metadata"]["labels"][monitor["jobLabel"]] == name
        assert found["metadata"]["labels"]["release"] == "prometheus"
        [endpoint] = monitor["endpoints"]
        assert (endpoint["port"], endpoint["interval"]) == ("http", "15s")
        token = endpoint.get("authorization", {}).get("credentials")
        assert token == (
            {"name": "mousetrap-api", "key": "prometheus_token"} if name == "api" else None
        )
    [secret] = services("observability.yaml")["prometheus"]["secrets"]
    assert secret == "prometheus_token"  # noqa: S105 - its name


def test_alerts_are_those_of_compose() -> None:
    alerts = yaml.safe_load(text("observability/prometheus/alerts.yaml"))

    assert spec("PrometheusRule", "alerts") == alerts


def test_worker_needs_no_service_but_for_its_metrics() -> None:
    assert set(of_kind(render(values("trial")), "Service")) == {"api", "postgres", "valkey"}
