"""deploy/valkey/users.acl: each process may do its work on the queue, and nothing else."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
import valkey_users
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from deploy.files import text
from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.messages.schema import BatchFetched, FetchOutcome, FetchRequested, SummaryStored
from mousetrap.queue import scripts
from mousetrap.queue.begun import PREFIX, BegunJobs
from mousetrap.queue.circuits import FAILURES, KEY, Circuits
from mousetrap.queue.inspector import Attempt, Inspector
from mousetrap.queue.pieces import PieceStore, new_key
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.scripts import Script
from mousetrap.queue.stages import FETCH, PROCESS, STAGES, following
from mousetrap.queue.streams import DEAD, WAITING
from support.streams import dead, until
from support.valkey import command, parsed, refused, users
from support.workers import Options, working

LEASE = 0.6
THIS = "this version"
RELEASED = "the version before"

ENDLESS = "while true do end"
ENDLESS_DIGEST = hashlib.sha1(ENDLESS.encode(), usedforsecurity=False).hexdigest()


USERS = parsed(text("valkey/users.acl"))


@asynccontextmanager
async def addresses(raw: Redis, url: str, rules: dict[str, str]) -> AsyncIterator[dict[str, str]]:
    """The address of the queue for each of the users, as which nothing may be refused."""
    async with users(raw, url, rules) as address:
        yield address
        assert await refused(raw, rules) == []


@pytest.fixture
async def address(
    raw: Redis, redis_url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[dict[str, str]]:
    rules = as_updated(monkeypatch) if getattr(request, "param", "") == RELEASED else USERS
    async with addresses(
        raw, redis_url, {user: rules[user] for user in ("api", "fetch", "process")}
    ) as found:
        yield found


def as_updated(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the users of a version that changes all scripts; this process runs those before."""
    every = {name: it for name, it in vars(scripts).items() if isinstance(it, Script)}
    former = {name: Script(f"{it.text}\n-- as released") for name, it in every.items()}
    released = {name: it.digest for name, it in former.items()}
    monkeypatch.setattr(valkey_users, "RELEASED", released)
    users = parsed(valkey_users.text())
    for name, script in every.items():
        monkeypatch.setattr(script, "text", former[name].text)
        monkeypatch.setattr(script, "digest", former[name].digest)
    return users


async def bury(_: DeadLetter) -> None:
    """Nothing is to be told here."""


@pytest.mark.parametrize("address", [THIS, RELEASED], indirect=True)
async def test_every_process_can_do_all_of_its_work(address: dict[str, str], raw: Redis) -> None:
    done: list[UUID] = []
    tried: list[UUID] = []
    async with Publisher(address["api"]) as api, Publisher(address["fetch"]) as worker:

        async def fetch(request: FetchRequested) -> None:
            await asyncio.sleep(LEASE)  # the lease has to be extended
            await worker.send(
                BatchFetched(
                    job_id=request.job_id,
                    fetched_at=datetime.now(UTC),
                    batch=Batch.of([Point(1.0, 2.0)]),
                )
            )

        async def process(outcome: FetchOutcome) -> None:
            tried.append(outcome.job_id)
            if outcome.job_id == doomed:
                raise ArithmeticError
            done.append(outcome.job_id)

        await api.ping()
        async with Circuits(address["fetch"]) as circuits:
            for _ in range(FAILURES):
                await circuits.failed("demo", "timeout", interval=0)
            assert await circuits.may_probe("demo", within=0)
            assert await circuits.find("demo")
            await circuits.succeeded("demo")
            assert await circuits.rest("demo", 60) == 0
            assert await circuits.rest("demo", 60) > 0
        async with BegunJobs(address["fetch"]) as begun:
            await begun.mark(uuid4(), 1)
        async with PieceStore(address["fetch"]) as pieces:
            key = new_key()
            await pieces.put(key, [b"piece"])
        async with PieceStore(address["process"]) as pieces:
            assert await pieces.get(key, 0) == b"piece"
            await pieces.drop(key, 1)
        async with BegunJobs(address["api"]) as begun:
            assert await begun.among({uuid4(): [1, 2]}) == []
        async with Circuits(address["api"]) as circuits:
            assert await circuits.of(["demo"]) == {}
        async with Inspector(address["api"]) as inspector:
            assert [it.messages for it in await inspector.depths(silence=5.0)] == [0] * len(STAGES)
        job, doomed = uuid4(), uuid4()
        for each in (job, doomed):
            await api.send(FetchRequested(job_id=each, source="demo"))
        options = Options(lease=LEASE, max_deliveries=2, bury=bury)
        async with (
            working(address["fetch"], FETCH, fetch, **options),
            working(address["process"], PROCESS, process, **options),
        ):
            letters = await until(lambda: dead(raw))

    assert done == [job]
    assert tried.count(doomed) == 2
    assert len(letters) == 1
    async with Inspector(address["process"]) as inspector:
        buried = await inspector.buried(10)
        assert [letter.job_id for letter in buried.values()] == [doomed]
        await inspector.forget(buried)
    assert [await raw.xlen(stream.key) for stream in (FETCH, PROCESS)] == [0, 0]
    for stream in (FETCH, PROCESS):
        assert await raw.xinfo_consumers(stream.key, "workers") == []


