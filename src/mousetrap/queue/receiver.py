"""Runs a worker's messages concurrently, each until it is acknowledged or given up."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Final

from taskiq.acks import AckController, AcknowledgeType
from taskiq.message import TaskiqMessage
from taskiq.receiver import Receiver
from taskiq.result import TaskiqResult

from mousetrap.concurrency.estimate import estimate
from mousetrap.concurrency.weighted_semaphore import WeightedSemaphore
from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.deliveries import Delivery
from mousetrap.queue.errors import (
    QueueUnavailableError,
    RejectedMessageError,
    UnreadableMessageError,
)
from mousetrap.queue.formatter import made
from mousetrap.queue.metrics import ConsumerMetrics
from mousetrap.queue.middlewares import (
    DELIVERY,
    LogMiddleware,
    MetricsMiddleware,
    TraceMiddleware,
    delivery_of,
)
from mousetrap.telemetry import logs
from mousetrap.telemetry.traces import OFF, Tracer

Bury = Callable[[DeadLetter], Awaitable[None]]
Admit = Callable[[Any], AbstractAsyncContextManager[None]]

log = logs.logger(__name__)

LARGE: Final = 64 * 1024
MAX_IN_HAND: Final = 128 * 1024 * 1024
"""Bytes of memory that all messages in hand may take; with the process it fits into 256 MiB."""

EXPANSION: Final = 8
"""Bytes of memory for each byte of a message, at the peak: the message itself and its objects."""

READS: Final = 4
"""The reads that fill what may be in hand: messages of one are worked on while those of another
wait for their commit."""

MAX_PARKED: Final = 2000
"""The most messages that wait for their turn; nothing else is read until there are fewer."""

MAX_ADMITTED: Final = 4096
"""The most bytes of a message that may wait for its turn: those that wait are not weighed.

