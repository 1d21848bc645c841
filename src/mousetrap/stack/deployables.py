"""The deployables, run as in production: each gets only the settings that it needs."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from mousetrap.queue.stages import STAGES
from mousetrap.settings import environment
from mousetrap.settings.process import DEPLOYABLES, ApiSettings, MigrateSettings, added
from mousetrap.stack import ports, roles
from mousetrap.stack.servers import Addresses
from mousetrap.stack.supervisor import Plan, Program

DRAIN = 3  # seconds for work in hand; the next run does the rest
KILL_AFTER = 2.0
NOT_INHERITED = ("MOUSETRAP_", "PG")  # asyncpg reads PGPORT and its like

GRANTED = {
    "api_role": roles.API,
    "process_role": roles.PROCESS,
    "follow_up_role": roles.FOLLOW_UP,
}

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
    """Return what `up` runs: the migrations, then the API on `port` and the workers.

    They inherit `environ` without its `MOUSETRAP_*` settings, but for those that a stage that
    follows summaries adds. `kept` names the data folder in the
    announcement.
    """
    common = _environment(environ)

    def given(role: str) -> dict[str, str]:
        dsn = addresses.postgres_dsn
        return {
            "postgres_dsn": roles.log_in(dsn, role) if addresses.plain_roles else dsn,
            "redis_url": addresses.redis_url,
            "sources_file": str(sources),
        }

    granted = GRANTED if addresses.plain_roles else {}
    migrate = Program(
        name="migrate",
        command=_module("process_worker", "migrate"),
        env=common | _settings(MigrateSettings, given(roles.OWNER) | granted, environ),
    )
    api = Program(
        name="api",
        command=_module("api"),
        env=common | _settings(ApiSettings, given(roles.API) | {"port": str(port)}, environ),
        health_port=port,
    )
    workers = [
        Program(
            name=stage.worker,
            command=_module(stage.worker),
            env=common
            | _settings(
                DEPLOYABLES[stage.worker],
                given(roles.FOLLOW_UP if stage.follows_summary else roles.PROCESS)
                | {"health_port": str(free)},
                environ,
            ),
            health_port=free,
        )
        for stage, free in zip(STAGES, ports.free(len(STAGES)), strict=True)
    ]
    return Plan(
        preparation=[migrate],
        services=[[api], workers],
        grace=DRAIN + KILL_AFTER,
        announcement=ANNOUNCEMENT.format(url=f"http://{ports.HOST}:{port}", kept=kept),
    )


def _settings(
    kind: type[Struct], given: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    known = kind.__struct_fields__
    chosen = {environment.variable(name): value for name, value in given.items() if name in known}
    inherited = map(environment.variable, added(kind))
    return chosen | {name: environ[name] for name in inherited if name in environ}


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
