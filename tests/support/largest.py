"""The largest feeds that the default settings permit, through every process at once."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from mousetrap.geo.point import MAX_NAME
from mousetrap.settings.source_kinds import GeojsonSettings
from mousetrap.stack import ports
from support import origin as origins
from support.confined import Confinement, peak
from support.origin import Origin, answer
from support.processes import Process, running

DEFAULTS = GeojsonSettings(url="http://127.0.0.1/")
AT_ONCE = 3
DEADLINE = 120.0

FEATURE = (
    '{"type":"Feature","geometry":{"type":"Point","coordinates":[%.2f,%.2f]},'
    '"properties":{"name":%s}}'
)
HEAD, TAIL = b'{"type":"FeatureCollection","features":[', b"]}"


def features(names: Iterable[str | None]) -> Iterator[bytes]:
    for number, name in enumerate(names):
        lon, lat = number * 0.0031 % 360 - 180, number * 0.0017 % 180 - 90
        yield (FEATURE % (lon, lat, json.dumps(name, ensure_ascii=False))).encode()


def feed(names: Iterable[str | None]) -> bytes:
    """Return a feed of so many of these points as the default bounds let through."""
    remaining = DEFAULTS.max_bytes - len(HEAD) - len(TAIL)
    chosen: list[bytes] = []
    for made in features(names):
        remaining -= len(made) + 1
        if remaining < 0 or len(chosen) == DEFAULTS.max_points:
            break
        chosen.append(made)
    return HEAD + b",".join(chosen) + TAIL


def repeated(name: str | None) -> Iterator[str | None]:
    while True:
        yield name


FEEDS: Mapping[str, Callable[[], bytes]] = {
    "most points": lambda: feed(repeated(None)),
    "most text": lambda: feed(repeated("🐭" * MAX_NAME)),
    # Python keeps four bytes for each character of a text with one that needs them.
    "widest text": lambda: feed(repeated("a" * (MAX_NAME - 1) + "🐭")),
}
"""Feeds that take the most memory in one way each."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One feed that has passed through: the peak of each process, in bytes."""

    points: int
    body: int
    peaks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class System:
    """The running processes by name, and the client of the API."""

    origin: Origin
    processes: Mapping[str, Process]
    http: httpx2.AsyncClient

    async def passage(self, body: bytes) -> Passage:
        """Let a feed pass AT_ONCE times at once, and read each batch as often."""
        self.origin.answers(answer(body))
        async with asyncio.timeout(DEADLINE):
            jobs = await asyncio.gather(*(self.refresh(f"s{it}") for it in range(AT_ONCE)))
            ended = await asyncio.gather(*(self.ended(job) for job in jobs))
            assert [job["state"] for job in ended] == ["succeeded"] * AT_ONCE, ended
            assert [job["attempts"] for job in ended] == [1] * AT_ONCE, ended
            counts = await asyncio.gather(*(self.points(job) for job in jobs))
        [count] = {*counts}
        return Passage(count, len(body), self.peaks())

    def peaks(self) -> Mapping[str, int]:
        """Return the most bytes of memory that each process has had so far."""
        return {name: peak(process.pid) for name, process in self.processes.items()}

    async def refresh(self, source: str) -> str:
        """Return the id of a new job of a source."""
        accepted = await self.http.post("/refresh", json={"source": source})
        assert accepted.status_code == 202, accepted.text
        job: str = accepted.json()["job_id"]
        return job

    async def ended(self, job: str) -> dict[str, object]:
        """Return a job once it has ended."""
        while True:
            found: dict[str, object] = (await self.http.get(f"/jobs/{job}")).json()
            if found["state"] != "queued":
                return found
            await asyncio.sleep(0.1)

    async def points(self, job: str) -> int:
        """Return how many points the batch of a job has."""
        count, rest = 0, b""
        async with self.http.stream("GET", f"/summaries/{job}/points") as found:
            async for piece in found.aiter_bytes():
                rest += piece
                count += rest.count(b'"Feature"')
                rest = rest[-8:].replace(b'"Feature"', b"")
        assert rest.endswith(TAIL)
        return count


@asynccontextmanager
async def system(
    folder: Path,
    confinements: Sequence[Confinement],
    *,
    postgres_dsn: str,
    redis_url: str,
    keys: str = 'kind = "geojson"\n',
) -> AsyncIterator[System]:
    """Run the processes, each in a confinement of its own, with sources that have these keys."""
    [port] = ports.free(1)
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(origins.running())
        sources = folder / "sources.toml"
        entry = '[sources.s{}]\nurl = "{}"\nallow_private = true\n' + keys
        entries = [entry.format(number, origin.url()) for number in range(AT_ONCE)]
        sources.write_text('default = "s0"\n' + "".join(entries))
        shared: dict[str, str | None] = {
            "redis_url": redis_url,
            "sources_file": str(sources),
            "log_level": "warning",
        }
        each: dict[str, dict[str, str | None]] = {
            "fetch_worker": {"health_port": "0"},
            "process_worker": {"health_port": "0", "postgres_dsn": postgres_dsn},
            "api": {"port": str(port), "postgres_dsn": postgres_dsn},
        }
        processes = {
            name: await stack.enter_async_context(
                running(name, settings=shared | settings, enter=confinement.enter)
            )
            for (name, settings), confinement in zip(each.items(), confinements, strict=True)
        }
        http = await stack.enter_async_context(
            httpx2.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=DEADLINE
            )
        )
        await _ready(http)
        yield System(origin, processes, http)


async def _ready(http: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                if (await http.get("/health/ready")).status_code == 200:
                    return
            except httpx2.ConnectError:
                pass
            await asyncio.sleep(0.1)
