"""The NetworkPolicies of the chart allow just what the networks of deploy/production.yaml do."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final

import pytest

from deploy.files import DATA, PROCESSES, WORKERS, services
from kubernetes.rendering import Object, of_kind, pods, render, rendered, values

COMPOSE: Final = services("production.yaml")
PORTS: Final = {"postgres": 5432, "valkey": 6379}
NETWORK: Final = {"postgres": "data", "valkey": "queue"}
MEMBERS: Final = PROCESSES | DATA | {"test"}


def policies(file: str) -> dict[str, Object]:
    return {name: it["spec"] for name, it in of_kind(rendered(file), "NetworkPolicy").items()}


def labels(file: str, name: str) -> dict[str, str]:
    [found] = [
        (
            it["metadata"]["labels"]
            if it["kind"] == "Pod"
            else it["spec"]["template"]["metadata"]["labels"]
        )
        for it in rendered(file)
        if it["kind"] in {"Deployment", "Job", "Pod", "StatefulSet"}
        and it["metadata"]["labels"]["app.kubernetes.io/component"] == name
    ]
    return dict(found)


def selects(selector: dict[str, Any], found: dict[str, str]) -> bool:
    for it in selector.get("matchExpressions", ()):
        assert it["operator"] == "In"
        if found.get(it["key"]) not in it["values"]:
            return False
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= found.items()


def allows(rules: list[dict[str, Any]], side: str, found: dict[str, str], port: int) -> bool:
    return any(
        selects(peer["podSelector"], found)
        for rule in rules
        for peer in rule[side]
        if "podSelector" in peer
        and any(it["port"] == port and it["protocol"] == "TCP" for it in rule["ports"])
    )


def reaches(client: str, server: str) -> bool:
    policy = policies("trial")
    port = PORTS.get(server, 8000)  # by number: not every CNI knows the names of ports
    asked = allows(policy[client]["egress"], "to", labels("trial", server), port)
    admitted = allows(policy[server]["ingress"], "from", labels("trial", client), port)
    assert asked == admitted, (client, server)
    return asked


@pytest.mark.parametrize("file", ["trial", "production"])
def test_every_pod_has_a_policy_for_both_directions(file: str) -> None:
    found = policies(file)

    assert set(found) == set(pods(rendered(file)))
    for name, policy in found.items():
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        chosen = {it for it in found if selects(policy["podSelector"], labels(file, it))}
        assert chosen == {name}


@pytest.mark.parametrize("server", sorted(DATA))
@pytest.mark.parametrize("client", sorted(MEMBERS))
def test_processes_reach_the_servers_of_their_networks(client: str, server: str) -> None:
    joined = COMPOSE[client]["networks"] if client in PROCESSES else ()

    assert reaches(client, server) is (NETWORK[server] in joined)


def test_nobody_asks_processes_but_the_test_asks_the_api() -> None:
    pairs = {(client, server) for client in MEMBERS for server in PROCESSES}

    assert {pair for pair in pairs if reaches(*pair)} == {("test", "api")}


@pytest.mark.parametrize("name", sorted(PROCESSES | {"test"}))
def test_only_workers_that_ask_others_reach_the_outside(name: str) -> None:
    rules = policies("trial")[name]["egress"]
    outside = [peer["ipBlock"] for rule in rules for peer in rule["to"] if "ipBlock" in peer]

    if name not in WORKERS or not WORKERS[name].egress:
        assert not outside
        return
    assert [it["cidr"] for it in outside] == ["0.0.0.0/0", "::/0"]
    old, new = ({ip_network(network) for network in it["except"]} for it in outside)
    inside = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")
    assert old >= {ip_network(network) for network in inside}
    assert new >= {ip_network("fc00::/7"), *map(translated, old)}
    assert not any(ip_address("64:ff9b::8.8.8.8") in network for network in new)


def translated(network: IPv4Network | IPv6Network) -> IPv6Network:
    """Return the addresses by which NAT64 makes a network of IPv4 reachable."""
    return IPv6Network(f"64:ff9b::{network.network_address}/{96 + network.prefixlen}")


def test_servers_reach_nothing() -> None:
    for name in DATA:
        assert policies("trial")[name]["egress"] == []


def test_api_is_open_to_the_proxies_and_to_prometheus_only() -> None:
    said = values("production")["networkPolicy"]
    [rule] = policies("production")["api"]["ingress"]

    assert rule["from"][1:] == said["front"] + said["watch"]
    for name in WORKERS:
        [rule] = policies("production")[name]["ingress"]
        assert rule["from"] == said["watch"]
        assert policies("trial")[name]["ingress"] == []


def test_servers_outside_are_reached_where_the_operator_says() -> None:
    said = values("production")["networkPolicy"]
    found = policies("production")
    ports = [{"protocol": "TCP", "port": port} for port in said["postgres"]["ports"]]

    for name in PROCESSES:
        rules = found[name]["egress"]
        joined = COMPOSE[name]["networks"]
        assert ({**said["postgres"], "ports": ports} in rules) is ("data" in joined)
        valkey = {"ports": [{"protocol": "TCP", "port": 6379}]}
        assert (valkey in rules) is ("queue" in joined)
        assert (said["extraEgress"][0] in rules) is (name != "migrate")


def test_everybody_looks_names_up() -> None:
    for name in PROCESSES | {"test"}:
        first = policies("trial")[name]["egress"][0]
        assert {(it["protocol"], it["port"]) for it in first["ports"]} == {("UDP", 53), ("TCP", 53)}


def test_names_are_looked_up_where_the_cluster_answers() -> None:
    peers = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}}}
    ]
    said = {"networkPolicy": {"dns": peers, "dnsPorts": [5353]}}

    first = of_kind(render(values("trial") | said), "NetworkPolicy")["api"]["spec"]["egress"][0]

    ports = [{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": 5353}]
    assert first == {"to": peers, "ports": ports}


def test_policies_can_be_left_to_others() -> None:
    objects = render(values("trial") | {"networkPolicy": {"enabled": False}})

    assert not of_kind(objects, "NetworkPolicy")
