"""deploy/production.yaml and deploy/swarm.yaml: every line that keeps strangers out, service by
service, so that none can be dropped unseen."""

import re
from typing import Final

import msgspec
import pytest

from deploy.files import DATA, JOBS, PROCESSES, SERVICES, WORKERS, read, seconds, services, text
from mousetrap.queue.stages import FETCH, PROCESS
from mousetrap.settings import environment
from mousetrap.settings.environment import FILE_SUFFIX
from mousetrap.settings.process import DEPLOYABLES, MigrateSettings

FILES = ("production.yaml", "swarm.yaml")
KINDS: Final[dict[str, type[msgspec.Struct]]] = {
    "api": DEPLOYABLES["api"],
    "migrate": MigrateSettings,
    **{name: DEPLOYABLES[stage.worker] for name, stage in WORKERS.items()},
}
CREDENTIALS: Final[dict[str, set[str]]] = {
    "edge": {"edge_certificate", "edge_key"},
    "postgres": set(),  # it knows the digests of the passwords
    "initdb": {
        "postgres_superuser_password",
        "postgres_owner_password",
        "postgres_api_password",
        "postgres_process_password",
        "postgres_follow_up_password",
        "postgres_admin_password",
    },
    "valkey": {"valkey_users"},
    "migrate": {"owner_postgres_dsn"},
    "api": {"api_postgres_dsn", "api_redis_url", "api_tokens"},
    "fetch-worker": {"fetch_redis_url"},
    "process-worker": {"process_postgres_dsn", "process_redis_url"},
}
NETWORKS = {
    "edge": {"edge", "front"},
    "initdb": {"data"},
    "postgres": {"data"},
    "valkey": {"queue"},
    "migrate": {"data"},
    "api": {"front", "data", "queue"},
    "fetch-worker": {"egress", "queue"},
    "process-worker": {"data", "queue"},
}
for _name, _stage in WORKERS.items():  # a worker that is added
    _reads = {it.name for it in msgspec.structs.fields(KINDS[_name]) if it.required}
    _postgres = {"follow_up_postgres_dsn"} if "postgres_dsn" in _reads else set()
    CREDENTIALS.setdefault(_name, {f"{_stage.name}_redis_url"} | _postgres)
    _egress, _data = {"egress"} if _stage.egress else set(), {"data"} if _postgres else set()
    NETWORKS.setdefault(_name, {"queue"} | _egress | _data)
DATA_VOLUMES = {
    "initdb": {"postgres:/var/lib/postgresql/data"},
    "postgres": {"postgres:/var/lib/postgresql/data"},
    "valkey": {"valkey:/data"},
}
# Keys that would hand the host over, or a part of it.
FORBIDDEN = {
    *("cap_add", "cgroup", "cgroup_parent", "device_cgroup_rules", "devices", "env_file"),
    *("group_add", "ipc", "network_mode", "pid", "privileged", "runtime", "userns_mode", "uts"),
}

both = pytest.mark.parametrize("file", FILES)
every = pytest.mark.parametrize("name", sorted(SERVICES))


def test_services_are_those_that_are_checked_here() -> None:
    for file in FILES:
        assert set(services(file)) == SERVICES


