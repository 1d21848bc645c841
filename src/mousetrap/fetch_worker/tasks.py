"""The tasks of the fetch worker."""

from mousetrap.fetch_worker.fetcher import Fetcher
from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.stages import FETCH


def declare(broker: StreamBroker, fetcher: Fetcher) -> None:
    """Declare the tasks on their broker; `fetcher` does the work."""

    @broker.task(task_name=FETCH.task)
    async def fetch(request: FetchRequested) -> None:
        await fetcher.fetch(request)
