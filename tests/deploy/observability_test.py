"""deploy/observability.yaml: as guarded as the rest, and everything that it asks for exists."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import catalogue
import pytest
import yaml

from deploy.files import DEPLOY, WORKERS, read, services, text

FILE = "observability.yaml"
ADDED = ("prometheus", "grafana")
PROCESSES = ("api", *WORKERS)
FOLDER = DEPLOY / "observability"

RUNBOOK = Path("docs/operations/alerts.md")
PROVIDED = frozenset(
    {
        *("up", "process_cpu_seconds_total", "process_resident_memory_bytes"),
        *("process_open_fds", "process_max_fds"),
    }
)
"""Of Prometheus itself, and of its client library."""

# Parts of an expression that are no names of metrics or labels.
TEXTS = re.compile(r'"[^"]*"|\[[^]]*\]')
SERIES = re.compile(r"\b(?:mousetrap_\w+|process_\w+|up)\b")
SELECTED = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*(?=\"|$|,|\})")
GROUPED = re.compile(r"by \(([^)]*)\)")

added = pytest.mark.parametrize("name", ADDED)


def alerts() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((FOLDER / "prometheus/alerts.yaml").read_text("utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (FOLDER / "grafana/dashboards/mousetrap.json").read_text("utf-8")
    )
    return found


def expressions() -> Iterator[str]:
    """Yield everything that Prometheus is asked for."""
    yield from (alert["expr"] for alert in alerts())
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def known() -> dict[str, set[str]]:
    """Return the labels of every series that there is."""
    found = {name: set[str]() for name in PROVIDED}
    for metrics in catalogue.processes().values():
        for kind in catalogue.kinds(metrics):
            for series in kind.series:
                found[series] = {*kind.labels, *(("le",) if series.endswith("_bucket") else ())}
    return found


def unknown(expression: str) -> set[str]:
    """Return the series and labels of an expression that do not exist."""
    series = set(SERIES.findall(TEXTS.sub('""', expression)))
    labels = {"job", "instance"}.union(*(known().get(name, ()) for name in series))
    used = set(SELECTED.findall(TEXTS.sub('""', expression)))
    for group in GROUPED.findall(expression):
        used |= {label.strip() for label in group.split(",")}
    return (series - set(known())) | (used - labels)


def test_every_metric_and_label_that_is_asked_for_exists() -> None:
    for expression in expressions():
        assert SERIES.search(expression), expression
        assert not unknown(expression), expression


@pytest.mark.parametrize(
    "expression",
    [
        "rate(mousetrap_no_such_total[5m])",
        "rate(mousetrap_fetch_seconds[5m])",
        'mousetrap_queue_messages{stream="fetch"}',
        "sum by (code) (mousetrap_queue_messages)",
    ],
)
def test_what_does_not_exist_would_be_found(expression: str) -> None:
    assert unknown(expression)


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = {
        name
        for panel in dashboard()["panels"]
        for target in panel.get("targets", ())
        for name in SERIES.findall(target["expr"])
    }

    for metrics in catalogue.processes().values():
        for kind in catalogue.kinds(metrics):
            assert shown & set(kind.series), kind.name


def test_every_alert_says_what_is_wrong_and_where_it_is_told_what_to_do() -> None:
    headings = re.findall(r"^## (\w+)$", RUNBOOK.read_text("utf-8"), re.MULTILINE)

    assert [alert["alert"] for alert in alerts()] == headings
    for alert in alerts():
        assert alert["annotations"]["summary"].endswith(".")
        assert alert["annotations"]["runbook"] == f"{RUNBOOK}#{alert['alert'].lower()}"
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert re.fullmatch(r"\d+m", alert["for"])


def test_dashboard_is_one_that_grafana_takes() -> None:
    found = dashboard()
    panels = found["panels"]
    datasource = yaml.safe_load((FOLDER / "grafana/datasources/prometheus.yaml").read_text("utf-8"))
    [source] = datasource["datasources"]

    assert (found["uid"], found["editable"]) == ("mousetrap", False)
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(taken)) == len(taken)
    for panel in panels:
        assert panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == source["uid"]


def test_prometheus_asks_every_replica_of_every_process() -> None:
    config = yaml.safe_load((FOLDER / "prometheus/prometheus.yaml").read_text("utf-8"))

    assert config["rule_files"] == ["alerts.yaml"]
    for name, job in zip(PROCESSES, config["scrape_configs"], strict=True):
        [lookup] = job["dns_sd_configs"]
        assert (job["job_name"], lookup["names"]) == (name, [name])
        assert (lookup["type"], lookup["port"]) == ("A", 8000)
    [token] = services(FILE)["prometheus"]["secrets"]
    expected = {"credentials_file": f"/run/secrets/{token}"}
    assert config["scrape_configs"][0]["authorization"] == expected


def test_processes_gain_a_network_and_nothing_else() -> None:
    assert set(services(FILE)) == {*ADDED, *PROCESSES}
    for name in PROCESSES:
        assert services(FILE)[name] == {"networks": ["watch"]}
    assert read(FILE)["networks"] == {"watch": {"internal": True}}


@added
def test_has_no_rights_and_writes_only_its_data(name: str) -> None:
    service = services(FILE)[name]
    user, _, group = service["user"].partition(":")

    assert (int(user) > 0, int(group) > 0) == (True, True)
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    for mount in service["volumes"]:
        assert mount.endswith(":ro") or mount.startswith(f"{name}:/")
    assert all(re.search(r":size=\d+m$", mount) for mount in service["tmpfs"])


@added
def test_is_bounded_and_looked_after(name: str) -> None:
    service = services(FILE)[name]

    assert 0 < service["pids_limit"] <= 200
    assert re.fullmatch(r"\d+m|1g", service["mem_limit"])
    assert service["memswap_limit"] == service["mem_limit"]
    assert service["ulimits"] == {"core": 0, "nofile": 16384, "nproc": 4096}
    assert 0 < service["cpus"] <= 2
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"


@added
def test_image_is_named_by_digest(name: str) -> None:
    [variable] = re.findall(r"^\$\{(\w+):\?[^}]*\}$", services(FILE)[name]["image"])

    example = rf"^{variable}=\S+:\S+@sha256:[0-9a-f]{{64}}$"
    assert re.search(example, text(".env.example"), re.MULTILINE)


def test_only_grafana_is_published_and_to_this_machine_unless_told_otherwise() -> None:
    published = {name for name, service in services(FILE).items() if "ports" in service}

    assert published == {"grafana"}
    assert re.search(r"^GRAFANA_ADDRESS=127\.0\.0\.1:3000$", text(".env.example"), re.MULTILINE)
    assert services(FILE)["prometheus"]["networks"] == ["watch"]


def test_grafana_reads_its_password_from_a_secret() -> None:
    grafana = services(FILE)["grafana"]

    file = Path(grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"])
    assert [file.name] == grafana["secrets"]
    assert file.parent == Path("/run/secrets")
    assert read(FILE)["secrets"] == {
        "grafana_admin_password": {"file": "./secrets/grafana_admin_password"},
        "prometheus_token": {"file": "./secrets/prometheus_token"},
    }
