"""The command `status`: queues, workers and sources in one screen."""

import msgspec

from mousetrap.cli import tables
from mousetrap.cli.client import Client
from mousetrap.cli.errors import RefusedError
from mousetrap.cli.options import Options
from mousetrap.cli.output import Output
from mousetrap.cli.schema import Page, Queue, Source

PATIENCE = 3.0


async def status(options: Options) -> None:
    """Show the state of the whole system."""
    output = Output(as_json=options.json)
    async with Client.of(options, min(options.timeout, PATIENCE)) as client:
        listed = client.decode(await client.get("/sources"), Page).items
        sources = [client.decode(item, Source) for item in listed]
        try:
            waiting = client.decode(await client.get("/queues"), Page).items
        except RefusedError as error:  # Redis is away, and jobs are accepted
            waiting = []
            output.remark(str(error))
        queues = [client.decode(item, Queue) for item in waiting]
    if output.as_json:
        document = {"url": options.url, "queues": waiting, "sources": listed}
        output.document(msgspec.json.encode(document))
        return
    output.show(options.url)
    for table in (tables.queues(queues), tables.states(sources)):
        output.show("")
        output.show(table)