@both
@every
def test_runs_as_a_user_without_rights(file: str, name: str) -> None:
    service = services(file)[name]

    user, _, group = service["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["cap_drop"] == ["ALL"]
    assert not FORBIDDEN & set(service)


@every
def test_gains_no_rights_by_running_something(name: str) -> None:
    # Swarm has no such option: there it is the engine's, `no-new-privileges` in daemon.json.
    assert services("production.yaml")[name]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("file", [*FILES, "local.yaml", "observability.yaml"])
def test_no_protection_of_the_engine_is_turned_off(file: str) -> None:
    assert not re.search("unconfined|systempaths|seccomp|apparmor|label[:=]", text(file))


@both
@every
def test_kernel_resources_are_bounded(file: str, name: str) -> None:
    assert services(file)[name]["ulimits"] == {"core": 0, "nofile": 16384, "nproc": 4096}


@both
@every
def test_can_write_nothing_but_its_data_and_what_is_bounded(file: str, name: str) -> None:
    service = services(file)[name]
    mounts = service.get("volumes", [])
    temporary = [mount for mount in mounts if mount_type(mount) == "tmpfs"]
    shared = [mount for mount in mounts if mount_type(mount) == "bind"]
    lasting = {mount for mount in mounts if mount_type(mount) == "volume"}

    assert service["read_only"] is True
    assert all(re.search(r":size=\d+m$", mount) for mount in service.get("tmpfs", []))
    assert all(mount["tmpfs"]["size"] for mount in temporary)
    assert all(mount["read_only"] for mount in shared if isinstance(mount, dict))
    assert all(mount.endswith(":ro") for mount in shared if isinstance(mount, str))
    assert lasting == DATA_VOLUMES.get(name, set())
    assert "docker.sock" not in str(mounts)


def mount_type(mount: str | dict[str, str]) -> str:
    if isinstance(mount, dict):
        return mount["type"]
    return "bind" if mount.startswith((".", "/", "$")) else "volume"


@every
def test_takes_no_more_than_its_share(name: str) -> None:
    one = services("production.yaml")[name]
    assert 0 < one["pids_limit"] <= 200
    assert re.fullmatch(r"\d+m|1g", one["mem_limit"])
    assert one["memswap_limit"] == one["mem_limit"]  # which means no swap
    assert 0 < one["cpus"] <= 2

    limits = services("swarm.yaml")[name]["deploy"]["resources"]["limits"]
    assert limits["pids"] == one["pids_limit"]
    assert limits["memory"].lower() == one["mem_limit"]
    assert float(limits["cpus"]) == one["cpus"]


@both
@every
def test_logs_are_rotated(file: str, name: str) -> None:
    logging = services(file)[name]["logging"]

    assert logging["driver"] == "json-file"
    assert set(logging["options"]) == {"max-size", "max-file"}


@both
@every
def test_is_looked_after(file: str, name: str) -> None:
    service = services(file)[name]

    assert service["init"] is True
    assert service["healthcheck"].get("disable", False) is (name in JOBS)
    if file == "production.yaml":
        expected = {"migrate": "on-failure:5", "initdb": "no"}
        assert service["restart"] == expected.get(name, "unless-stopped")
    else:
        condition = service["deploy"]["restart_policy"]["condition"]
        assert condition == {"migrate": "on-failure", "initdb": "none"}.get(name, "any")


@both
@every
def test_has_the_time_to_stop_that_it_needs(file: str, name: str) -> None:
    graces = [
        field.default
        for kind in KINDS.values()
        for field in msgspec.structs.fields(kind)
        if field.name == "grace"
    ]

    allowed = seconds(services(file)[name]["stop_grace_period"])

    assert allowed >= (max(graces) + 5 if name in PROCESSES else 30)


@both
@every
def test_has_its_own_credentials_and_no_others(file: str, name: str) -> None:
    assert set(services(file)[name].get("secrets", [])) == CREDENTIALS[name]


@both
@every
def test_secrets_are_files(file: str, name: str) -> None:
    for variable, value in services(file)[name].get("environment", {}).items():
        if re.search("DSN|URL|PASSWORD|SECRET|KEY|TOKEN", variable):
            assert variable.endswith(FILE_SUFFIX)
            assert value.removeprefix("/run/secrets/") in CREDENTIALS[name]
        assert "://" not in str(value)


@both
def test_secrets_stand_in_no_other_place(file: str) -> None:
    declared = read(file)["secrets"]

    assert set(declared) == set().union(*CREDENTIALS.values())
    assert declared == {name: {"file": f"./secrets/{name}"} for name in declared}


@both
@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_settings_are_those_that_the_process_reads(file: str, name: str) -> None:
    readable = {environment.variable(field) for field in KINDS[name].__struct_fields__}

    given = set(services(file)[name]["environment"])

    assert given <= readable | {variable + FILE_SUFFIX for variable in readable}


@both
def test_only_the_edge_is_published(file: str) -> None:
    assert {name for name, service in services(file).items() if "ports" in service} == {"edge"}


def test_the_edge_listens_to_this_machine_unless_told_otherwise() -> None:
    assert re.search(r"^EDGE_ADDRESS=127\.0\.0\.1:8443$", text(".env.example"), re.MULTILINE)


def test_swarm_shows_the_edge_the_addresses_of_clients() -> None:
    edge = services("swarm.yaml")["edge"]

    assert {port["mode"] for port in edge["ports"]} == {"host"}
    assert edge["deploy"]["mode"] == "global"


@both
@every
def test_reaches_only_what_it_needs(file: str, name: str) -> None:
    assert set(services(file)[name]["networks"]) == NETWORKS[name]


def test_only_workers_that_ask_others_reach_the_outside() -> None:
    networks = read("production.yaml")["networks"]
    masquerade = "com.docker.network.bridge.enable_ip_masquerade"

    assert networks["data"] == {"internal": True}
    assert networks["queue"] == {"internal": True}
    assert networks["edge"] == {"driver_opts": {masquerade: "false"}}
    assert networks["egress"] is None
    assert {name for name, joined in NETWORKS.items() if "egress" in joined} == {
        name for name, stage in WORKERS.items() if stage.egress
    }
    assert FETCH.egress
    assert not PROCESS.egress
    for name in ("data", "queue"):
        network = {"internal": True, "driver_opts": {"encrypted": "true"}}
        assert read("swarm.yaml")["networks"][name] == network


@both
def test_the_api_is_behind_the_edge_alone_in_a_network_that_it_can_trust(file: str) -> None:
    front = read(file)["networks"]["front"]

    assert front["internal"] is True
    [subnet] = front["ipam"]["config"]
    assert subnet["subnet"].startswith("${FRONT_NETWORK:?")
    assert services(file)["api"]["environment"]["MOUSETRAP_TRUSTED_PROXIES"] == subnet["subnet"]
    assert {name for name, networks in NETWORKS.items() if "front" in networks} == {"edge", "api"}
    assert {name for name, networks in NETWORKS.items() if "edge" in networks} == {"edge"}


@both
def test_nothing_starts_without_all_that_has_to_be_said(file: str) -> None:
    used = re.findall(r"\$\{(\w+)([^}]*)\}", text(file))

    assert used
    for name, rest in used:
        may_be_empty = name == "ROOT_PATH"
        assert re.fullmatch(":-" if may_be_empty else r":\?[^-]+, see .env.example", rest), name
    documented = set(re.findall(r"^(\w+)=", text(".env.example"), re.MULTILINE))
    swarm = {"EDGE_PORT", "SOURCES_VERSION"}
    overlay = {"PROMETHEUS_IMAGE", "GRAFANA_IMAGE", "GRAFANA_ADDRESS"}
    other = overlay | (swarm if file == "production.yaml" else {"EDGE_ADDRESS"})
    assert {name for name, _ in used} == documented - other


@both
@every
def test_image_is_named_by_digest_or_revision(file: str, name: str) -> None:
    image = services(file)[name]["image"]

    if name in DATA | {"edge", "initdb"}:
        [variable] = re.findall(r"^\$\{(\w+):\?[^}]*\}$", image)
        example = rf"^{variable}=\S+@sha256:[0-9a-f]{{64}}$"
        assert re.search(example, text(".env.example"), re.MULTILINE)
    else:
        program = "process-worker" if name == "migrate" else name
        assert re.fullmatch(rf"\$\{{IMAGES:[^}}]*\}}/{program}:\$\{{REVISION:[^}}]*\}}", image)


@both
def test_queue_survives_a_crash_and_throws_nothing_out(file: str) -> None:
    command = " ".join(services(file)["valkey"]["command"])

    assert "--appendonly yes" in command
    assert "--appendfsync everysec" in command
    assert "--maxmemory-policy noeviction" in command
    assert "--maxmemory 256mb" in command
    assert "--aclfile /run/secrets/valkey_users" in command


def test_start_is_ordered_by_health() -> None:
    found = services("production.yaml")

    completed = {"condition": "service_completed_successfully"}
    assert found["postgres"]["depends_on"] == {"initdb": completed}
    assert found["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert found["edge"]["depends_on"] == {"api": {"condition": "service_healthy"}}
    for name in PROCESSES - {"migrate"}:
        assert found[name]["depends_on"] == {
            "migrate": completed,
            "valkey": {"condition": "service_healthy"},
        }


@pytest.mark.parametrize("name", sorted(PROCESSES - {"migrate"}))
def test_swarm_updates_one_after_the_other_and_goes_back_when_that_fails(name: str) -> None:
    deploy = services("swarm.yaml")[name]["deploy"]

    assert deploy["replicas"] >= 2
    assert deploy["update_config"]["order"] == "start-first"
    assert deploy["update_config"]["parallelism"] == 1
    assert deploy["update_config"]["failure_action"] == "rollback"


@pytest.mark.parametrize("name", sorted(DATA))
def test_swarm_never_runs_two_servers_on_one_volume(name: str) -> None:
    deploy = services("swarm.yaml")[name]["deploy"]

    assert deploy["replicas"] == 1
    assert deploy["update_config"] == {"order": "stop-first"}
    assert deploy["placement"] == {"constraints": ["node.labels.mousetrap.data == true"]}


def test_swarm_migrates_once_for_each_revision() -> None:
    assert services("swarm.yaml")["migrate"]["deploy"]["mode"] == "replicated-job"


def test_swarm_starts_no_server_before_the_database_is_made() -> None:
    found = services("swarm.yaml")

    assert found["initdb"]["deploy"]["mode"] == "replicated-job"
    assert found["initdb"]["deploy"]["placement"] == found["postgres"]["deploy"]["placement"]
    [made] = re.findall(r'touch "(\S+)"$', found["initdb"]["command"][0])
    assert f'until [ -e "{made}" ]; do' in found["postgres"]["entrypoint"][2]


@both
def test_only_the_job_that_creates_the_roles_is_given_their_passwords(file: str) -> None:
    passwords = {name for name in read(file)["secrets"] if name.endswith("_password")}

    given = {name for name in SERVICES if passwords & {*services(file)[name].get("secrets", [])}}

    assert given == {"initdb"}
