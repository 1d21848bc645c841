"""The peers: the PEX of each library, and the command that runs a worker of each stage."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.peers.contender import FETCH, PROCESS
from bench.peers.worker import Command

PROGRAMS: Final = Path(__file__).parent / "programs"
PACKAGE: Final = "bench.peers.programs"
FEW: Final = 4
"""The jobs in hand of a worker that is to be killed, few enough for a backlog to last."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A library; `arguments` returns those of its own command for a stage and a number of jobs.

    It is fastest with `many` jobs in hand.
    """

    library: str
    pex: str
    arguments: Callable[[str, int], Sequence[str]]
    many: int
    packages: Sequence[str]

    @property
    def pipeline(self) -> str:
        """The module of its pipeline."""
        return f"on_{self.library}"

    def command(self, name: str, arguments: Sequence[str], env: Mapping[str, str]) -> Command:
        """Return a command that runs with the packages of the library."""
        program = [sys.executable, str(PROGRAMS / self.pex), *arguments]
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
        return Command(
            f"{self.library}-{name}", program, kept | {"PYTHONUNBUFFERED": "1"} | dict(env)
        )


def _celery(stage: str, concurrency: int) -> list[str]:
    module = f"{PACKAGE}.on_celery"
    options = [f"--concurrency={concurrency}", f"--hostname={stage}@%h", "--loglevel=WARNING"]
    return ["-m", "celery", "--app", module, "worker", "--queues", stage, *options]


def _dramatiq(stage: str, concurrency: int) -> list[str]:
    options = ["--processes=1", f"--threads={concurrency}", "--queues", stage]
    return ["-m", "dramatiq", f"{PACKAGE}.on_dramatiq", *options]


def _arq(stage: str, _: int) -> list[str]:
    return ["-m", "arq", f"{PACKAGE}.on_arq.{stage.capitalize()}"]


def _saq(stage: str, _: int) -> list[str]:
    return ["-m", "saq", f"{PACKAGE}.on_saq.{stage.upper()}"]


def _taskiq(stage: str, concurrency: int) -> list[str]:
    options = ["--workers=1", f"--max-async-tasks={concurrency}", "--log-level=WARNING"]
    broker = {FETCH: "fetching", PROCESS: "processing"}[stage]
    return ["-m", "taskiq", "worker", f"{PACKAGE}.on_taskiq:{broker}", *options]


PEERS: Final = (
    Peer("celery", "peers.pex", _celery, 8, ["celery", "kombu", "redis"]),
    Peer("dramatiq", "peers.pex", _dramatiq, 8, ["dramatiq", "redis"]),
    Peer("arq", "peers-arq.pex", _arq, 64, ["arq", "redis"]),
    Peer("saq", "peers-saq.pex", _saq, 64, ["saq", "redis"]),
    Peer("taskiq", "peers.pex", _taskiq, 64, ["taskiq", "taskiq-redis", "redis"]),
)
