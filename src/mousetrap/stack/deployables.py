"""The deployables, run as in production: each gets only the settings that it needs."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from mousetrap.stack import ports
from mousetrap.stack.servers import Addresses
from mousetrap.stack.supervisor import Plan, Program

DRAIN = 3  # seconds for work in hand; the next run does the rest
KILL_AFTER = 2.0
NOT_INHERITED = ("MOUSETRAP_", "PG")  # asyncpg reads PGPORT and its like

ANNOUNCEMENT = """
Mousetrap is ready.

  the dashboard        {url}/dashboard
  the newest summary   {url}/
  the API              {url}/docs
  ask for a refresh    curl -X POST {url}/refresh

Ctrl-C stops it; the data stays in {kept}.
"""


def plan(
    addresses: Addresses, *, port: int, sources: Path, kept: str, environ: Mapping[str, str]
) -> Plan:
    """Return what `up` runs: the migrations, then the API on `port` and both workers.

    They inherit `environ` without its `MOUSETRAP_*` settings. `kept` names the data folder in the
    announcement.
    """
    fetch_port, process_port = ports.free(2)
    common = _environment(environ)
    postgres = {"MOUSETRAP_POSTGRES_DSN": addresses.postgres_dsn}
    redis = {"MOUSETRAP_REDIS_URL": addresses.redis_url}
    catalogue = {"MOUSETRAP_SOURCES_FILE": str(sources)}
    migrate = Program(
        name="migrate",
        command=_module("process_worker", "migrate"),
        env=common | postgres,
    )
    api = Program(
        name="api",
        command=_module("api"),
        env=common | postgres | redis | catalogue | {"MOUSETRAP_PORT": str(port)},
        health_port=port,
    )
    fetch_worker = Program(
        name="fetch_worker",
        command=_module("fetch_worker"),
        env=common | redis | catalogue | {"MOUSETRAP_HEALTH_PORT": str(fetch_port)},
        health_port=fetch_port,
    )
    process_worker = Program(
        name="process_worker",
        command=_module("process_worker"),
        env=common | postgres | redis | catalogue | {"MOUSETRAP_HEALTH_PORT": str(process_port)},
        health_port=process_port,
    )
    return Plan(
        preparation=[migrate],
        services=[[api], [fetch_worker, process_worker]],
        grace=DRAIN + KILL_AFTER,
        announcement=ANNOUNCEMENT.format(url=f"http://{ports.HOST}:{port}", kept=kept),
    )


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"mousetrap.{name}", *arguments]


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if not name.startswith(NOT_INHERITED)}
    return kept | {
        "MOUSETRAP_GRACE": str(DRAIN),
        "MOUSETRAP_LOG_FORMAT": "console",
        # The code of this process, wherever it came from: a checkout, a PEX file, Pants.
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
    }
