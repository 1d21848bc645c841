"""deploy/swarm.yaml, on a swarm of one node."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from containers.docker import attempt, docker, until
from mousetrap.stack import ports

NAME = "mousetrap-test"
PORT = ports.free(1)[0]
VOLUMES = (f"{NAME}_postgres", f"{NAME}_valkey")

# Asks for refreshes, each over a connection and a look-up of its own, until it is told to stop.
CLIENT = """
import http.client, os, signal, ssl, sys, time
port, certificate = sys.argv[1:]
api = ("127.0.0.1", int(port))
trusted = ssl.create_default_context(cafile=certificate)
headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
accepted, refused = 0, []
while not stop:
    try:
        connection = http.client.HTTPSConnection(*api, timeout=10, context=trusted)
        connection.request("POST", "/refresh", headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == 202: accepted += 1
        else: refused.append(answer.status)
        connection.close()
    except Exception as error:
        refused.append(repr(error))
    time.sleep(0.03)  # the edge takes 50 a second
print(accepted, refused)
"""


@pytest.fixture(scope="module")
def stack(deploy: Path, sources: Path) -> Iterator[str]:
    subprocess.run([str(deploy / "secrets.sh")], check=True, timeout=60)
    docker("swarm", "init", "--advertise-addr=127.0.0.1", "--listen-addr=127.0.0.1:2377")
    try:
        docker("node", "update", "--label-add=mousetrap.data=true", docker("node", "ls", "-q"))
        deployed(deploy, sources, revision="latest", version="1")
        yield NAME
    finally:
        docker("stack", "rm", NAME)
        until(lambda: not docker("network", "ls", "-q", f"--filter=name={NAME}_"))
        docker("swarm", "leave", "--force")
        # Forced: one of them may be gone since the last attempt.
        until(lambda: not attempt("volume", "rm", "--force", *VOLUMES).returncode)
        docker("network", "rm", "docker_gwbridge")  # which a swarm leaves behind


def deployed(deploy: Path, sources: Path, *, revision: str, version: str) -> None:
    """Deploy a revision, and wait until the swarm has converged."""
    file = deploy / "here.yaml"
    file.write_text(yaml.safe_dump(adapted(yaml.safe_load((deploy / "swarm.yaml").read_text()))))
    env = os.environ | {
        "IMAGES": "mousetrap",
        "REVISION": revision,
        "SOURCES_FILE": str(sources),
        "SOURCES_VERSION": version,
        "ALLOWED_HOSTS": "localhost",
        "EDGE_PORT": str(PORT),
        "FRONT_NETWORK": "192.168.243.0/24",
    }
    docker(
        *("stack", "deploy", "--resolve-image=never", "--detach=false"),
        *("--compose-file", str(file), NAME),
        env=env,
    )


def adapted(stack: dict[str, Any]) -> dict[str, Any]:
    """Return a stack that runs on kernels without IPVS, such as CI's: swarm's load balancer.

    Instead of one virtual address services have those of all their tasks.
    """
    for service in stack["services"].values():
        service["deploy"]["endpoint_mode"] = "dnsrr"
    return {key: value for key, value in stack.items() if not key.startswith("x-")}


def states(service: str) -> list[str]:
    """Return the images and states of the tasks that are to run, in order."""
    form = "{{.Image}} {{.CurrentState}}"
    lines = docker("service", "ps", "--filter=desired-state=running", f"--format={form}", service)
    return [" ".join(line.split()[:2]) for line in lines.splitlines()]


def test_replicas_run(stack: str) -> None:
    for service in ("api", "fetch-worker", "process-worker"):
        assert states(f"{stack}_{service}") == [f"mousetrap/{service}:latest Running"] * 2
    for service in ("edge", "postgres", "valkey"):
        assert len(states(f"{stack}_{service}")) == 1


def test_rolling_update_drops_no_request_and_loses_no_job(
    stack: str, deploy: Path, sources: Path
) -> None:
    for service in ("api", "fetch-worker", "process-worker"):
        docker("tag", f"mousetrap/{service}:latest", f"mousetrap/{service}:next")
    token = (deploy / "secrets/operator_token").read_text().strip()
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(PORT), str(deploy / "secrets/edge_certificate")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TOKEN": token},
    )
    try:
        sources.write_text(sources.read_text() + "# changed\n")
        deployed(deploy, sources, revision="next", version="2")
        client.terminate()
        told, _ = client.communicate(timeout=30)
    finally:
        client.kill()
        client.wait()

    accepted, refused = told.split(maxsplit=1)
    for service in ("api", "fetch-worker", "process-worker"):
        assert states(f"{stack}_{service}") == [f"mousetrap/{service}:next Running"] * 2
        docker("rmi", f"mousetrap/{service}:next", check=False)
    assert refused.strip() == "[]"
    assert int(accepted) > 100
    postgres = docker("ps", "-q", f"--filter=name={stack}_postgres")

    def jobs() -> dict[str, int]:
        query = "SELECT state, count(*) FROM job GROUP BY state"
        psql = ("psql", "--csv", "--tuples-only", "--dbname=mousetrap", "--command")
        lines = docker("exec", postgres, *psql, query).splitlines()
        return {state: int(count) for state, count in (line.split(",") for line in lines)}

    until(lambda: "queued" not in jobs(), deadline=60)
    assert jobs() == {"succeeded": int(accepted)}
