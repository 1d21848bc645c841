"""The tasks of the process worker."""

from mousetrap.messages.schema import FetchOutcome
from mousetrap.process_worker.processor import Processor
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.stages import PROCESS


def declare(broker: StreamBroker, processor: Processor) -> None:
    """Declare the tasks on their broker; `processor` does the work."""

    @broker.task(task_name=PROCESS.task)
    async def process(outcome: FetchOutcome) -> None:
        await processor.process(outcome)
