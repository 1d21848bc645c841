"""The files in deploy/, read."""

from pathlib import Path
from typing import Any

import yaml

from mousetrap.queue.stages import STAGES

DEPLOY = Path("deploy").resolve()
DATA = {"postgres", "valkey"}
WORKERS = {stage.worker.replace("_", "-"): stage for stage in STAGES}
JOBS = {"initdb", "migrate"}
PROCESSES = {"api", "migrate", *WORKERS}
SERVICES = DATA | PROCESSES | {"edge", "initdb"}


def text(name: str) -> str:
    return (DEPLOY / name).read_text("utf-8")


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text(name))
    return found


def services(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read(name)["services"]
    return found


def seconds(duration: str) -> float:
    """Return a duration of a compose file, such as `35s`."""
    assert duration.endswith("s"), duration
    return float(duration.removesuffix("s"))
