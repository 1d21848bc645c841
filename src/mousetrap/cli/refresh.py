"""The commands that create work and may wait for it: `refresh` and `retry`."""

import asyncio
import uuid
from typing import Final

from mousetrap.cli import tables
from mousetrap.cli.client import Client
from mousetrap.cli.errors import JobFailedError, UnfinishedError, UnreachableError
from mousetrap.cli.options import Options
from mousetrap.cli.output import Output, Progress
from mousetrap.cli.queries import nearest_source
from mousetrap.cli.schema import Accepted, Job, Summary

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 1.0


async def refresh(
    options: Options, *, source: str | None, idempotency_key: str | None, wait: bool
) -> None:
    """Ask for a fresh summary."""
    output = Output(as_json=options.json)
    # The key makes the request idempotent, so the client may retry it.
    key = idempotency_key or str(uuid.uuid4())
    body = {} if source is None else {"source": source}
    async with Client.of(options) as client:
        async with nearest_source(client, source):
            accepted = await client.post("/refresh", body, idempotency_key=key)
        await _follow(options, client, output, accepted, wait=wait)


async def retry(options: Options, *, job_id: str, wait: bool) -> None:
    """Put a failed job back into the queue."""
    output = Output(as_json=options.json)
    async with Client.of(options) as client:
        accepted = await client.post(f"/jobs/{job_id}/retry")
        await _follow(options, client, output, accepted, wait=wait)


async def _follow(
    options: Options, client: Client, output: Output, answer: bytes, *, wait: bool
) -> None:
    job_id = client.decode(answer, Accepted).job_id
    if wait:
        with output.progress("queued") as progress:
            body = await _ended(options, client, job_id, progress)
        await _result(client, output, body)
    elif options.json:
        output.document(answer)
    else:
        output.show(f"{job_id}: accepted; `mousetrap job {job_id}` shows its state")


async def _result(client: Client, output: Output, body: bytes) -> None:
    job = client.decode(body, Job)
    if output.as_json:
        output.document(body)
    if job.error is not None:
        raise JobFailedError(
            f"the job has failed: {tables.reason(job.error)}."
            f" `mousetrap retry {job.job_id}` retries it"
        )
    if not output.as_json:
        found = client.decode(await client.get(f"/summaries/{job.job_id}"), Summary)
        output.show(tables.summary(found))


async def _ended(options: Options, client: Client, job_id: str, progress: Progress) -> bytes:
    """Return the body of a job once it has ended; outages of the API are waited out."""
    pause = FIRST_PAUSE
    while True:
        try:
            body = await client.get(f"/jobs/{job_id}")
        except UnreachableError as error:
            if pause > client.left():
                raise
            progress.show(f"queued; {error}")
        else:
            job = client.decode(body, Job)
            progress.show(tables.stages(job))
            if job.state != "queued":
                return body
        if pause > client.left():
            raise UnfinishedError(
                f"the job has not ended within {options.timeout:g} s and continues:"
                f" `mousetrap job {job_id}` shows its state"
            )
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
