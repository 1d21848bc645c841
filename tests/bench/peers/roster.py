"""The peers: which library in which PEX, and how its own command runs a worker of each stage."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.peers.contender import FETCH, PROCESS
from bench.peers.worker import Command

PROGRAMS: Final = Path(__file__).parent / "programs"
PACKAGE: Final = "bench.peers.programs"
CONCURRENCY: Final = "4"


@dataclass(frozen=True, slots=True)
class Peer:
    """A library; `workers` are the arguments of its own command, by stage."""

    library: str
    pex: str
    workers: Mapping[str, Sequence[str]]
    packages: Sequence[str]

    @property
    def pipeline(self) -> str:
        """The module that holds its pipeline."""
        return f"on_{self.library}"

    def command(self, name: str, arguments: Sequence[str], env: Mapping[str, str]) -> Command:
        """Return how to run something with the packages of the library."""
        program = [sys.executable, str(PROGRAMS / self.pex), *arguments]
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
        return Command(
            f"{self.library}-{name}", program, kept | {"PYTHONUNBUFFERED": "1"} | dict(env)
        )


def _celery(stage: str) -> list[str]:
    module = f"{PACKAGE}.on_celery"
    options = ["--concurrency", CONCURRENCY, "--hostname", f"{stage}@%h", "--loglevel", "WARNING"]
    return ["-m", "celery", "--app", module, "worker", "--queues", stage, *options]


def _dramatiq(stage: str) -> list[str]:
    module = f"{PACKAGE}.on_dramatiq"
    return [
        "-m",
        "dramatiq",
        module,
        "--processes=1",
        f"--threads={CONCURRENCY}",
        "--queues",
        stage,
    ]


def _taskiq(broker: str) -> list[str]:
    options = ["--workers=1", f"--max-async-tasks={CONCURRENCY}", "--log-level=WARNING"]
    return ["-m", "taskiq", "worker", f"{PACKAGE}.on_taskiq:{broker}", *options]


PEERS: Final = (
    Peer(
        "celery",
        "peers.pex",
        {FETCH: _celery(FETCH), PROCESS: _celery(PROCESS)},
        ["celery", "kombu", "redis"],
    ),
    Peer(
        "dramatiq",
        "peers.pex",
        {FETCH: _dramatiq(FETCH), PROCESS: _dramatiq(PROCESS)},
        ["dramatiq", "redis"],
    ),
    Peer(
        "arq",
        "peers-arq.pex",
        {
            FETCH: ["-m", "arq", f"{PACKAGE}.on_arq.Fetch"],
            PROCESS: ["-m", "arq", f"{PACKAGE}.on_arq.Process"],
        },
        ["arq", "redis"],
    ),
    Peer(
        "saq",
        "peers-saq.pex",
        {
            FETCH: ["-m", "saq", f"{PACKAGE}.on_saq.FETCH"],
            PROCESS: ["-m", "saq", f"{PACKAGE}.on_saq.PROCESS"],
        },
        ["saq", "redis"],
    ),
    Peer(
        "taskiq",
        "peers.pex",
        {FETCH: _taskiq("fetching"), PROCESS: _taskiq("processing")},
        ["taskiq", "taskiq-redis", "redis"],
    ),
)