A request takes less than half of them, however long its texts are.
"""
REFUSED: Final = "mousetrap.refused"


class StreamReceiver(Receiver):
    """taskiq's receiver, but a message is acknowledged only when its task has returned.

    Register all tasks of the `broker` first. A message whose task raises, or whose process dies, is
    redelivered after its lease, at most `max_deliveries` times in all. Unreadable, unknown and
    rejected messages, and those delivered too often, are passed to `bury` until it returns, then
    dead-lettered. Tasks and `bury` may be called twice for a message. They share the event loop
    with the task that extends leases, and must not block it for a third of the lease.

    At most `concurrency` messages are in hand, and fewer while they are large: a message weighs
    the memory that it takes at its peak, and all weigh at most `limit`; one that weighs more is in
    hand alone. `grace` is how many seconds work in hand has to finish once it is time to stop.

    A message is in hand once `admit`, called with its payload, has been entered. Until then it is
    parked: it keeps its lease, holds up no other message, and is not counted as delivered when its
    worker dies. When it is time to stop it is handed back at once. A message of more than
    MAX_ADMITTED bytes is refused like an unreadable one.
    """

    def __init__(  # noqa: PLR0913 - each is a collaborator or a plain number
        self,
        broker: StreamBroker,
        *,
        concurrency: int,
        grace: float,
        bury: Bury,
        metrics: ConsumerMetrics | None = None,
        tracer: Tracer = OFF,
        limit: int = MAX_IN_HAND,
        admit: Admit | None = None,
    ) -> None:
        async def refuse(reason: str) -> None:
            raise RejectedMessageError(reason)

        metrics = metrics or ConsumerMetrics()
        broker.on_step = functools.partial(metrics.stepped, "redis")
        broker.on_lost = self._leave
        broker.register_task(refuse, task_name=REFUSED)
        broker.add_middlewares(
            LogMiddleware(broker.queue_name), MetricsMiddleware(metrics), TraceMiddleware(tracer)
        )
        super().__init__(
            broker,
            validate_params=False,
            max_async_tasks=concurrency,
            run_startup=False,
            ack_type=AcknowledgeType.MANUAL,
        )
        # taskiq would resolve an empty graph for each message, too.
        depending = {name: it for name, it in self.dependency_graphs.items() if not it.is_empty()}
        self.dependency_graphs = depending
        self._broker = broker
        self._grace = grace
        self._bury = bury
        self._admit = admit
        self._running: set[asyncio.Task[None]] = set()
        self._parked: dict[asyncio.Task[Any] | None, Delivery] = {}
        metrics.in_hand.set_function(lambda: len(self._running) - len(self._parked))
        metrics.parked.set_function(lambda: len(self._parked))
        self._freed = asyncio.Event()
        self._together = max(1, concurrency // READS)
        self._in_hand = WeightedSemaphore(limit)
        self._least = max(1, limit // concurrency)
        self._weight = max(self._least, limit // 4)  # until a message has been measured

    async def listen(self, finish_event: asyncio.Event) -> None:
        """Work until `finish_event` is set, then finish what is in hand within the grace.

        Unfinished work is then cancelled and handed back to the queue. Outages of the
        server, at the start as well, are waited out.
        """
        try:
            async with asyncio.TaskGroup() as group:
                beat = group.create_task(self._broker.keep_leases())
                intake = group.create_task(self._take_in(finish_event))
                try:
                    await finish_event.wait()
                    self._freed.set()
                    log.info("draining", in_flight=len(self._running))
                    await self._drain(intake)
                finally:
                    late = {task for task in (intake, *self._running) if not task.done()}
                    for task in late:
                        task.cancel()
                    if late:
                        await asyncio.wait(late)
                beat.cancel()
            log.info("drained", unfinished=len(late))
        finally:
            await self._broker.leave()

    async def callback(  # type: ignore[override]  # what a StreamBroker hands out, nothing else
        self, message: Delivery, raise_err: bool = False  # noqa: FBT001, FBT002 - as in taskiq
    ) -> None:
        """Handle one message. Any error is logged, and the message comes again."""
        large = len(message.data) > LARGE
        try:
            read = None if large else self._read(message)
            if self._admit is None or read is None or read.task_name == REFUSED:
                await self._handle(message, read, raise_err)
            else:
                await self._in_turn(message, read, self._admit(read.args[0]), raise_err)
        except asyncio.CancelledError:
            if not message.parked:
                log.warning("message is cut off, another worker gets it", message_id=message.id)
            if self._broker.held.get(message.id) is message:  # otherwise another worker has it
                # The grace of this process is over, which is no fault of the message.
                await self._broker.hand_back(message, deliveries=message.deliveries - 1)
            raise
        except QueueUnavailableError as error:
            log.warning(
                "message cannot begin, it comes again when its lease has run out",
                message_id=message.id,
                reason=str(error),
            )
        except Exception:
            log.exception("message failed outside of its task", deliveries=message.deliveries)

    async def _handle(
        self, message: Delivery, read: TaskiqMessage | None, raise_err: bool  # noqa: FBT001
    ) -> None:
        weight = self._weight_of(message)
        await self._in_hand.acquire(weight)
        try:
            # It is read already, since taskiq would read a large one on the event loop.
            read = read or await asyncio.to_thread(self._read, message)
            await super().callback(read, raise_err)  # type: ignore[arg-type]  # see `loads`
        finally:
            self._in_hand.release(weight)

    async def _in_turn(
        self,
        message: Delivery,
        read: TaskiqMessage,
        turn: AbstractAsyncContextManager[None],
        raise_err: bool,  # noqa: FBT001
    ) -> None:
        """Handle a message when its turn has come, if it is still this worker's then."""
        # Not by entry: one whose lease was lost may have come again while the first is still here.
        self._parked[asyncio.current_task()] = message
        message.parked = True
        try:
            async with turn:
                self._unpark(message)
                if not message.counted:
                    await self._broker.count_delivery(message)
                # Its lease may be lost meanwhile: another worker has it then, or nobody.
                if self._broker.held.get(message.id) is message:
                    await self._handle(message, read, raise_err)
        finally:
            self._parked.pop(asyncio.current_task(), None)

    def _leave(self, message: Delivery) -> None:
        """Give up the turn of a message whose lease is lost: it would hold the others up."""
        for task, parked in tuple(self._parked.items()):
            if parked is message and task is not None:
                task.cancel()

    def _unpark(self, message: Delivery) -> None:
        message.parked = False
        self._parked.pop(asyncio.current_task(), None)
        self._freed.set()

    async def run_task(
        self,
        target: Callable[..., Any],
        message: TaskiqMessage,
        ack_controller: AckController | None = None,
    ) -> TaskiqResult[Any]:
        """Run a task to the end of its message; when it is cancelled raise that.

        Its last step is the acknowledgement, which therefore fails like any other.
        """

        async def to_the_end(*args: Any, **kwargs: Any) -> None:
            delivery = delivery_of(message)
            try:
                await target(*args, **kwargs)
            except RejectedMessageError as error:
                await self._give_up(delivery, str(error))
                raise
            ended = message.task_id if self._broker.stream.last else None
            await self._broker.acknowledge(delivery, ended=ended)

        result = await super().run_task(to_the_end, message, ack_controller)
        if result.error is not None and not isinstance(result.error, Exception):
            raise result.error  # taskiq takes a cancellation for a result
        if result.error is not None:
            # taskiq's frame holds the error, whose traceback holds the frame: a large message would
            # stay in memory until garbage is collected.
            result.error = result.error.with_traceback(None)
        return result

    async def _drain(self, intake: asyncio.Task[None]) -> None:
        end = asyncio.get_running_loop().time() + self._grace
        await asyncio.wait({intake}, timeout=self._grace)  # it may just be starting a last one
        for parked in tuple(self._parked):
            if parked is not None:
                parked.cancel()
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
        """Return how many messages to read, if they are as heavy as the last ones.

        How heavy a message is shows when it has been read; one that is heavier waits in its task,
        and nothing else is read until then.
        """
        parkable = max(0, MAX_PARKED - len(self._parked))
        return min(self._together, self._in_hand.available(self._weight), parkable)

    def _start(self, delivery: Delivery) -> None:
        def end(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            self._broker.let_go(delivery)
            self._freed.set()

        # Eagerly: its first send should be on its way before the next read.
        loop = asyncio.get_running_loop()
        task = asyncio.Task(self.callback(delivery), loop=loop, eager_start=True)
        self._running.add(task)
        task.add_done_callback(end)

    def _weight_of(self, delivery: Delivery) -> int:
        weight = max(self._least, len(delivery.data) * EXPANSION)
        self._weight = estimate(self._weight, weight)
        return weight

    def _read(self, delivery: Delivery) -> TaskiqMessage:
        """Return the message of a delivery, or one that says why it is refused."""
        try:
            message = self._understand(delivery)
        except UnreadableMessageError as error:
            message = made(delivery.id, REFUSED, str(error))
        message.labels[DELIVERY] = delivery
        return message

    def _understand(self, delivery: Delivery) -> TaskiqMessage:
        if delivery.deliveries > self._broker.max_deliveries:
            times = self._broker.max_deliveries
            raise UnreadableMessageError(f"delivered {times} times and never finished")
        if not delivery.has_data:
            raise UnreadableMessageError("the entry has no field 'data'")
        if self._admit is not None and (size := len(delivery.data)) > MAX_ADMITTED:
            raise UnreadableMessageError(
                f"{size} bytes, a message of {self._broker.queue_name} has at most {MAX_ADMITTED}"
            )
        return self._broker.formatter.loads(delivery.data)

    async def _give_up(self, delivery: Delivery, reason: str) -> None:
        letter = DeadLetter(
            queue=self._broker.queue_name,
            id=delivery.id,
            body=delivery.data,
            reason=reason,
            job_id=delivery.job_id,
            deliveries=delivery.deliveries,
            attempt=delivery.attempt,
        )
        log.error("message is dead-lettered", reason=reason, deliveries=letter.deliveries)
        await self._bury(letter)
        await self._broker.bury(letter)
