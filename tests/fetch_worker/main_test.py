"""The whole process: how it starts, waits, works and stops."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from mousetrap.messages.schema import BatchFetched, FetchFailed, FetchOutcome, FetchRequested
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH, PROCESS
from mousetrap.queue.streams import GROUP
from mousetrap.stack import ports
from mousetrap.stack.servers import Servers
from support import valkey
from support.features import collection, feature
from support.origin import Origin, answer
from support.processes import Starter
from support.streams import dead, restricted, sent, until

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


class Slow:
    """A source that answers when it may."""

    def __init__(self, origin: Origin) -> None:
        self.may_answer = asyncio.Event()
        self._origin = origin
        origin.answers(self._reply, path="/feed")

    async def _reply(self, writer: asyncio.StreamWriter) -> None:
        await self.may_answer.wait()
        writer.write(answer(collection(feature())))
        await writer.drain()

    async def asked(self) -> None:
        async with asyncio.timeout(30):
            await self._origin.arrived.acquire()


@pytest.fixture
def slow(origin: Origin) -> Iterator[Slow]:
    source = Slow(origin)
    yield source
    source.may_answer.set()


async def request(publisher: Publisher, source: str) -> UUID:
    job_id = uuid4()
    await publisher.send(FetchRequested(job_id, source))
    return job_id


def outcomes(raw: Redis, count: int) -> Callable[[], Awaitable[list[FetchOutcome]]]:
    async def found() -> list[FetchOutcome]:
        sent_so_far = await sent(raw, PROCESS)
        return sent_so_far if len(sent_so_far) >= count else []

    return found


@BOTH
async def test_finishes_what_is_in_hand(
    start: Starter, publisher: Publisher, raw: Redis, slow: Slow, number: signal.Signals
) -> None:
    [port] = ports.free(1)
    worker = await start(health_port=str(port))
    assert (await worker.logged("health checks are served"))["port"] == port
    assert await worker.ready() == {"redis": "ok"}
    assert await worker.health("live") == (200, {"status": "ok"})
    job_id = await request(publisher, "feed")
    await slow.asked()

    worker.send(number)
    await worker.logged("draining", in_flight=1)
    assert (await worker.health("live"))[0] == 200
    assert (await worker.health("ready"))[0] == 503
    assert await sent(raw, PROCESS) == []
    slow.may_answer.set()

    assert await worker.end() == (0, "")
    [batch] = await sent(raw, PROCESS)
    assert isinstance(batch, BatchFetched)
    assert batch.job_id == job_id
    assert await raw.xlen(FETCH.key) == 0
    assert {line["service"] for line in worker.lines} == {"fetch-worker"}
    assert (await worker.logged("request answered"))["job_id"] == str(job_id)


async def test_waits_no_longer_than_its_grace_and_hands_the_request_back(
    start: Starter, publisher: Publisher, raw: Redis, slow: Slow
) -> None:
    worker = await start(grace="0.5", lease="60")
    job_id = await request(publisher, "feed")
    await slow.asked()

    begin = time.monotonic()
    worker.send(signal.SIGTERM)

    assert await worker.end() == (0, "")
    assert 0.4 < time.monotonic() - begin < 6
    slow.may_answer.set()
    await start(lease="60")
    [outcome] = await until(outcomes(raw, 1))
    assert (type(outcome), outcome.job_id) == (BatchFetched, job_id)


@BOTH
async def test_a_second_signal_ends_it_at_once(
    start: Starter, publisher: Publisher, slow: Slow, number: signal.Signals
) -> None:
    worker = await start(grace="600")
    await request(publisher, "feed")
    await slow.asked()

    worker.send(signal.SIGTERM)
    await worker.logged("draining")
    worker.send(number)

    assert await worker.end(deadline=10) == (128 + number, "")


async def test_waits_for_redis(  # noqa: PLR0913, PLR0917 - fixtures
    start: Starter,
    publisher: Publisher,
    raw: Redis,
    servers: Servers,
    redis_url: str,
    tmp_path: Path,
) -> None:
    """Starts in front of an empty place, into which the server's socket comes later."""
    worker = await start(redis_url=redis_url.replace(str(servers.sockets), str(tmp_path)))
    assert (await worker.logged("waiting for redis"))["level"] == "warning"
    assert (await worker.health("live"))[0] == 200
    assert "QueueUnavailableError" in (await worker.ready(503))["redis"]
    await request(publisher, "demo")

    (tmp_path / "valkey").symlink_to(servers.sockets / "valkey")

    await worker.ready()
    assert len(await until(outcomes(raw, 1))) == 1
    worker.send(signal.SIGTERM)
    assert await worker.end() == (0, "")


async def test_is_never_ready_on_a_cluster(start: Starter, tmp_path: Path) -> None:
    with valkey.running(tmp_path / "cluster", "--cluster-enabled", "yes") as url:
        worker = await start(redis_url=url)

        waiting = await worker.logged("waiting for redis")
        checks = await worker.ready(503)

        assert "runs in cluster mode" in waiting["reason"]
        assert checks["redis"].startswith("WrongServerError: this Redis or Valkey runs in cluster")
        assert (await worker.health("live"))[0] == 200
        worker.send(signal.SIGTERM)
        assert await worker.end() == (0, "")
    assert worker.all_logged("working") == []


