"""The largest feeds that the defaults permit, within the memory that deploy/production.yaml gives.

As root, which CI is, each process runs in a cgroup that enforces the limit. Without the right to
make one, the peak of each process is measured instead.
"""

import re
from contextlib import ExitStack
from pathlib import Path

from support.confined import confined
from support.largest import FEEDS, system

PRODUCTION = Path("deploy/production.yaml").resolve()
PROCESSES = 3


def limit() -> int:
    """Return the bytes that a process of ours may take in production."""
    text = PRODUCTION.read_text("utf-8")
    [_, ours] = re.split(r"^x-process: &process$", text, flags=re.MULTILINE)
    found = re.search(r"^  mem_limit: (\d+)m$", ours, re.MULTILINE)
    assert found
    return int(found[1]) * 1024 * 1024


async def test_the_largest_feeds_pass_three_at_once_through_every_process(
    migrated_dsn: str, redis_url: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        confinements = [stack.enter_context(confined(limit())) for _ in range(PROCESSES)]
        async with system(
            tmp_path, confinements, postgres_dsn=migrated_dsn, redis_url=redis_url
        ) as running:
            for body in FEEDS.values():
                passage = await running.passage(body())
                assert max(passage.peaks.values()) <= limit(), passage
            assert [it.kills() for it in confinements] == [0] * PROCESSES
            assert not any(
                it.all_logged("message is given up") for it in running.processes.values()
            )
