"""Processes of two versions, from their PEX files, on the same servers."""

import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from chaos import system
from chaos.cells import Kind
from chaos.errors import ChaosError
from chaos.member import Member
from chaos.system import READS, SETTINGS, Logs, System
from mousetrap.settings import environment
from mousetrap.settings.process import MigrateSettings
from mousetrap.stack import readiness
from mousetrap.stack.servers import Servers
from mousetrap.stack.supervisor import Program

MIGRATE: Final = "migrate"
PYTHON: Final = str(Path(sys.base_prefix, "bin", "python3.13"))
"""The interpreter itself, without the packages of this program."""


class Version(StrEnum):
    """One of the two versions."""

    OLD = "old"
    NEW = "new"


_WORKER: Final = {"redis_url", "health_port", "lease", "max_deliveries", "grace", "log_format"}
_OLD: Final[Mapping[str, Collection[str]]] = {
    MIGRATE: {"postgres_dsn", "log_format"},
    Kind.API: {"postgres_dsn", "redis_url", "sources_file", "port", "grace", "log_format"},
    Kind.FETCH: _WORKER | {"sources_file"},
    Kind.PROCESS: _WORKER | {"postgres_dsn"},
}
_NEW: Final[Mapping[str, type[msgspec.Struct]]] = {
    MIGRATE: MigrateSettings,
    **{str(kind): reads for kind, reads in READS.items()},
}
SETS: Final[Mapping[Version, Mapping[str, Collection[str]]]] = {
    Version.OLD: _OLD,
    Version.NEW: {
        name: {field.name for field in msgspec.structs.fields(reads)}
        for name, reads in _NEW.items()
    },
}
"""The settings of each program of each version.

A version refuses unknown settings, so each gets its own environment, as in the Compose files.
"""


@dataclass(frozen=True, slots=True)
class Revision:
    """A kind of process and its version."""

    kind: Kind
    version: Version


class Fleet:
    """Starts and ends processes, at most one of each kind and version at a time."""

    def __init__(
        self, folders: Mapping[Version, Path], real: Servers, sources: Path, logs: Logs
    ) -> None:
        self._folders = folders
        self._servers = real
        self._sources = {Version.NEW: sources, Version.OLD: _for_old(sources)}
        self._logs = logs
        self._running: dict[Revision, Member] = {}
        self._members: dict[Kind, list[Member]] = {kind: [] for kind in READS}
        self.system = System(self._members, real, logs)

    def ports(self, *versions: Version) -> list[int]:
        """Return the addresses of the API of these versions."""
        found = (self._running.get(Revision(Kind.API, version)) for version in versions)
        return [it.port for it in found if it is not None and it.port is not None]

    def migrate(self, version: Version) -> None:
        """Migrate the database to the schema of `version`; raises ChaosError."""
        migrate, _ = system.plan(self._servers, self._sources[version])
        system.migrate(self._of(version, migrate, MIGRATE), self._logs)

    def start(self, revision: Revision) -> Member:
        """Start a process."""
        _, programs = system.plan(self._servers, self._sources[revision.version])
        program = self._of(revision.version, programs[revision.kind], revision.kind)
        number = len(self._members[revision.kind])
        program = replace(program, name=f"{revision.kind}-{number}-{revision.version}")
        member = Member(
            program.name,
            revision.kind,
            lambda: system.launched(program, self._logs),
            port=program.health_port,
        )
        self._members[revision.kind].append(member)
        self._running[revision] = member
        member.start()
        return member

    async def is_ready(self) -> bool:
        """Return whether every process is ready; raises ChaosError if one has ended."""
        for member in self._running.values():
            if member.misdeeds:
                raise ChaosError(f"{member.misdeeds}:\n{self._logs.tail(member.name)}")
            if member.port is not None and not await readiness.is_ready(member.port):
                return False
        return True

    async def stop(self, revision: Revision) -> None:
        """End a process by SIGTERM."""
        await self._running.pop(revision).terminate()

    def idle(self) -> Iterator[str]:
        """Return the names of workers that never had a job in hand."""
        for kind in (Kind.FETCH, Kind.PROCESS):
            for member in self._members[kind]:
                if not any('"job_id"' in line for line in self._logs.lines(member.name)):
                    yield member.name

    def close(self) -> None:
        """End all processes."""
        for member in self.system.everyone:
            member.close()

    def _of(self, version: Version, program: Program, name: str) -> Program:
        deployable = Kind.PROCESS if name == MIGRATE else name
        arguments = [MIGRATE] if name == MIGRATE else []
        env = {key: value for key, value in program.env.items() if not _OURS.match(key)}
        ours = {**program.env, **{environment.variable(k): str(v) for k, v in SETTINGS.items()}}
        for setting in SETS[version][name]:
            if (variable := environment.variable(setting)) in ours:
                env[variable] = ours[variable]
        return replace(
            program,
            name=f"{name}-{version}",
            command=_pex(self._folders[version], deployable, arguments),
            env={**env, "PEX_ROOT": str(self._logs.folder / "pex")},
        )


def _for_old(sources: Path) -> Path:
    """Write the sources without the settings that the old version does not know."""
    lines = sources.read_text("utf-8").splitlines(keepends=True)
    path = sources.with_stem(f"{sources.stem}-{Version.OLD}")
    path.write_text("".join(it for it in lines if not it.startswith(_NEW_KEYS)), "utf-8")
    return path


_NEW_KEYS: Final = (
    "allow_private",
    "body",
    "changes",
    "geometry",
    "grid",
    "group_by",
    "headers",
    "max_bad",
    "max_pages",
    "max_queued",
    "min_interval",
    "paging",
    "params",
    "probe_interval",
    "value_property",
)
_OURS: Final = re.compile("MOUSETRAP_|PYTHON|PEX_")


def _pex(folder: Path, deployable: str, arguments: Sequence[str]) -> list[str]:
    path = folder / f"{deployable}.pex"
    if not path.is_file():
        raise ChaosError(f"there is no {path}: run ./pants package-pex :: at that version")
    return [PYTHON, str(path), *arguments]
