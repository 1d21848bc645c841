"""A worker that is added to the stages is in the chart, as it is in the Compose files."""

import shutil
from pathlib import Path
from typing import Annotated, Final

import chart
import msgspec
import pytest
import yaml

from kubernetes.rendering import CHART, containers, of_kind, refusal, render
from mousetrap.queue.stages import STAGES, following
from mousetrap.settings.process import DEPLOYABLES, FollowUpSettings

Webhook = Annotated[str, msgspec.Meta(pattern=r"^https?://.+\Z", description="where it posts")]


class AlertSettings(FollowUpSettings, frozen=True, kw_only=True):
    """The settings of a worker that the product does not have."""

    webhook: Webhook = "http://localhost/"


GIVEN: Final = {
    "image": {"tag": "x"},
    "sources": "default = 1",
    "workers": {"alert-worker": {"replicas": 1, "settings": {"webhook": "https://a.example/"}}},
}


@pytest.fixture
def extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The chart of a product with one more worker."""
    monkeypatch.setattr(chart, "STAGES", (*STAGES, following("alert", egress=True)))
    monkeypatch.setitem(DEPLOYABLES, "alert_worker", AlertSettings)
    folder = tmp_path / "mousetrap"
    shutil.copytree(CHART, folder)
    for file, text in chart.files().items():
        (folder / file.relative_to(chart.CHART)).write_text(text, "utf-8")
    return folder


def test_added_worker_runs_with_what_it_needs_and_no_more(extended: Path) -> None:
    objects = render(GIVEN, chart=extended)
    [pod] = [
        it["spec"]["template"]["spec"] for it in [of_kind(objects, "Deployment")["alert-worker"]]
    ]
    container = containers(objects)["alert-worker"]

    assert container["image"] == "mousetrap/alert-worker:x"
    assert {it["name"]: it["value"] for it in container["env"]} == {
        "MOUSETRAP_POSTGRES_DSN_FILE": "/run/secrets/follow_up_postgres_dsn",
        "MOUSETRAP_REDIS_URL_FILE": "/run/secrets/alert_redis_url",
        "MOUSETRAP_WEBHOOK": "https://a.example/",
    }
    [secrets] = [it["secret"]["items"] for it in pod["volumes"] if "secret" in it]
    assert [it["key"] for it in secrets] == ["follow_up_postgres_dsn", "alert_redis_url"]
    assert "sources" not in {it["name"] for it in pod["volumes"]}
    for kind in ("NetworkPolicy", "PodDisruptionBudget", "ServiceAccount"):
        assert "alert-worker" in of_kind(objects, kind)
    egress = of_kind(objects, "NetworkPolicy")["alert-worker"]["spec"]["egress"]
    assert len(egress) == 4  # names, Postgres, Valkey, the outside


@pytest.mark.parametrize(
    ("worker", "said"),
    [
        ({}, "workers.alert-worker.settings.webhook: this worker needs it"),
        ({"settings": {"webhook": "a.example"}}, "/workers/alert-worker/settings/webhook"),
        ({"settings": {"hook": "https://a.example/"}}, "'hook' not allowed"),
    ],
)
def test_settings_of_an_added_worker_are_checked(
    extended: Path, worker: dict[str, object], said: str
) -> None:
    assert said in refusal(GIVEN | {"workers": {"alert-worker": worker}}, chart=extended)


def test_list_names_its_queue(extended: Path) -> None:
    listed = yaml.safe_load((extended / "files/workers.yaml").read_text("utf-8"))

    assert listed["alert-worker"]["queue"] == "alert"
    assert listed["alert-worker"]["needs"] == ["webhook"]
