import os
from pathlib import Path

import pytest
from msgspec import Struct

from mousetrap.queue.stages import STAGES
from mousetrap.settings.process import (
    ApiSettings,
    FetchWorkerSettings,
    MigrateSettings,
    ProcessWorkerSettings,
    load,
)
from mousetrap.stack import deployables
from mousetrap.stack.servers import Addresses
from mousetrap.stack.supervisor import Plan, Program

ADDRESSES = Addresses("postgresql://db/mousetrap", "redis://queue/0")
CALLER = {"PATH": "/bin", "MOUSETRAP_PORT": "1", "MOUSETRAP_NONSENSE": "x", "PGPORT": "6543"}


@pytest.fixture
def plan() -> Plan:
    return deployables.plan(
        ADDRESSES, port=8000, sources=Path("/etc/sources.toml"), kept="/data", environ=CALLER
    )


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
    settings = load(kind, program.env)
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
    plan = deployables.plan(
        addresses, port=8000, sources=Path("/etc/sources.toml"), kept="/data", environ=CALLER
    )

    used = {
        name: program.env["MOUSETRAP_POSTGRES_DSN"]
        for name, program in programs(plan).items()
        if "MOUSETRAP_POSTGRES_DSN" in program.env
    }

    roles = {"migrate": "owner", "api": "api", "process_worker": "process"}
    assert roles.keys() <= used.keys()
    # Any other follows summaries.
    assert used == {
        name: f"postgresql://mousetrap_{roles.get(name, 'follow_up')}@/postgres?host=/s"
        for name in used
    }
    migrate = load(MigrateSettings, programs(plan)["migrate"].env)
    assert (migrate.api_role, migrate.process_role) == ("mousetrap_api", "mousetrap_process")


def test_the_callers_settings_do_not_reach_the_deployables(plan: Plan) -> None:
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
