import os
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import Struct

from mousetrap.queue.stages import STAGES
from mousetrap.settings.process import (
    AdminSettings,
    ApiSettings,
    FetchWorkerSettings,
    MigrateSettings,
    ProcessWorkerSettings,
    load,
)
from mousetrap.stack import deployables
from mousetrap.stack.deployables import Wishes
from mousetrap.stack.servers import Addresses
from mousetrap.stack.supervisor import Plan, Program

ADDRESSES = Addresses("postgresql://db/mousetrap", "redis://queue/0")
CALLER = {
    "PATH": "/bin",
    "MOUSETRAP_PORT": "1",
    "MOUSETRAP_NONSENSE": "x",
    "MOUSETRAP_LOG_LEVEL": "warning",
    "MOUSETRAP_MAX_ATTEMPTS_FILE": "/etc/attempts",
    "PGPORT": "6543",
}
WISHES = Wishes(port=8000, sources=Path("/etc/sources.toml"), kept="/data")


@pytest.fixture
def plan() -> Plan:
    return deployables.plan(ADDRESSES, WISHES, CALLER)


def programs(plan: Plan) -> dict[str, Program]:
    services = [program for group in plan.services for program in group]
    return {program.name: program for program in [*plan.preparation, *services]}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("migrate", MigrateSettings),
        ("api", ApiSettings),
        ("fetch_worker", FetchWorkerSettings),
        ("process_worker", ProcessWorkerSettings),
    ],
)
def test_each_deployable_gets_settings_that_it_accepts(
    plan: Plan, name: str, kind: type[Struct]
) -> None:
    program = programs(plan)[name]
    settings = load(kind, {k: v for k, v in program.env.items() if not k.endswith("ATTEMPTS_FILE")})
    assert program.health_port == getattr(settings, "health_port", getattr(settings, "port", None))


def test_the_fetch_worker_does_not_know_the_database(plan: Plan) -> None:
    known = {
        name: {each for each in program.env if each.startswith("MOUSETRAP_")}
        for name, program in programs(plan).items()
    }
    having = {name for name, names in known.items() if "MOUSETRAP_POSTGRES_DSN" in names}
    assert having >= {"migrate", "api", "process_worker"}
    assert "fetch_worker" not in having


def test_each_deployable_logs_in_as_itself() -> None:
    addresses = Addresses(
        "postgresql://postgres@/postgres?host=/s", "redis://queue/0", plain_roles=True
    )
    plan = deployables.plan(addresses, replace(WISHES, admin_port=8001), {})

    used = {
        name: program.env["MOUSETRAP_POSTGRES_DSN"]
        for name, program in programs(plan).items()
        if "MOUSETRAP_POSTGRES_DSN" in program.env
    }

    roles = {"migrate": "owner", "api": "api", "process_worker": "process", "admin": "admin"}
    assert roles.keys() <= used.keys()
    # Any other follows summaries.
    assert used == {
        name: f"postgresql://mousetrap_{roles.get(name, 'follow_up')}@/postgres?host=/s"
        for name in used
    }
    migrate = load(MigrateSettings, programs(plan)["migrate"].env)
    assert (migrate.api_role, migrate.process_role) == ("mousetrap_api", "mousetrap_process")


def test_settings_of_the_caller_reach_the_deployables_that_have_them(plan: Plan) -> None:
    having = {
        name: {it for it in ("LOG_LEVEL", "MAX_ATTEMPTS_FILE") if f"MOUSETRAP_{it}" in program.env}
        for name, program in programs(plan).items()
    }

    assert having.pop("process_worker") == {"LOG_LEVEL", "MAX_ATTEMPTS_FILE"}
    assert having["api"] == having["fetch_worker"] == having["migrate"] == {"LOG_LEVEL"}
    assert programs(plan)["api"].env["MOUSETRAP_PORT"] == "8000"
    assert deployables.unused(CALLER, servers=False) == ["MOUSETRAP_PORT"]


def test_as_many_workers_run_as_are_asked_for() -> None:
    wishes = replace(WISHES, workers={"fetch_worker": 3, "process_worker": 1})

    found = programs(deployables.plan(ADDRESSES, wishes, {}))

    assert {"fetch_worker-1", "fetch_worker-2", "fetch_worker-3", "process_worker"} <= found.keys()
    assert len({program.health_port for program in found.values()}) == len(found)


def admin(environ: dict[str, str]) -> tuple[AdminSettings, str]:
    """Return the settings of the admin page, and the line that announces it."""
    plan = deployables.plan(ADDRESSES, replace(WISHES, admin_port=8001), environ)
    [line] = [it for it in plan.announcement.splitlines() if "the admin page" in it]
    return load(AdminSettings, programs(plan)["admin"].env), line.split(maxsplit=3)[3]


@pytest.mark.parametrize(
    ("environ", "user"),
    [
        ({}, "user admin"),
        ({"MOUSETRAP_ADMIN_USER": "ada"}, "user ada"),
        ({"MOUSETRAP_ADMIN_USER_FILE": "{file}"}, "the user of MOUSETRAP_ADMIN_USER_FILE"),
    ],
)
def test_the_admin_page_is_announced_with_the_password_that_was_made(
    environ: dict[str, str], user: str, tmp_path: Path
) -> None:
    file = tmp_path / "user"
    file.write_text("ada")

    settings, line = admin({name: value.format(file=file) for name, value in environ.items()})

    assert settings.port == 8001
    assert line == f"http://127.0.0.1:8001/ ({user}, password {settings.admin_password})"
    assert settings.admin_user == ("ada" if environ else "admin")


@pytest.mark.parametrize("form", ["MOUSETRAP_ADMIN_PASSWORD", "MOUSETRAP_ADMIN_PASSWORD_FILE"])
def test_a_password_of_the_caller_is_used_and_not_told(form: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("open sesame")

    settings, line = admin({form: str(file) if form.endswith("_FILE") else "open sesame"})

    assert settings.admin_password == "open sesame"  # noqa: S105 - it is none
    assert line == "http://127.0.0.1:8001/"


def test_other_variables_of_the_caller_do_not_reach_the_deployables(plan: Plan) -> None:
    for program in programs(plan).values():
        assert program.env["PATH"] == "/bin"
        assert "MOUSETRAP_NONSENSE" not in program.env
        assert "PGPORT" not in program.env
        assert all(
            Path(entry).is_absolute() for entry in program.env["PYTHONPATH"].split(os.pathsep)
        )


def test_the_api_stops_before_the_workers(plan: Plan) -> None:
    first, *others = [[program.name for program in group] for group in plan.services]
    assert (first, others) == (["api"], [[stage.worker for stage in STAGES]])
