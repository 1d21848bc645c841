"""All four processes alike: how they refuse settings, and how they stop without their servers."""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mousetrap.admin.__main__ import main as admin
from mousetrap.api.__main__ import main as api
from mousetrap.fetch_worker.__main__ import main as fetch_worker
from mousetrap.process_worker.__main__ import main as process_worker
from mousetrap.stack import ports
from support.processes import running

KNOWN = {
    "admin_password": "correct horse",
    "postgres_dsn": "postgresql://mousetrap@/nowhere?host=/nonexistent",
    "redis_url": "unix:///nonexistent",
    "sources_file": "unread",
}


@dataclass(frozen=True, slots=True)
class Deployable:
    main: Callable[[Sequence[str]], int]
    needs: Sequence[str]  # the settings that it does not run without
    port: str
    arguments: Sequence[str] = ()

    @property
    def module(self) -> str:
        return self.main.__module__.split(".")[1]

    def variables(self) -> dict[str, str]:
        return {_variable(name): KNOWN[name] for name in self.needs}


WORKERS_NEED = ("postgres_dsn", "redis_url", "sources_file")
DEPLOYABLES = (
    Deployable(admin, ("postgres_dsn", "admin_password"), "port"),
    Deployable(api, WORKERS_NEED, "port"),
    Deployable(fetch_worker, WORKERS_NEED[1:], "health_port"),
    Deployable(process_worker, WORKERS_NEED, "health_port"),
)
MIGRATION = Deployable(process_worker, WORKERS_NEED[:1], "", ("migrate",))


@dataclass(frozen=True, slots=True)
class Console:
    """Where a deployable that cannot use its environment says so."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def complaint(self, deployable: Deployable, environment: dict[str, str]) -> str:
        """Run it in this environment; return the one line that it says."""
        self.monkeypatch.setattr("os.environ", environment)
        assert deployable.main(deployable.arguments) == 2
        said = self.capsys.readouterr()
        assert (said.err.count("\n"), said.out) == (1, "")
        return said.err


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(monkeypatch, capsys)


def _variable(name: str) -> str:
    return f"MOUSETRAP_{name.upper()}"


def _id(value: object) -> str | None:
    return " ".join([value.module, *value.arguments]) if isinstance(value, Deployable) else None


def each(*deployables: Deployable) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("deployable", deployables, ids=_id)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@each(*DEPLOYABLES)
async def test_stops_while_it_waits(
    deployable: Deployable, number: signal.Signals, tmp_path: Path
) -> None:
    file = tmp_path / "sources.toml"
    file.write_text('default = "demo"\n[sources.demo]\nkind = "faker"\n')
    settings: dict[str, str | None] = {name: KNOWN[name] for name in deployable.needs}
    if "sources_file" in settings:
        settings["sources_file"] = str(file)
    settings[deployable.port] = str(ports.free(1)[0])
    server = "postgres" if "postgres_dsn" in settings else "redis"
    async with running(deployable.module, settings=settings) as process:
        waits = await process.logged(f"waiting for {server}")
        process.send(number)

        assert await process.end(deadline=10) == (0, "")

    assert waits["level"] == "warning"


@each(*DEPLOYABLES)
async def test_ends_in_one_line_without_a_setting(deployable: Deployable) -> None:
    first, *others = deployable.needs
    async with running(
        deployable.module, settings={name: KNOWN[name] for name in others}
    ) as process:
        code, complaint = await process.end()

    assert code == 2
    assert complaint.startswith(f"{deployable.module}: {_variable(first)} is not set")
    assert complaint.count("\n") == 1
    assert process.lines == []


@pytest.mark.parametrize(
    ("deployable", "name"),
    [(it, name) for it in (*DEPLOYABLES, MIGRATION) for name in it.needs],
    ids=_id,
)
def test_names_the_setting_that_is_missing(
    console: Console, deployable: Deployable, name: str
) -> None:
    variables = deployable.variables()
    del variables[_variable(name)]

    said = console.complaint(deployable, variables)

    assert said.startswith(f"{deployable.module}: {_variable(name)} is not set")


@pytest.mark.parametrize(
    ("deployable", "name"),
    [
        (it, name)
        for it in (*DEPLOYABLES, MIGRATION)
        for name in it.needs
        if name in {"postgres_dsn", "redis_url"}
    ],
    ids=_id,
)
def test_names_the_setting_that_is_wrong(
    console: Console, deployable: Deployable, name: str
) -> None:
    variables = deployable.variables() | {_variable(name): "mysql://nowhere"}

    assert _variable(name) in console.complaint(deployable, variables)


@each(*DEPLOYABLES, MIGRATION)
def test_says_which_setting_a_misspelt_one_might_be(
    console: Console, deployable: Deployable
) -> None:
    variables = deployable.variables() | {"MOUSETRAP_LOG_LEVLE": "info"}

    said = console.complaint(deployable, variables)

    assert "did you mean MOUSETRAP_LOG_LEVEL?" in said


@each(*(it for it in DEPLOYABLES if "sources_file" in it.needs))
def test_names_the_file_that_it_cannot_read(console: Console, deployable: Deployable) -> None:
    variables = deployable.variables() | {_variable("sources_file"): "/nonexistent/sources.toml"}

    assert "/nonexistent/sources.toml" in console.complaint(deployable, variables)
