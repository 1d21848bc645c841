"""The deployables, run as in production: each gets only the settings that it needs."""

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec import Struct

from mousetrap.queue.stages import STAGES
from mousetrap.settings import environment
from mousetrap.settings.process import DEPLOYABLES, MigrateSettings
from mousetrap.stack import ports, roles
from mousetrap.stack.servers import Addresses
from mousetrap.stack.supervisor import Plan, Program

DRAIN = 3  # seconds for work in hand; the next run does the rest
KILL_AFTER = 2.0
FORM: Final = "MOUSETRAP_LOG_FORMAT"
NOT_INHERITED = ("MOUSETRAP_", "PG")  # asyncpg reads PGPORT and its like

GRANTED: Final = {
    "admin_role": roles.ADMIN,
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
{admin}
Ctrl-C stops it; the data stays in {kept}.
"""
ADMIN = """\
  the admin page       {url}/{account}
"""
USER: Final = environment.variable("admin_user")
PASSWORD: Final = environment.variable("admin_password")

DECIDED: Final = frozenset(
    {"host", "port", "health_host", "health_port", "postgres_dsn", "redis_url", "sources_file"}
    | {"grace"}
    | GRANTED.keys()
)
"""The settings that `up` decides; it passes on all others of its environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The choices of the caller: the port of the API, the number of workers of each name.

    With an `admin_port`, the admin page is served there. `kept` names the data folder in the
    announcement.
    """

    port: int
    sources: Path
    kept: str
    workers: Mapping[str, int] = field(default_factory=dict)
    admin_port: int | None = None


def plan(addresses: Addresses, wishes: Wishes, environ: Mapping[str, str]) -> Plan:
    """Return what `up` runs: the migrations, then the API, the workers and the admin page.

    They inherit `environ`, and each of its `MOUSETRAP_*` settings that it has, unless `up` decides
    it itself.
    """
    start = _Start(addresses, wishes, environ)
    url = f"http://{ports.HOST}:{wishes.port}"
    services = [
        [start.program("api", roles.API, port=wishes.port, health_port=wishes.port)],
        start.workers(),
    ]
    admin = ""
    if wishes.admin_port is not None:
        page = start.admin(wishes.admin_port)
        services.append([page])
        admin = ADMIN.format(
            url=f"http://{ports.HOST}:{wishes.admin_port}",
            account=_account(page.env, environ),
        )
    return Plan(
        preparation=[start.migrate()],
        services=services,
        grace=DRAIN + KILL_AFTER,
        announcement=ANNOUNCEMENT.format(url=url, kept=wishes.kept, admin=admin),
    )


def unused(environ: Mapping[str, str], *, servers: bool) -> list[str]:
    """Return the settings in `environ` that `up` decides itself.

    With `servers`, those that name the servers are used.
    """
    used = {"postgres_dsn", "redis_url"} if servers else set()
    names = sorted(map(environment.variable, DECIDED - used))
    return [it for name in names for it in (name, f"{name}_FILE") if it in environ]


class _Start:
    """Makes programs of deployables."""

    def __init__(self, addresses: Addresses, wishes: Wishes, environ: Mapping[str, str]) -> None:
        self._addresses = addresses
        self._wishes = wishes
        self._environ = environ
        self._common = _environment(environ)

    def migrate(self) -> Program:
        granted = GRANTED if self._addresses.plain_roles else {}
        given = self._given(roles.OWNER) | granted
        return Program(
            name="migrate",
            command=_module("process_worker", "migrate"),
            env=self._common | self._settings(MigrateSettings, given),
        )

    def workers(self) -> list[Program]:
        names = [
            (stage, f"{stage.worker}-{number}" if count > 1 else stage.worker)
            for stage in STAGES
            for count in [self._wishes.workers.get(stage.worker, 1)]
            for number in range(1, count + 1)
        ]
        return [
            self.program(
                stage.worker,
                roles.FOLLOW_UP if stage.follows_summary else roles.PROCESS,
                name=name,
                health_port=free,
            )
            for (stage, name), free in zip(names, ports.free(len(names)), strict=True)
        ]

    def admin(self, port: int) -> Program:
        own = _is_given(PASSWORD, self._environ)
        made = {} if own else {"admin_password": secrets.token_urlsafe(9)}
        return self.program("admin", roles.ADMIN, port=port, health_port=port, **made)

    def program(
        self, deployable: str, role: str, *, health_port: int, name: str = "", **more: object
    ) -> Program:
        given = self._given(role) | {"health_port": str(health_port)}
        given |= {setting: str(value) for setting, value in more.items()}
        return Program(
            name=name or deployable,
            command=_module(deployable),
            env=self._common | self._settings(DEPLOYABLES[deployable], given),
            health_port=health_port,
        )

    def _given(self, role: str) -> dict[str, str]:
        dsn = self._addresses.postgres_dsn
        return {
            "postgres_dsn": roles.log_in(dsn, role) if self._addresses.plain_roles else dsn,
            "redis_url": self._addresses.redis_url,
            "sources_file": str(self._wishes.sources),
            "grace": str(DRAIN),
            **({} if FORM in self._environ else {"log_format": "console"}),
        }

    def _settings(self, kind: type[Struct], given: Mapping[str, str]) -> dict[str, str]:
        known = kind.__struct_fields__
        passed = [environment.variable(it) for it in known if it not in DECIDED | given.keys()]
        both = [it for name in passed for it in (name, f"{name}{environment.FILE_SUFFIX}")]
        chosen = {environment.variable(it): value for it, value in given.items() if it in known}
        return {it: self._environ[it] for it in both if it in self._environ} | chosen


def _is_given(variable: str, environ: Mapping[str, str]) -> bool:
    return any(environ.get(it) for it in (variable, variable + environment.FILE_SUFFIX))


def _account(env: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """Describe the account of the admin page, without a password that is the caller's."""
    if _is_given(PASSWORD, environ):
        return ""
    in_file = USER + environment.FILE_SUFFIX in env
    user = f"the user of {USER}_FILE" if in_file else f"user {env.get(USER, 'admin')}"
    return f" ({user}, password {env[PASSWORD]})"


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"mousetrap.{name}", *arguments]


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if not name.startswith(NOT_INHERITED)}
    return kept | {
        # The code of this process, wherever it came from: a checkout, a PEX file, Pants.
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
    }
