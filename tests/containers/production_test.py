"""deploy/production.yaml: the same system among strangers, behind its edge."""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from containers.docker import Api, Stack, attempt, docker, inspect, until

PROCESSES = ("api", "fetch-worker", "process-worker")
DATA = ("postgres", "valkey")
PROJECT = "mousetrap-test-production"

CONNECT = """
import socket
try:
    socket.create_connection(({host!r}, {port}), timeout=3).close()
except OSError as error:
    raise SystemExit(f"{{type(error).__name__}}: {{error}}")
"""


@pytest.fixture(scope="module")
def environment(deploy: Path, sources: Path, port: int) -> dict[str, str]:
    """An operator's deploy/.env, with the stand-ins where there is no registry."""
    example = (deploy / ".env.example").read_text()
    values = dict(re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE))
    values |= {name: os.environ[name] for name in values if name in os.environ}
    values |= {
        "REVISION": "latest",
        "EDGE_ADDRESS": f"127.0.0.1:{port}",
        "SOURCES_FILE": str(sources),
    }
    return values


@pytest.fixture(scope="module")
def stack(deploy: Path, environment: dict[str, str]) -> Iterator[Stack]:
    subprocess.run([str(deploy / "secrets.sh")], check=True, timeout=60)
    lines = [f"{name}={value}\n" for name, value in environment.items()]
    (deploy / ".env").write_text("".join(lines))
    env = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}
    found = Stack(deploy / "production.yaml", env | {"COMPOSE_PROJECT_NAME": PROJECT})
    try:
        found.up()
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def api(stack: Stack, deploy: Path, port: int) -> Iterator[Api]:  # noqa: ARG001 - it has to be up
    secrets = deploy / "secrets"
    token = (secrets / "operator_token").read_text().strip()
    with Api(port, certificate=secrets / "edge_certificate", token=token) as found:
        yield found


def test_starts_with_all_that_has_to_be_said_or_not_at_all(
    tmp_path: Path, deploy: Path, environment: dict[str, str]
) -> None:
    env = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}
    used = environment.keys() - {
        *("EDGE_PORT", "ROOT_PATH", "SOURCES_VERSION"),
        *("GRAFANA_ADDRESS", "GRAFANA_IMAGE", "PROMETHEUS_IMAGE"),
    }
    for missing in used:
        file = tmp_path / "env"
        file.write_text("".join(f"{name}={environment[name]}\n" for name in used - {missing}))

        done = attempt(
            *("compose", "--file", str(deploy / "production.yaml"), "--env-file", str(file)),
            *("config", "--quiet"),
            env=env,
        )

        assert done.returncode != 0
        assert f"{missing} is missing a value" in done.stderr
        assert "see .env.example" in done.stderr


def test_a_refresh_gives_a_summary_of_real_input(api: Api, feed: str) -> None:
    docker("network", "connect", "--alias", "feed", f"{PROJECT}_egress", feed)

    job = api.ended(api.refresh(source="earthquakes"))
    docker("network", "disconnect", f"{PROJECT}_egress", feed)

    assert job["state"] == "succeeded"
    assert api.newest(source="earthquakes")["count"] == 1707


def test_a_stranger_learns_whether_it_is_ready_and_nothing_else(
    stack: Stack, deploy: Path, port: int  # noqa: ARG001 - it has to be up
) -> None:
    with Api(port, certificate=deploy / "secrets/edge_certificate") as stranger:
        assert stranger.http.get("/health/ready").json()["status"] == "ready"
        for path in ("/", "/jobs", "/dead-letters", "/metrics", "/events"):
            assert stranger.http.get(path).status_code == httpx2.codes.UNAUTHORIZED
        assert stranger.http.post("/refresh").status_code == httpx2.codes.UNAUTHORIZED


@pytest.mark.parametrize("service", ["edge", *PROCESSES, *DATA])
def test_restart_of_a_service_loses_nothing(stack: Stack, api: Api, service: str) -> None:
    jobs = [api.refresh() for _ in range(30)]

    stack("restart", service)
    stack.up()

    assert {api.ended(job)["state"] for job in jobs} == {"succeeded"}
    assert api.ended(api.refresh())["state"] == "succeeded"


