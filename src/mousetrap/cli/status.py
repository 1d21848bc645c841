"""The command `status`: queues, workers and sources in one screen."""

import msgspec

from mousetrap.cli import lists
from mousetrap.cli.client import Client
from mousetrap.cli.errors import RefusedError
from mousetrap.cli.options import Options
from mousetrap.cli.output import Output
from mousetrap.cli.schema import Page, Queue, Source


async def status(options: Options) -> None:
    """Show the state of the whole system."""
    output = Output(as_json=options.json)
    async with Client.of(options) as client:
        listed = client.decode(await client.get_once("/sources"), Page).items
        sources = [client.decode(item, Source) for item in listed]
        try:
            waiting = client.decode(await client.get_once("/queues"), Page).items
        except RefusedError as error:  # Redis is away, and jobs are accepted
            waiting = None
            output.remark(str(error))
        queues = None if waiting is None else [client.decode(item, Queue) for item in waiting]
    if output.as_json:
        document = {"url": options.url, "queues": waiting, "sources": listed}
        output.document(msgspec.json.encode(document))
        return
    output.show(options.url)
    if queues is not None:
        output.show("")
        output.show(lists.queues(queues))
    output.show("")
    output.show(lists.states(sources))
