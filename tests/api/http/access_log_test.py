"""In a process of its own, because a process sets up its logs but once."""

import json

import pytest

from support import processes

PROGRAM = """\
import asyncio, itertools, sys
from mousetrap.api.http.access_log import AccessLog
from mousetrap.telemetry import logs

log = logs.logger("mousetrap.api.http.access_log")
paths = ["/", '/"\\\\', "/\\x7f\\n", "/%0A"]
contexts = [{"request_id": "9f"}, {"request_id": "9f", "job_id": "0195f7c6-1c1f-7c6e-9d0a"}]

async def main(form, level):
    logs.configure("api", form=form, level=level)
    access = AccessLog(form)
    for path, context, quiet in itertools.product(paths, contexts, [False, True]):
        request = {"method": "GET", "path": path, "status": 404}
        access.note(**request, seconds=0.00123, context=context, quiet=quiet)
        await asyncio.sleep(0)  # until it is written
        logs.only_about(**context)
        (log.debug if quiet else log.info)("request", **request, duration_ms=1.2)
        logs.only_about()

asyncio.run(main(*sys.argv[1:]))
"""
CASES = 16


def printed(form: str, level: str) -> list[str]:
    """Return a line of ours about each request, and after it the one that the log itself writes."""
    return processes.printed(PROGRAM, form, level).splitlines()


@pytest.mark.parametrize(("level", "count"), [("debug", CASES), ("info", CASES / 2)])
def test_a_line_is_the_one_that_the_log_would_write(level: str, count: int) -> None:
    lines = [json.loads(line) for line in printed("json", level)]

    for line in lines:
        assert line.pop("timestamp").endswith("Z")
    assert lines[::2] == lines[1::2]
    assert len(lines) == 2 * count


@pytest.mark.parametrize(("level", "count"), [("debug", CASES), ("info", CASES / 2)])
def test_a_line_for_people_is_as_all_others(level: str, count: int) -> None:
    lines = [line.split()[2:] for line in printed("console", level)]

    assert lines[::2] == lines[1::2]
    assert len(lines) == 2 * count