@pytest.mark.parametrize("service", ["edge", *PROCESSES, *DATA])
def test_engine_enforces_what_the_file_asks_for(stack: Stack, service: str) -> None:
    container = stack.inspect(service)
    host = container["HostConfig"]
    status = dict(
        line.split(":\t", 1)
        for line in stack("exec", service, *READ_STATUS[service in PROCESSES]).splitlines()
        if ":\t" in line
    )

    assert host["ReadonlyRootfs"]
    assert host["MemorySwap"] == host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 0
    assert not host["Privileged"]
    assert 0 not in map(int, status["Uid"].split())
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"  # a filter: the engine's own profile
    assert {limit["Name"]: limit["Hard"] for limit in host["Ulimits"]} == {
        "core": 0,
        "nofile": 16384,
        "nproc": 4096,
    }


READ_STATUS = {
    False: ("cat", "/proc/self/status"),
    True: ("/app/bin/python", "-c", "print(open('/proc/self/status').read())"),
}


def test_no_secret_is_in_an_environment(stack: Stack, deploy: Path) -> None:
    contents = {path.name: path.read_text().strip() for path in (deploy / "secrets").iterdir()}
    passwords = [
        urlsplit(content).password if "://" in content else content
        for name, content in contents.items()
        if name not in {"api_tokens", "edge_certificate", "valkey_users"}
    ]
    secrets = [*passwords, *re.findall(r"#[0-9a-f]{64}", contents["valkey_users"])]
    assert len(secrets) == 19
    assert all(secrets)
    for service in ("edge", *PROCESSES, *DATA, "initdb", "migrate"):
        told = str(stack.inspect(service)["Config"]) + str(stack.inspect(service)["Args"])
        assert not [secret for secret in secrets if secret and secret in told]


def test_running_database_holds_no_password(stack: Stack) -> None:
    container = stack.inspect("postgres")

    assert {mount["Type"] for mount in container["Mounts"]} == {"volume"}
    assert not [name for name in container["Config"]["Env"] if "PASSWORD" in name]
    initdb = stack.inspect("initdb")["State"]
    assert (initdb["Status"], initdb["ExitCode"]) == ("exited", 0)


@pytest.mark.parametrize(
    ("service", "host", "at", "reached"),
    [
        ("api", "postgres", 5432, True),
        ("api", "valkey", 6379, True),
        ("api", "fetch-worker", 8000, True),  # both are on the queue's network
        ("fetch-worker", "valkey", 6379, True),
        ("fetch-worker", "postgres", 5432, False),
        ("fetch-worker", "edge", 8443, False),
        ("process-worker", "postgres", 5432, True),
        ("process-worker", "valkey", 6379, True),
    ],
)
def test_processes_reach_what_they_need(
    stack: Stack, service: str, host: str, at: int, reached: bool  # noqa: FBT001 - a parameter
) -> None:
    done = stack.python(service, CONNECT.format(host=host, port=at))

    assert (done.returncode == 0) is reached, done.stderr


@pytest.fixture
def outside() -> Iterator[str]:
    """The address of a host beyond this one, that knows no way back but to the host itself."""
    name, address = "mousetrap-test", "198.51.100.2"
    script = f"""
        ip netns delete {name} 2>/dev/null || true  # left by a run that was killed
        ip netns add {name}
        ip link add mt-host type veth peer name mt-outside netns {name}
        ip address add 198.51.100.1/30 dev mt-host
        ip link set mt-host up
        ip -n {name} address add {address}/30 dev mt-outside
        ip -n {name} link set mt-outside up
    """
    subprocess.run(["sh", "-euc", script], check=True, timeout=30)
    serve = ("python3", "-m", "http.server", "--bind", address, "8000")
    listener = subprocess.Popen(
        ["ip", "netns", "exec", name, *serve], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: _listens(address, 8000))
    yield address
    listener.kill()
    listener.wait()
    subprocess.run(["ip", "netns", "delete", name], check=True, timeout=30)


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def test_only_the_fetch_worker_reaches_the_outside(stack: Stack, outside: str) -> None:
    code = CONNECT.format(host=outside, port=8000)

    assert stack.python("fetch-worker", code).returncode == 0
    for service in ("api", "process-worker"):
        done = stack.python(service, code)
        assert done.returncode == 1
        assert "TimeoutError" in done.stderr or "unreachable" in done.stderr
    [edge] = stack.containers("edge")
    asked = ("timeout", "5", "wget", "-q", "-O", "/dev/null", f"http://{outside}:8000/")
    assert attempt("exec", edge, *asked).returncode


