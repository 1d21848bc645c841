"""The chart is as guarded as deploy/production.yaml, service by service and line by line."""

import re
from typing import Any, Final

import msgspec
import pytest
import yaml

from deploy.files import DATA, PROCESSES, SERVICES, WORKERS, seconds, services, text
from kubernetes.rendering import (
    CHART,
    component,
    containers,
    every_container,
    of_kind,
    pods,
    render,
    rendered,
    values,
)
from mousetrap.settings import environment
from mousetrap.settings.process import DEPLOYABLES

COMPOSE: Final = services("production.yaml")
FILES: Final = ("trial", "production")
INSIDE: Final = SERVICES - {"edge"}  # in front of the chart is the cluster's own Ingress or Gateway
LASTING: Final = PROCESSES - {"migrate"}
UNITS: Final = {"m": 2**20, "g": 2**30, "Mi": 2**20, "Gi": 2**30}

both = pytest.mark.parametrize("file", FILES)
every = pytest.mark.parametrize("name", sorted(INSIDE))
lasting = pytest.mark.parametrize("name", sorted(LASTING))


def size(amount: str) -> int:
    [(number, unit)] = re.findall(r"^(\d+)([a-zA-Z]+)$", amount)
    return int(number) * UNITS[unit]


def test_chart_and_compose_run_the_same_services() -> None:
    assert set(containers(rendered("trial"))) == INSIDE | {"test"}
    assert set(containers(rendered("production"))) == PROCESSES | {"test"}
    assert set(of_kind(rendered("trial"), "Deployment")) == LASTING
    assert set(of_kind(rendered("trial"), "Job")) == {"migrate"}
    assert set(of_kind(rendered("trial"), "StatefulSet")) == DATA


