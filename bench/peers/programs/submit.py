"""`python -m bench.peers.programs.submit on_PEER`: reads ids of jobs, one per line, and sends them.

It answers `+ID` once the call that sent the job has returned, or `-ID REASON`.
"""

import asyncio
import importlib
import sys


async def main(pipeline: str) -> None:
    """Send jobs, one after the other, until the input ends."""
    module = importlib.import_module(f"bench.peers.programs.{pipeline}")
    async with module.client() as send:
        while line := await asyncio.to_thread(sys.stdin.readline):
            job = line.strip()
            try:
                await send(job)
            except Exception as error:  # noqa: BLE001 - any error means that the job was refused
                answer = f"-{job} {error!r}".replace("\n", " ")
            else:
                answer = f"+{job}"
            sys.stdout.write(f"{answer}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
