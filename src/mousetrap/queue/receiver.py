"""Runs a worker's messages: so many at a time, each until it is acknowledged or given up."""

import asyncio
import reprlib
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from taskiq.acks import AcknowledgeType
from taskiq.receiver import Receiver

from mousetrap.concurrency.estimate import estimate
from mousetrap.messages.errors import MessageError
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.deliveries import DeadLetter, Delivery
from mousetrap.queue.envelope import opened
from mousetrap.queue.errors import (
    QueueUnavailableError,
    RejectedMessageError,
    UnreadableMessageError,
)
from mousetrap.queue.metrics import ConsumerMetrics, Result
from mousetrap.queue.streams import DATA, Stream, attempt_of
from mousetrap.telemetry import logs

Handler = Callable[[Any], Awaitable[None]]
Bury = Callable[[DeadLetter], Awaitable[None]]

log = logs.logger(__name__)

LARGE = 64 * 1024
MAX_IN_HAND = 8 * 1024 * 1024
NOT_ACKNOWLEDGED = "message is not acknowledged, it comes again when its lease has run out"


class StreamReceiver(Receiver):
    """A receiver that acknowledges a message only when its task returned.

    A message that cannot be read, names an unknown task or was delivered too often is told to
    `bury` and becomes a dead letter; if `bury` raises, it comes again. Labels of a message have
    no say in any of this. `stream` says what a payload is, and `handler` is handed it. No more
    begin than `room` says at the time, unless none is in hand.
    """

    def __init__(  # noqa: PLR0913 - each is a collaborator or a plain number
        self,
        broker: StreamBroker,
        *,
        stream: Stream[Any],
        handler: Handler,
        concurrency: int,
        grace: float,
        bury: Bury,
        metrics: ConsumerMetrics,
        room: Callable[[], int],
    ) -> None:
        super().__init__(
            broker,
            validate_params=False,
            max_async_tasks=concurrency,
            run_startup=False,
            ack_type=AcknowledgeType.MANUAL,
            wait_tasks_timeout=grace,
        )
        self._broker = broker
        self._stream = stream
        self._handler = handler
        self._concurrency = concurrency
        self._grace = grace
        self._bury = bury
        self._metrics = metrics
        self._room = room
        self._running: set[asyncio.Task[None]] = set()
        metrics.in_hand.set_function(lambda: len(self._running))
        self._freed = asyncio.Event()
        self._in_hand = 0
        self._size = MAX_IN_HAND // 4  # until it is known better

    async def listen(self, finish_event: asyncio.Event) -> None:
        """Work until `finish_event` is set, then finish what is in hand within the grace.

        What is not finished by then is cancelled and handed back to the queue.
        """
        async with asyncio.TaskGroup() as group:
            beat = group.create_task(self._broker.keep_leases())
            intake = group.create_task(self._take_in(finish_event))
            try:
                await finish_event.wait()
                self._freed.set()
                log.info("draining", in_hand=len(self._running))
                await self._drain(intake)
            finally:
                late = {task for task in (intake, *self._running) if not task.done()}
                for task in late:
                    task.cancel()
                if late:
                    await asyncio.wait(late)
            beat.cancel()
        log.info("drained", unfinished=len(late))

    async def callback(  # type: ignore[override]  # what a StreamBroker hands out, nothing else
        self, message: Delivery, raise_err: bool = False  # noqa: ARG002, FBT001, FBT002 - taskiq's
    ) -> None:
        """Handle one message. Whatever goes wrong is logged, and the message comes again."""
        # Not undone: each message has a task, and with it a context, of its own.
        logs.only_about(queue=self._broker.queue_name, message_id=message.id)
        if message.deliveries > 1:
            self._metrics.repeated.inc()
        result, start = Result.NOT_ACKNOWLEDGED, time.perf_counter()
        try:
            result = await self._handle(message)
        except asyncio.CancelledError:
            result = Result.CUT_OFF
            log.warning("message is cut off, another worker gets it")
            if message.id in self._broker.held:  # else its lease is lost: it has a worker
                # It was our time that was up, which is no fault of the message.
                await self._broker.hand_back(message, deliveries=message.deliveries - 1)
            raise
        except QueueUnavailableError as error:
            log.warning(NOT_ACKNOWLEDGED, deliveries=message.deliveries, reason=str(error))
        except Exception:
            log.exception(NOT_ACKNOWLEDGED, deliveries=message.deliveries)
        finally:
            self._metrics.handled(result, time.perf_counter() - start)

    async def _drain(self, intake: asyncio.Task[None]) -> None:
        end = asyncio.get_running_loop().time() + self._grace
        await asyncio.wait({intake}, timeout=self._grace)  # it may just be starting a last one
        left = end - asyncio.get_running_loop().time()
        await asyncio.wait({intake, *self._running}, timeout=max(0.0, left))

    async def _take_in(self, stop: asyncio.Event) -> None:
        async with aclosing(self._broker.listen(stop, free=self._free)) as deliveries:
            while not stop.is_set():
                if self._free() == 0:
                    self._freed.clear()
                    await self._freed.wait()
                    continue
                delivery = await anext(deliveries, None)
                if delivery is not None:
                    self._start(delivery)

    def _free(self) -> int:
        """Return how many messages may begin: fewer while large ones are about.

        How large a message is shows when it has been read. So the next ones are taken to be as
        large as the last ones were, and beyond MAX_IN_HAND bytes goes one of them, or a surprise.
        When none is in hand one may begin in any case.
        """
        places, room = self._concurrency - len(self._running), MAX_IN_HAND - self._in_hand
        if self._running and room <= 0:
            return 0
        free = min(places, max(1, room // self._size), self._room())
        return free if self._running else max(1, free)

    def _start(self, delivery: Delivery) -> None:
        size = len(delivery.data)

        def end(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            self._in_hand -= size
            self._broker.let_go(delivery)
            self._freed.set()

        # Eagerly: what it has to send should be on its way before more is asked for.
        loop = asyncio.get_running_loop()
        task = asyncio.Task(self.callback(delivery), loop=loop, eager_start=True)
        self._running.add(task)
        self._in_hand += size
        self._size = estimate(self._size, size)
        task.add_done_callback(end)

    async def _handle(self, delivery: Delivery) -> Result:
        if delivery.deliveries > self._broker.max_deliveries:
            times = self._broker.max_deliveries
            return await self._give_up(delivery, f"delivered {times} times and never finished")
        try:
            if len(delivery.data) > LARGE:
                message = await asyncio.to_thread(self._understand, delivery)
            else:
                message = self._understand(delivery)
        except (UnreadableMessageError, MessageError) as error:
            return await self._give_up(delivery, str(error))
        logs.about(job_id=message.job_id)
        try:
            await self._handler(message)
        except RejectedMessageError as error:
            return await self._give_up(delivery, str(error))
        ended = attempt_of(message) if self._stream.last else None
        await self._broker.acknowledge(delivery, ended=ended)
        return Result.DONE

    def _understand(self, delivery: Delivery) -> Any:
        if DATA not in delivery.fields:
            raise UnreadableMessageError("the entry has no field 'data'")
        envelope = opened(delivery.data)
        if envelope.task_name != self._stream.task:
            raise UnreadableMessageError(
                f"this worker has no task {reprlib.repr(envelope.task_name)}:"
                " is it older than the sender?"
            )
        return self._stream.read(envelope.args[0])

    async def _give_up(self, delivery: Delivery, reason: str) -> Result:
        letter = DeadLetter(
            queue=self._broker.queue_name,
            id=delivery.id,
            body=delivery.data,
            reason=reason,
            job_id=delivery.job_id,
            deliveries=delivery.deliveries,
        )
        logs.about(job_id=letter.job_id)
        log.error("message is given up", reason=reason, deliveries=letter.deliveries)
        await self._bury(letter)
        await self._broker.bury(letter)
        return Result.GIVEN_UP
