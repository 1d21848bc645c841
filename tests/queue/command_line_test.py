"""`taskiq worker` is refused: it would acknowledge what failed, and end with the server."""

import asyncio
import os
import sys
from typing import Any

from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.stages import FETCH
from support.processes import PYTHON_PATH
from support.streams import Stream

URL = "TEST_REDIS_URL"


def broker() -> StreamBroker:
    """Return a broker with a task, as the command line wants it."""
    made = StreamBroker(os.environ[URL], FETCH)

    @made.task(task_name=FETCH.task)
    async def fetch(_: FetchRequested) -> None:
        raise RuntimeError("not today")

    return made


async def test_the_command_line_of_taskiq_is_refused(
    redis_url: str, raw: Any, stream: Stream
) -> None:
    await stream.send()
    folder, module = os.path.split(__file__.removesuffix(".py"))
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "taskiq", "worker", f"{module}:broker", "--app-dir", folder),
        *("--workers", "1", "--max-fails", "1"),
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, URL: redis_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await child.communicate()
    assert child.returncode != 0
    assert b"CommandLineError: taskiq's command line would acknowledge" in output
    assert await raw.xlen(FETCH.key) == 1
    assert not await raw.xinfo_groups(FETCH.key)
