"""A Redis stream as a reliable queue: every entry is acknowledged or delivered again."""

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import batched
from typing import Any, Final, NoReturn, Self

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError
from taskiq.message import BrokerMessage
from taskiq_redis import RedisStreamBroker

from mousetrap.concurrency.group_commit import GroupCommit
from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.queue import scripts
from mousetrap.queue.breaker import Breaker
from mousetrap.queue.connections import pool
from mousetrap.queue.deliveries import Delivery
from mousetrap.queue.errors import CommandLineError, QueueUnavailableError
from mousetrap.queue.formatter import StreamFormatter
from mousetrap.queue.sender import Sender
from mousetrap.queue.server import TROUBLES, Answering, check
from mousetrap.queue.stages import Stage
from mousetrap.queue.streams import DATA, DEAD, GROUP, HANDED_BACK, MAX_DEAD_BYTES
from mousetrap.runtime.clock import ServerClock
from mousetrap.runtime.outage import Outage
from mousetrap.telemetry import logs

log = logs.logger(__name__)

LONGEST_BLOCK = 1.0
MAX_DEAD = 10_000

RENEWED_TOGETHER = 1000
"""The most leases that are looked at together."""

FORGET_AFTER_LEASES = 100
CANDIDATES = 16

READ_TOGETHER = 256
"""The most messages of a read: the server serves nobody else meanwhile."""

READ_BYTES = 4 * 1024 * 1024
"""Bytes after which a read ends, so it has at most this and two messages."""


# taskiq's broker knows no Sentinels; its pool never connects, and is replaced.
_ANY_URL: Final = "redis://"


def own_name(service: str) -> str:
    """Return a unique name for a consumer of this process."""
    return f"{service}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _quieten() -> None:
    # At debug it writes payloads, and at info a line for each message.
    logging.getLogger("taskiq").setLevel(logging.WARNING)
    # LogMiddleware logs each failure, and knows which are errors.
    logging.getLogger("taskiq.receiver.receiver").setLevel(logging.CRITICAL)