def test_roles_may_do_what_their_process_does(stack: Stack, deploy: Path) -> None:
    def sql(role: str, statement: str) -> str:
        password = (deploy / f"secrets/postgres_{role}_password").read_text().strip()
        dsn = f"postgresql://mousetrap_{role}:{password}@127.0.0.1/mousetrap"
        done = attempt(
            *("exec", *stack.containers("postgres")),
            *("sh", "-c", f'psql --no-psqlrc --tuples-only --command "{statement}" "{dsn}" 2>&1'),
        )
        return done.stdout

    assert "permission denied" in sql("api", "UPDATE job SET sequence = DEFAULT")
    assert "permission denied" in sql("process", "UPDATE summary SET point_count = 1")
    assert "permission denied" in sql("admin", "DELETE FROM job")
    assert "permission denied" in sql("api", "CREATE TABLE mine ()")
    assert int(sql("admin", "SELECT count(*) FROM job")) > 0


def test_queue_lets_nobody_in_without_a_name(stack: Stack) -> None:
    [container] = stack.containers("valkey")

    refused = attempt("exec", container, "valkey-cli", "-e", "xlen", "mousetrap:fetch")
    health = ("--user", "health", "--pass", "none", "--no-auth-warning")

    assert "NOAUTH" in refused.stdout + refused.stderr
    assert docker("exec", container, "valkey-cli", *health, "ping") == "PONG"
    denied = attempt("exec", container, "valkey-cli", *health, "-e", "flushall")
    assert "NOPERM" in denied.stdout + denied.stderr


def test_data_outlives_the_containers(stack: Stack, api: Api) -> None:
    api.ended(api.refresh())
    before = api.newest()

    stack("down")
    stack.up()

    assert api.newest() == before


def test_a_backup_can_be_restored(stack: Stack, api: Api) -> None:
    api.ended(api.refresh())
    before = api.newest()
    about = "SELECT datacl, datlocprovider FROM pg_database WHERE datname = 'mousetrap'"
    database = stack("exec", "postgres", "psql", "--command", about)
    dump = stack("exec", "-T", "postgres", "pg_dump", "--create", "mousetrap")

    stack("stop", *PROCESSES)
    stack("exec", "postgres", "psql", "--command", "DROP DATABASE mousetrap")
    [postgres] = stack.containers("postgres")
    restore = ("exec", "-i", postgres, "psql", "--quiet", "--set=ON_ERROR_STOP=1")
    assert attempt(*restore, stdin=dump).returncode == 0
    stack.up()

    assert stack("exec", "postgres", "psql", "--command", about) == database
    assert "mousetrap_api=c/" in database
    assert api.newest() == before
    assert api.ended(api.refresh())["state"] == "succeeded"


def test_servers_may_be_somebody_elses(deploy: Path) -> None:
    files = [deploy / "production.yaml", deploy / "managed.yaml"]
    command = (f"--file={file}" for file in files)
    found = json.loads(docker("compose", *command, "config", "--format=json"))

    assert found["services"].keys() == {"edge", "migrate", *PROCESSES}
    for name in PROCESSES:
        assert found["services"][name]["depends_on"].keys() == {"migrate"}
    assert not found["networks"]["data"].get("internal")
    assert not found["networks"]["queue"].get("internal")


def test_images_need_no_shell(stack: Stack) -> None:
    """The API's layers on a base that has no shell, in the place of the API."""
    base = os.environ.get("SHELL_LESS_IMAGE", "mousetrap-stand-in/shell-less:3.13")
    recipe = (
        f"FROM {base}\nCOPY --from=mousetrap/api:latest /app /app\n"
        "USER 65532:65532\n"
        'HEALTHCHECK CMD ["/app/bin/python", "-m", "mousetrap.telemetry.check", "8000"]\n'
        'ENTRYPOINT ["/app/pex"]\n'
    )
    build = ("build", "--quiet", "--tag", "mousetrap-test/shell-less", "-")
    built = attempt(*build, env=os.environ | {"DOCKER_BUILDKIT": "1"}, stdin=recipe)
    assert built.returncode == 0, built.stderr
    [api] = stack.containers("api")
    known = inspect(api)
    mounts = [
        f"--volume={mount['Source']}:{mount['Destination']}:ro"
        for mount in known["Mounts"]
        if mount["Type"] == "bind"
    ]
    container = docker(
        *("run", "--detach", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--init"),
        *(f"--env={variable}" for variable in known["Config"]["Env"] if "MOUSETRAP" in variable),
        *mounts,
        *(f"--network={PROJECT}_data", "--health-interval=1s", "mousetrap-test/shell-less"),
    )
    try:
        docker("network", "connect", f"{PROJECT}_queue", container)
        until(lambda: inspect(container)["State"]["Health"]["Status"] == "healthy", deadline=30)
        assert attempt("exec", container, "sh", "-c", "true").returncode != 0
    finally:
        docker("rm", "--force", container)
        docker("rmi", "mousetrap-test/shell-less")