async def test_a_stage_that_follows_summaries_can_do_all_of_its_work(
    raw: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = following("alert")
    monkeypatch.setattr(valkey_users, "STAGES", (*STAGES, alert))
    users = parsed(valkey_users.text())
    job, done = uuid4(), asyncio.Event()

    async def follow(message: SummaryStored) -> None:
        assert message.job_id == job
        await asyncio.sleep(LEASE)
        done.set()

    async with addresses(raw, redis_url, {it: users[it] for it in ("process", "alert")}) as address:
        async with (
            Publisher(address["process"], stages=[alert]) as publisher,
            Inspector(address["process"]) as inspector,
        ):
            await publisher.send(SummaryStored(job, alert.name, "demo", {}))
            backlog = await inspector.look_for([Attempt(job, 1)], alert)
            assert backlog.waiting == {Attempt(job, 1)}
        async with working(address["alert"], alert, follow, lease=LEASE):
            await done.wait()

    assert await raw.exists(alert.waiting) == 0
    assert await raw.xlen(alert.key) == 0


def damage(stream: str) -> list[list[str]]:
    """Commands that a process sends for its own stream and must not send for another."""
    return [
        ["XDEL", stream, "1-1"],
        ["XACK", stream, "workers", "1-1"],
        ["XCLAIM", stream, "workers", "me", "0", "1-1"],
        ["XGROUP", "DELCONSUMER", stream, "workers", "other"],
        ["XREADGROUP", "GROUP", "workers", "me", "STREAMS", stream, ">"],
        ["XPENDING", stream, "workers"],
        *own_scripts(stream),
    ]


def own_scripts(stream: str) -> list[list[str]]:
    """Return the ways to run a script that is none of the queue's."""
    return [
        *([command, ENDLESS, "1", stream] for command in ("EVAL", "EVAL_RO")),
        *([command, ENDLESS_DIGEST, "1", stream] for command in ("EVALSHA", "EVALSHA_RO")),
        ["EVALSHA", ENDLESS_DIGEST, "0"],
        ["FCALL", "endless", "1", stream],
        ["FUNCTION", "LOAD", f"#!lua name=endless\n{ENDLESS}"],
    ]


@pytest.mark.parametrize(
    ("user", "words"),
    [
        # It may look at what it could read in the database as well.
        *(("api", words) for words in damage(PROCESS.key) if words[0] != "XPENDING"),
        ("api", ["XADD", PROCESS.key, "*", "data", "x"]),
        ("api", ["XRANGE", DEAD, "-", "+"]),
        ("api", ["DEL", FETCH.key]),
        ("api", ["HDEL", KEY, "demo"]),
        # A compromised fetch worker decides how large they are.
        ("api", ["HGETALL", KEY]),
        ("api", ["MGET", f"{PREFIX}x"]),
        ("process", ["HSET", KEY, "demo", "x"]),
        ("fetch", ["XRANGE", PROCESS.key, "-", "+"]),
        ("fetch", ["XADD", "other", "*", "data", "x"]),
        ("fetch", ["XADD", FETCH.key, "*", "data", "x"]),
        # It has to know whether it could send.
        *(("fetch", words) for words in damage(PROCESS.key) if words[0] != "XPENDING"),
        *(("fetch", words) for words in damage(DEAD)),
        ("process", ["XRANGE", FETCH.key, "-", "+"]),
        # It has to know whether requests wait, and to store dead letters elsewhere.
        *(("process", words) for words in damage(FETCH.key) if words[0] != "XPENDING"),
        *(("process", words) for words in damage(DEAD) if words[0] != "XDEL"),
        *(("api", words) for words in own_scripts(FETCH.key)),
        *(("fetch", words) for words in own_scripts(FETCH.key)),
        *(("process", words) for words in own_scripts(PROCESS.key)),
        # A key of the wrong type would be there for good: nobody may delete it.
        *((user, ["XADD", WAITING, "*", "data", "x"]) for user in ("api", "fetch", "process")),
        *((user, ["ZADD", FETCH.key, "1", "x"]) for user in ("api", "process")),
        *((user, ["ZADD", DEAD, "1", "x"]) for user in ("api", "fetch", "process")),
        *((user, ["XTRIM", FETCH.key, "MAXLEN", "0"]) for user in ("api", "fetch", "process")),
        *((user, ["FLUSHALL"]) for user in ("api", "fetch", "process")),
        *((user, ["CONFIG", "GET", "*"]) for user in ("api", "fetch", "process")),
        *((user, ["KEYS", "*"]) for user in ("api", "fetch", "process")),
    ],
)
async def test_everything_else_is_refused(
    address: dict[str, str], raw: Redis, user: str, words: list[str]
) -> None:
    async with Redis.from_url(address[user], socket_timeout=5) as client:
        assert await client.script_load(ENDLESS) == ENDLESS_DIGEST
        with pytest.raises(ResponseError, match=r"(?i)no permissions"):
            await command(client, *words)
    await command(raw, "ACL", "LOG", "RESET")


@pytest.mark.parametrize(
    ("user", "script", "keys"),
    [
        ("api", scripts.SEND, [FETCH.key, WAITING]),
        ("api", scripts.MEASURE, [FETCH.key]),
        ("api", scripts.CIRCUITS, [KEY]),
        *(("fetch", it, [KEY]) for it in (scripts.FAILED, scripts.PROBE, scripts.CIRCUITS)),
        *(("fetch", it, [FETCH.key]) for it in (scripts.DONE, scripts.EXTEND, scripts.FORGET)),
        ("process", scripts.LOOK, [WAITING, FETCH.key]),
        ("process", scripts.BURIED, [DEAD]),
    ],
)
@pytest.mark.parametrize(
    "arguments", [[], ["1e308"] * 3, ["inf"] * 3, ["-1e9"] * 3, ["1e9"] * 3, ["x"] * 99_999]
)
async def test_every_script_of_the_queue_ends(  # noqa: PLR0913, PLR0917 - a call and its user
    address: dict[str, str],
    raw: Redis,
    user: str,
    script: Script,
    keys: list[str],
    arguments: list[str],
) -> None:
    await raw.xadd(FETCH.key, {"data": "x"})
    await raw.xgroup_create(FETCH.key, "x", "0")
    await raw.xadd(DEAD, {"data": "x"})
    async with Redis.from_url(address[user], socket_timeout=20) as client:
        with suppress(ResponseError):
            await script.run(client, keys, *arguments)
    assert await raw.ping()
    await command(raw, "ACL", "LOG", "RESET")


async def test_the_rights_of_the_version_before_are_enough(raw: Redis, redis_url: str) -> None:
    streams = " ".join(f"%R~{stage.key}" for stage in STAGES)
    before = {
        "api": "on resetpass #API_PASSWORD resetkeys resetchannels -@all +client|setinfo +ping"
        " (~mousetrap:fetch ~mousetrap:waiting -@all +eval +xadd +zadd)"
        f" ({streams} -@all +eval_ro +time +xinfo|consumers +xlen +xpending +xrange)",
        "process": "on resetpass #PROCESS_PASSWORD resetkeys (~mousetrap:dead +xadd +xdel +xrange)",
    }
    async with addresses(raw, redis_url, before) as address:
        async with Publisher(address["api"]) as api, Inspector(address["api"]) as inspector:
            await api.send(FetchRequested(job_id=uuid4(), source="demo"))
            depths = await inspector.depths(silence=5.0)
            assert [it.name for it in depths if it.messages] == ["fetch"]
        async with Inspector(address["process"]) as inspector:
            assert await inspector.buried(10) == {}
        await command(raw, "ACL", "LOG", "RESET")


def test_a_script_of_the_last_release_is_not_removed_with_its_name() -> None:
    assert valkey_users.RELEASED.keys() <= valkey_users.digests().keys()


def test_nobody_gets_in_without_a_name() -> None:
    assert USERS["default"] == "off resetpass resetkeys resetchannels -@all"
    assert USERS["health"] == "on nopass resetkeys resetchannels -@all +ping"