class StreamBroker(RedisStreamBroker):
    """The broker of one stream, for a sender or for one consumer; use it as `async with`.

    A consumer owns its messages for `lease` seconds after its last heartbeat; after that, any
    consumer may claim those that are not acknowledged. A round trip takes at most `deadline`
    seconds. Concurrent sends share a round trip, and so do concurrent acknowledgements. `held` has
    the messages that were read here and not released. `on_step` is told of steps of the
    server's clock, in seconds, and `on_lost` of messages whose lease is lost.
    """

    def __init__(  # noqa: PLR0913 - each is a plain number or name
        self,
        url: str,
        stream: Stage[Any],
        *,
        consumer: str | None = None,
        lease: float = 10.0,
        max_deliveries: int = 3,
        deadline: float = 5.0,
        connections: int = 8,
        forget_after: float | None = None,
    ) -> None:
        # The server must answer a read before the deadline of the call.
        self._block = min(LONGEST_BLOCK, lease / 2, deadline / 2)
        super().__init__(
            _ANY_URL,
            queue_name=stream.key,
            consumer_group_name=GROUP,
            consumer_name=consumer,
            consumer_id="0",  # "$" would skip what was sent before the group existed
            xread_block=round(self._block * 1000),
            xread_count=1,
            idle_timeout=round(lease * 1000),
        )
        self.connection_pool = pool(url, connections=connections, deadline=deadline)
        _quieten()
        self.formatter = StreamFormatter(stream)
        self.stream = stream
        self.held: dict[str, Delivery] = {}
        self.lease = lease
        self.max_deliveries = max_deliveries
        self._redis = Redis(connection_pool=self.connection_pool)
        self._deadline = deadline
        self._forget_after = forget_after or lease * FORGET_AFTER_LEASES
        self._forget_at = 0.0
        self._reclaim_at = 0.0
        self._clock = ServerClock()
        self._clock_at = 0.0
        self._renewed = False
        self.on_step: Callable[[float], None] = lambda _: None
        self.on_lost: Callable[[Delivery], None] = lambda _: None
        self._declared = False
        # As bytes, since the client encodes a text again at each call.
        self._names = (stream.key.encode(), GROUP.encode(), self.consumer_name.encode())
        self._waiting = stream.waiting.encode()
        self._sender = Sender(self._redis, stream, Breaker(deadline))
        self._removals = GroupCommit(self._remove)

    async def __aenter__(self) -> Self:  # type: ignore[override]  # taskiq's returns nothing
        await self.startup()
        return self

    async def startup(self) -> None:
        """Open no connection, so a process starts without a server.

        Raises CommandLineError when taskiq's command line starts the worker.
        """
        if self.is_worker_process:
            raise CommandLineError(
                "taskiq's command line would acknowledge tasks that failed, forget what it cannot"
                " read and end with the server: start `python -m mousetrap.fetch_worker`, or the"
                " like, instead"
            )

    async def ping(self) -> None:
        """Return when the server can be the queue; raises QueueUnavailableError."""
        async with Answering(self._deadline):
            await check(self._redis, self.stream)

    async def kick(self, message: BrokerMessage) -> None:
        """Add a message to the stream; the task's id is the name of the attempt.

        Raises QueueUnavailableError.
        """
        await self._sender.send(message.message, message.task_id)

    async def listen(  # type: ignore[override]  # only StreamReceiver can acknowledge these
        self, stop: asyncio.Event | None = None, *, free: Callable[[], int] = lambda: 1
    ) -> AsyncGenerator[Delivery]:
        """Yield one message at a time until `stop` is set; read several at once.

        A read asks for at most `free()` and READ_TOGETHER messages, and prefetches none. Outages of
        the server are retried. Messages that were read but not taken are handed back.
        """
        stop = stop or asyncio.Event()
        outage = Outage(f"reading {self.queue_name}")
        while not stop.is_set():
            try:
                count = min(max(1, free()), READ_TOGETHER)  # 0 means all
                deliveries = await self._next(count)
            except QueueUnavailableError as error:
                self._declared = False  # the group may be gone, as after FLUSHALL
                await outage.pause(error, stop)
                continue
            outage.over()
            self.held.update((delivery.id, delivery) for delivery in deliveries)
            try:
                while deliveries and not stop.is_set():
                    yield deliveries.pop(0)
                await asyncio.sleep(0)  # their own sends go first
            finally:
                for delivery in deliveries:
                    self.let_go(delivery)
                    await self.hand_back(delivery, deliveries=delivery.deliveries - 1)

    async def keep_leases(self) -> NoReturn:
        """Extend the leases of held messages until cancelled."""
        outage = Outage(f"extending leases of {self.queue_name}")
        while True:
            await asyncio.sleep(self.lease / 3)
            if not self.held:
                continue
            try:
                async with asyncio.timeout(self.lease / 3):
                    await self._extend(list(self.held))
            except Exception as error:  # noqa: BLE001 - work that runs must not end because of it
                outage.record(error)
            else:
                outage.over()

    def let_go(self, delivery: Delivery) -> None:
        """Stop extending the lease of a message."""
        if self.held.get(delivery.id) is delivery:
            del self.held[delivery.id]

    async def acknowledge(self, delivery: Delivery, *, ended: str | None = None) -> None:
        """Remove a finished message, and the attempt that has `ended` with it.

        Raises QueueUnavailableError.
        """
        await self._removals.submit((delivery.id, ended))

    async def bury(self, letter: DeadLetter) -> None:
        """Move a message to the dead letters: the newest are kept, the first 64 KiB of each.

        Raises QueueUnavailableError.
        """
        fields: dict[Any, Any] = {
            "queue": letter.queue,
            "id": letter.id,
            "reason": letter.reason,
            "deliveries": letter.deliveries,
            "size": len(letter.body),
            "job_id": "" if letter.job_id is None else str(letter.job_id),
            DATA: letter.body[:MAX_DEAD_BYTES],
        }
        async with Answering(self._deadline), self._redis.pipeline(transaction=True) as steps:
            steps.xadd(DEAD, fields, maxlen=MAX_DEAD, approximate=True)
            steps.xack(self.queue_name, GROUP, letter.id)
            steps.xdel(self.queue_name, letter.id)
            await steps.execute()

    async def hand_back(self, delivery: Delivery, *, deliveries: int) -> None:
        """Release the message to other workers at once, as if delivered `deliveries` times."""
        try:
            async with Answering(self._deadline):
                await self._redis.xclaim(
                    self.queue_name,
                    GROUP,
                    HANDED_BACK,
                    0,
                    [delivery.id],
                    idle=self.idle_timeout,
                    retrycount=deliveries,
                    justid=True,
                )
        except QueueUnavailableError as error:
            log.warning(
                "message is not handed back, it comes again when its lease has run out",
                message_id=delivery.id,
                reason=str(error),
            )

    async def leave(self) -> None:
        """Remove this consumer's name unless it still holds a message."""
        if not self._declared:
            return
        try:
            async with asyncio.timeout(self._block):
                await self._forget(self.consumer_name, idle=0)
        except TROUBLES as error:
            log.info("the consumer's name stays until it is swept", reason=str(error))

    async def _remove(self, done: Sequence[tuple[str, str | None]]) -> Sequence[None]:
        entries = [entry_id for entry_id, _ in done]
        ended = [attempt for _, attempt in done if attempt is not None]
        key, group, _ = self._names
        keys = [key, self._waiting] if ended else [key]
        async with Answering(self._deadline):
            await scripts.DONE.run(self._redis, keys, group, len(entries), *entries, *ended)
        return [None] * len(done)

    async def _next(self, count: int) -> list[Delivery]:
        now = asyncio.get_running_loop().time()
        if now >= self._reclaim_at or not self._declared:
            await self._declare(now)
            if now >= self._clock_at:
                await self._look_at_clock()
                self._clock_at = now + self.lease / 2
            async with Answering(self._deadline):
                delivery = await self._reclaim()
            if delivery is not None:
                return [delivery]
            self._reclaim_at = now + self._block / 4
        return await self._read(count)

    async def _declare(self, now: float) -> None:
        """Make sure that the group exists, and now and then that no dead consumers remain."""
        async with Answering(self._deadline):
            if not self._declared:
                await self._declare_consumer_group()
                self._declared = True
            if now >= self._forget_at:
                await self._forget("", idle=self._forget_after)
                self._forget_at = now + self._forget_after

    async def _read(self, count: int) -> list[Delivery]:
        """Wait for a message, and return it with those that came with it.

        A read that waits has no limit of bytes, so it takes one message. The script has a limit and
        cannot wait; the server runs it right afterwards, in the same round trip.
        """
        key, group, own = self._names
        waits = (b"GROUP", group, own, b"COUNT", 1, b"BLOCK", self.block, b"STREAMS", key, b">")
        rest = ([key], group, own, count - 1, READ_BYTES)
        async with Answering(self._deadline), self._redis.pipeline(transaction=False) as calls:
            calls.execute_command("XREADGROUP", *waits)
            if count > 1:
                scripts.READ.add(calls, *rest)
            answer, *others = await calls.execute(raise_on_error=False)
            if isinstance(answer, Exception):
                raise answer
        found = [entry for _, entries in answer for entry in entries]
        if others:
            found += await self._pairs(others[0], rest)
        return [self._delivery(entry_id.decode(), fields, 1) for entry_id, fields in found]

    async def _pairs(self, answer: Any, arguments: Sequence[Any]) -> list[tuple[bytes, Any]]:
        """Return the entries that the script found; a server may not know the script yet."""
        if isinstance(answer, Exception):
            try:
                async with Answering(self._deadline):
                    answer = await scripts.READ.run(self._redis, arguments[0], *arguments[1:])
            except QueueUnavailableError:
                return []  # the first message is here, and must not be lost
        return [(it, dict(batched(pairs, 2, strict=True))) for it, pairs in answer]

    async def _look_at_clock(self) -> None:
        """Begin leases anew that begin in the future, for the clock of the server was set back.

        They would not run out before it has caught up. It may have been set before this worker
        has started.
        """
        asked = time.monotonic()
        async with Answering(self._deadline):
            try:
                seconds, microseconds = await self._redis.time()
            except NoPermissionError:
                return  # a users.acl of the version before
        step = self._clock.step(seconds + microseconds / 1e6, asked)
        if step:
            self.on_step(step)
        if step < 0:
            self._renewed = False
        if not self._renewed:
            await self._renew()
            self._renewed = True

    async def _renew(self) -> None:
        after = "-"
        while True:
            async with Answering(self._deadline):
                found = await self._renew_page(after)
            if len(found) < RENEWED_TOGETHER:
                return
            after = f"({found[-1]['message_id'].decode()}"

    async def _renew_page(self, after: str) -> Any:
        """Begin the leases of a page of entries anew, and return the page."""
        found: Any = await self._redis.xpending_range(
            self.queue_name, GROUP, after, "+", RENEWED_TOGETHER
        )
        begun: dict[bytes, list[Any]] = {}
        for entry in found:
            # The server says 0 of a time to come. For one of now, this changes nothing.
            if entry["time_since_delivered"] == 0:
                begun.setdefault(entry["consumer"], []).append(entry["message_id"])
        for consumer, ids in begun.items():
            await self._redis.xclaim(
                self.queue_name, GROUP, consumer.decode(), 0, ids, idle=0, justid=True
            )
        return found

    async def _reclaim(self) -> Delivery | None:
        """Claim a message whose lease has expired.

        A message on its last delivery may have killed its workers. Two such messages never run side
        by side, because the innocent one would be given up with the other.
        """
        stale: Any = await self._redis.xpending_range(
            self.queue_name, GROUP, "-", "+", CANDIDATES + len(self.held), idle=self.idle_timeout
        )
        risky = any(
            1 < it.deliveries == self.max_deliveries and not it.parked for it in self.held.values()
        )
        for entry in stale:
            entry_id, deliveries = entry["message_id"].decode(), entry["times_delivered"] + 1
            if entry_id in self.held or (risky and deliveries == self.max_deliveries):
                continue
            claimed: Any = await self._redis.xclaim(
                self.queue_name, GROUP, self.consumer_name, self.idle_timeout, [entry_id]
            )
            for _, fields in claimed:  # nothing, if another worker was faster
                return self._delivery(entry_id, fields, deliveries)
        return None

    async def count_delivery(self, delivery: Delivery) -> None:
        """Count the delivery of a message that was parked, before it is worked on.

        Raises QueueUnavailableError.
        """
        async with Answering(self._deadline):
            await self._extend([it for it in self.held if it == delivery.id])
        delivery.counted = True

    async def _extend(self, ids: list[str]) -> None:
        counts: list[str | int] = []
        for held in map(self.held.__getitem__, ids):
            held.counted = held.counted and not held.parked
            counts += (held.id, held.deliveries - held.parked)
        lost = await scripts.EXTEND.run(
            self._redis, [self.queue_name], GROUP, self.consumer_name, *counts
        )
        for entry_id in lost:
            delivery = self.held.pop(entry_id.decode(), None)
            if delivery is not None:
                log.warning(
                    "lease is lost: another worker has the message, or the stream was flushed",
                    message_id=delivery.id,
                    job_id=delivery.job_id,
                )
                self.on_lost(delivery)

    async def _forget(self, name: str, *, idle: float) -> None:
        await scripts.FORGET.run(self._redis, [self.queue_name], GROUP, round(idle * 1000), name)

    def _delivery(self, entry_id: str, fields: dict[bytes, bytes], deliveries: int) -> Delivery:
        return Delivery(
            id=entry_id,
            # Other fields, which nobody reads, would take memory that nobody weighs.
            data=fields[DATA] if DATA in fields else repr(fields).encode(),
            has_data=DATA in fields,
            deliveries=deliveries,
            since=time.perf_counter(),
        )
