"""The command `watch`: shows the changes of jobs as they happen."""

import math
from datetime import UTC, datetime
from typing import Final

from mousetrap.cli import tables
from mousetrap.cli.client import Client
from mousetrap.cli.events import Events
from mousetrap.cli.options import Options
from mousetrap.cli.output import Output
from mousetrap.cli.queries import nearest_source
from mousetrap.cli.schema import Job

MISSED: Final = (
    "too much changed meanwhile, and some changes were missed: `mousetrap jobs` lists all jobs"
)


async def watch(options: Options, source: str | None) -> None:
    """Show every change of a job until interrupted."""
    output = Output(as_json=options.json)
    async with Client.of(options, math.inf) as client, nearest_source(client, source):
        async for event in Events(client, source, output.remark).follow():
            match event.event:
                case "ready":
                    output.remark(f"watching {options.url}")
                case "reset":
                    output.remark(MISSED)
                case "job":
                    _show(output, event.data.encode(), client)


def _show(output: Output, data: bytes, client: Client) -> None:
    job = client.decode(data, Job)
    if output.as_json:
        output.document(data)
    else:
        output.show(tables.event(job, datetime.now(UTC)))