async def test_answers_every_request(start: Starter, publisher: Publisher, raw: Redis) -> None:
    sources = {await request(publisher, name): name for name in ("demo", "gone", "nowhere")}
    await start()

    answers = {sources[it.job_id]: it for it in await until(outcomes(raw, 3))}

    assert isinstance(answers["demo"], BatchFetched)
    assert isinstance(answers["gone"], FetchFailed)
    assert (answers["gone"].code, answers["gone"].retryable) == ("refused", False)
    assert isinstance(answers["nowhere"], FetchFailed)
    assert answers["nowhere"].code == "unknown-source"


async def test_what_it_cannot_read_becomes_a_dead_letter_and_its_job_fails(
    start: Starter, publisher: Publisher, raw: Redis
) -> None:
    job_id = str(uuid4())
    newer = f'{{"type": "fetch-requested", "job_id": "{job_id}", "source": "demo", "version": 2}}'
    envelope = f'{{"task_id": "1", "task_name": "{FETCH.task}", "args": [{newer}], "kwargs": {{}}}}'
    poison = [b"\xff not JSON", envelope.encode()]
    for data in poison:
        await raw.xadd(FETCH.key, {"data": data})
    after = await request(publisher, "demo")

    worker = await start()

    answers = {it.job_id: it for it in await until(outcomes(raw, 2))}
    assert isinstance(answers[after], BatchFetched)
    failure = answers[UUID(job_id)]
    assert isinstance(failure, FetchFailed)
    assert failure.code == "undeliverable"
    assert "update it" in failure.detail
    worker.send(signal.SIGTERM)
    assert await worker.end() == (0, "")
    letters = await dead(raw)
    assert sorted(letter[b"data"] for letter in letters) == sorted(poison)
    assert {letter[b"queue"] for letter in letters} == {FETCH.key.encode()}
    assert await raw.xlen(FETCH.key) == 0


async def test_a_request_whose_worker_died_before_it_was_acknowledged_is_answered_again(
    start: Starter, publisher: Publisher, raw: Redis, redis_url: str
) -> None:
    async def nothing_left() -> bool:
        return int(await raw.xlen(FETCH.key)) == 0

    job_id = await request(publisher, "demo")
    async with restricted(raw, redis_url, "xack") as user:
        mortal = await start(redis_url=user.url, lease="2")
        await until(outcomes(raw, 1))
        await mortal.kill()
    [entry] = await raw.xpending_range(FETCH.key, GROUP, "-", "+", 10)
    assert entry["times_delivered"] == 1

    await start(lease="2")

    assert [it.job_id for it in await until(outcomes(raw, 2))] == [job_id, job_id]
    await until(nothing_left)


KEYED = """
default = "feed"
[sources.feed]
kind = "geojson"
url = "{url}"
allow_private = true
headers = {{ Authorization = {{ file = "{file}", prefix = "Bearer " }} }}
params = {{ key = {{ file = "{file}" }} }}
"""


async def test_a_secret_that_is_missing_ends_it_at_the_start(
    start: Starter, tmp_path: Path
) -> None:
    sources = tmp_path / "keyed.toml"
    sources.write_text(KEYED.format(url="https://example.org/", file="/nowhere"), "utf-8")

    worker = await start(sources_file=str(sources))

    code, complaint = await worker.end()
    assert code == 2
    assert complaint == (
        f"fetch_worker: the sources file {sources}: [sources.feed]: headers.Authorization: the file"
        " /nowhere cannot be read (No such file or directory): give it to the fetch worker\n"
    )


async def test_a_secret_is_in_no_line_and_in_no_outcome(
    start: Starter, publisher: Publisher, raw: Redis, origin: Origin, tmp_path: Path
) -> None:
    canary = "canary-4f1d9c7e2b"
    (tmp_path / "token").write_text(canary, "utf-8")
    sources = tmp_path / "keyed.toml"
    sources.write_text(KEYED.format(url=origin.url("/keyed"), file=tmp_path / "token"), "utf-8")
    link = f'</{canary}>; rel="next", <ftp://{canary}>; rel="next"'
    origin.answers(answer(f"<p>{canary} is wrong".encode(), Link=link), path=f"/keyed?key={canary}")
    worker = await start(sources_file=str(sources), log_level="debug")

    await request(publisher, "feed")

    [outcome] = await until(outcomes(raw, 1))
    worker.send(signal.SIGTERM)
    assert await worker.end() == (0, "")
    assert isinstance(outcome, FetchFailed)
    assert outcome.code == "wrong-content-type"
    assert origin.requests[0].headers["authorization"] == f"Bearer {canary}"
    assert canary not in f"{outcome} {worker.lines}"
    assert (await worker.logged("no batch"))["excerpt"] == "<p>*** is wrong"