@both
def test_pods_meet_the_restricted_standard(file: str) -> None:
    for name, pod in pods(rendered(file)).items():
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] > 0
        assert security["runAsGroup"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(pod)
        allowed = {"name", "configMap", "emptyDir", "secret"}
        assert all(set(volume) <= allowed for volume in pod.get("volumes", ()))
        for container in every_container(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            assert "hostPort" not in str(container.get("ports"))


@both
def test_no_pod_gets_a_token_of_kubernetes(file: str) -> None:
    objects = rendered(file)
    accounts = {it["metadata"]["name"]: it for it in objects if it["kind"] == "ServiceAccount"}

    assert not {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"} & {
        it["kind"] for it in objects
    }
    assert all(it["automountServiceAccountToken"] is False for it in accounts.values())
    for name, pod in pods(objects).items():
        assert pod["automountServiceAccountToken"] is False
        if name != "test":
            account = accounts[pod["serviceAccountName"]]
            assert component(account) == name


@both
def test_no_pod_gets_variables_that_name_other_services(file: str) -> None:
    assert all(pod["enableServiceLinks"] is False for pod in pods(rendered(file)).values())


@every
def test_user_is_that_of_compose(name: str) -> None:
    [pod] = [it for it in pods(rendered("trial")).values() if name in names(it)]
    security = pod["securityContext"]

    assert f"{security['runAsUser']}:{security['runAsGroup']}" == COMPOSE[name]["user"]


def names(pod: dict[str, Any]) -> set[str]:
    return {it["name"] for it in every_container(pod)}


@every
def test_limits_are_those_of_compose(name: str) -> None:
    limits = containers(rendered("trial"))[name]["resources"]["limits"]
    service = COMPOSE[name]

    assert size(limits["memory"]) == size(service["mem_limit"])
    assert float(limits["cpu"]) == service["cpus"]


@every
def test_can_write_nothing_but_its_data_and_what_is_bounded(name: str) -> None:
    [pod] = [it for it in pods(rendered("trial")).values() if name in names(it)]
    volumes = {it["name"]: it for it in pod["volumes"]}
    temporary = {}
    for mount in containers(rendered("trial"))[name]["volumeMounts"]:
        volume = volumes.get(mount["name"])
        if volume and "emptyDir" in volume:
            assert volume["emptyDir"]["medium"] == "Memory"
            temporary[mount["mountPath"]] = size(volume["emptyDir"]["sizeLimit"])
        else:
            data = mount["name"] == "data"
            assert data or mount["readOnly"] is True

    service = COMPOSE[name]
    expected = dict(it.split(":size=") for it in service["tmpfs"])
    sizes = {path: size(amount) for path, amount in expected.items()}
    if "shm_size" in COMPOSE["postgres"] and name in {"postgres", "initdb"}:
        sizes["/dev/shm"] = size(COMPOSE["postgres"]["shm_size"])  # noqa: S108 - in a container
    assert temporary == sizes


@both
@every
def test_has_its_own_credentials_and_no_others(file: str, name: str) -> None:
    found = containers(rendered(file)).get(name)
    if found is None:
        assert name in DATA | {"initdb"}  # outside
        return
    [pod] = [it for it in pods(rendered(file)).values() if name in names(it)]
    [secrets] = [it["secret"] for it in pod["volumes"] if it["name"] == "secrets"] or [None]
    mounts = [it for it in found["volumeMounts"] if it["name"] == "secrets"]
    expected = set(COMPOSE[name].get("secrets", ()))

    if not expected:
        assert not mounts
        return
    assert mounts == [{"name": "secrets", "mountPath": "/run/secrets", "readOnly": True}]
    assert {it["key"]: it["path"] for it in secrets["items"]} == {it: it for it in expected}
    assert secrets["defaultMode"] == 0o440  # for the group of the pod, `fsGroup`
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]


@both
def test_secrets_are_in_no_object(file: str) -> None:
    assert "Secret" not in {it["kind"] for it in rendered(file)}
    for container in containers(rendered(file)).values():
        for variable in container.get("env", ()):
            if re.search("DSN|URL|PASSWORD|SECRET|KEY|TOKEN", variable["name"]):
                assert variable["value"].startswith("/run/secrets/")


def variables(name: str, file: str) -> dict[str, str]:
    container = containers(rendered(file))[name]
    return {it["name"]: it["value"] for it in container.get("env", ())}


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_settings_are_those_of_compose(name: str) -> None:
    given = variables(name, "trial")
    expected = COMPOSE[name]["environment"]

    assert set(given) == set(expected)
    for variable, value in expected.items():
        if "$" not in value:
            assert given[variable] == value


def test_operator_says_what_compose_reads_from_its_environment() -> None:
    given = variables("api", "production")
    said = values("production")

    assert given["MOUSETRAP_TRUSTED_PROXIES"] == ",".join(said["trustedProxies"])
    assert given["MOUSETRAP_ROOT_PATH"] == said["rootPath"]
    assert given["MOUSETRAP_ALLOWED_HOSTS"].split(",") == [
        *("m-mousetrap-api", "m-mousetrap-api.maps", "m-mousetrap-api.maps.svc"),
        *said["hosts"],
    ]
    assert given["MOUSETRAP_MAX_CONNECTIONS"] == "1000000"
    assert variables("fetch-worker", "production")["MOUSETRAP_GRACE"] == "55.5"


@both
@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_settings_are_given_once(file: str, name: str) -> None:
    given = [it["name"] for it in containers(rendered(file))[name]["env"]]

    assert len(set(given)) == len(given)


@pytest.mark.parametrize("name", sorted(DATA | {"initdb"}))
def test_servers_are_started_as_by_compose(name: str) -> None:
    found = containers(rendered("trial"))[name]
    service = COMPOSE[name]

    if name == "initdb":
        assert service["entrypoint"] == ["docker-ensure-initdb.sh"]
        assert "\ndocker-ensure-initdb.sh\n" in found["args"][0]
        paths = variables(name, "trial")
        assert paths.pop("PGDATA") == variables("postgres", "trial")["PGDATA"]
        assert paths == service["environment"]
    else:
        assert found["args"] == service["command"]


@pytest.mark.parametrize("name", sorted(DATA))
def test_images_of_servers_are_those_of_compose(name: str) -> None:
    image = containers(rendered("trial"))[name]["image"]

    assert f"\n{name.upper()}_IMAGE={image}\n" in text(".env.example")
    assert re.search(r"@sha256:[0-9a-f]{64}$", image)


def test_database_has_the_roles_of_compose() -> None:
    scripts = of_kind(rendered("trial"), "ConfigMap")["postgres"]["data"]

    assert scripts == {"roles.sql": text("postgres/roles.sql")}


def test_server_that_runs_knows_no_password() -> None:
    for name in ("postgres",):
        mounted = {it["name"] for it in containers(rendered("trial"))[name]["volumeMounts"]}
        assert not mounted & {"secrets", "roles"}


@both
@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_image_is_that_of_the_process(file: str, name: str) -> None:
    image = containers(rendered(file))[name]["image"]
    program = "process-worker" if name == "migrate" else name
    said = values(file)["image"]

    expected = f"{said.get('repository', 'mousetrap')}/{program}:{said['tag']}"
    if digest := said.get("digests", {}).get(program):
        expected += f"@{digest}"
    assert image == expected


@both
@lasting
def test_has_the_time_to_stop_that_it_needs(file: str, name: str) -> None:
    pod = pods(rendered(file))[name]
    [container] = pod["containers"]
    [kind] = {DEPLOYABLES[name.replace("-", "_")]}
    [default] = [it.default for it in msgspec.structs.fields(kind) if it.name == "grace"]
    grace = float(variables(name, file).get(environment.variable("grace"), default))
    pause = 5 if "lifecycle" in container else 0

    assert pod["terminationGracePeriodSeconds"] >= grace + pause + 5
    assert pod["terminationGracePeriodSeconds"] >= seconds(COMPOSE[name]["stop_grace_period"])


@both
@lasting
def test_is_looked_after(file: str, name: str) -> None:
    [container] = pods(rendered(file))[name]["containers"]

    assert container["ports"] == [{"name": "http", "containerPort": 8000}]
    for probe, path in (("startup", "live"), ("liveness", "live"), ("readiness", "ready")):
        found = container[f"{probe}Probe"]
        assert found["httpGet"] == {"path": f"/health/{path}", "port": "http"}
        assert found["timeoutSeconds"] == 5


def test_proxies_learn_that_an_api_ends_before_it_refuses_them() -> None:
    [container] = pods(rendered("trial"))["api"]["containers"]

    [*python, program] = container["lifecycle"]["preStop"]["exec"]["command"]
    assert python == ["/app/bin/python", "-IS", "-c"]
    assert program == "import time; time.sleep(5)"


@both
@lasting
def test_updates_add_a_pod_before_they_take_one_away(file: str, name: str) -> None:
    deployment = of_kind(rendered(file), "Deployment")[name]["spec"]

    assert deployment["strategy"] == {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert deployment["minReadySeconds"] > 0
    said = values(file).get("workers", {}).get(name, {}).get("replicas", 2)
    assert deployment.get("replicas", said) == said
    assert said >= 2


@both
@lasting
def test_replicas_are_spread_and_drained_one_by_one(file: str, name: str) -> None:
    objects = rendered(file)
    selector = of_kind(objects, "Deployment")[name]["spec"]["selector"]
    budget = of_kind(objects, "PodDisruptionBudget")[name]["spec"]

    assert budget == {"maxUnavailable": 1, "selector": selector}
    spread = pods(objects)[name]["topologySpreadConstraints"]
    assert [it["topologyKey"] for it in spread] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert all(it["labelSelector"] == selector for it in spread)


def test_selectors_find_the_pods_of_one_component_of_one_release() -> None:
    one, other = rendered("trial"), render(values("trial"), release="other")

    for objects in (one, other):
        for kind in ("Deployment", "StatefulSet"):
            for name, found in of_kind(objects, kind).items():
                labels = found["spec"]["template"]["metadata"]["labels"].items()
                assert found["spec"]["selector"]["matchLabels"].items() <= labels
                assert ("app.kubernetes.io/component", name) in labels
    assert not names_of(one) & names_of(other)


def names_of(objects: Any) -> set[tuple[str, str]]:
    kept = {"postgres", "valkey"}  # in the addresses
    return {(it["kind"], it["metadata"]["name"]) for it in objects} - {
        ("Service", name) for name in kept
    }


def test_nothing_but_the_test_is_a_hook() -> None:
    hooks = {component(it) for it in rendered("trial") if "annotations" in it["metadata"]}

    assert hooks == {"test"}  # before an install there would be no bundled Postgres to migrate


def test_workers_are_those_of_the_stages() -> None:
    listed = yaml.safe_load((CHART / "files/workers.yaml").read_text("utf-8"))

    assert set(listed) == set(WORKERS)
    for name, worker in listed.items():
        assert worker["networks"] == COMPOSE[name]["networks"]
        assert worker["queue"] == WORKERS[name].name
