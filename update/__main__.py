"""`./pants rolling-update`: proves that no accepted job is lost with two versions side by side."""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from chaos.errors import ChaosError
from mousetrap.stack.errors import StackError
from update import walk
from update.fleet import Version
from update.walk import Outcome


def main(arguments: Sequence[str]) -> int:
    """Make one update; return 0 if every rule holds, 1 if not, 2 if the run was impossible."""
    options = _parser().parse_args(arguments)
    if sys.platform != "linux":
        sys.stderr.write(
            "rolling-update: processes are watched by what Linux tells: run it there\n"
        )
        return 2
    start = time.monotonic()
    folders = {Version.OLD: options.old.absolute(), Version.NEW: options.new.absolute()}
    root = Path(tempfile.mkdtemp(prefix="mousetrap-update-"))
    kept = True
    try:
        outcome = asyncio.run(
            walk.perform(folders, root, lambda text: _say(text, time.monotonic() - start))
        )
        kept = bool(outcome.violations)
    except (ChaosError, StackError) as error:
        sys.stderr.write(f"rolling-update: {error}\n")
        return 2
    finally:
        if kept:
            sys.stdout.write(f"logs and data are in {root}\n")
        else:
            shutil.rmtree(root)
    _say("\n".join(_text(outcome)), time.monotonic() - start)
    return 1 if outcome.violations else 0


def _text(outcome: Outcome) -> Iterator[str]:
    jobs = outcome.evidence.jobs
    states = Counter(job.state for job in jobs.values())
    again = sum(job.attempts > 1 for job in jobs.values())
    yield (
        f"{len(outcome.load.accepted):,} jobs accepted: {states['succeeded']:,} succeeded,"
        f" {states['failed']:,} failed, {states['queued']:,} lost; {again:,} took several attempts"
    )
    answers = sorted(outcome.load.answers.items())
    yield f"answers: {', '.join(f'{name}: {count:,}' for name, count in answers)}"
    for it in outcome.violations:
        yield f"BROKEN, {it.times} times: {it.rule}"
        yield from (f"  {line}" for line in it.evidence)
    if not outcome.violations:
        yield "nothing was lost, nothing happened twice, no rule was broken"


def _say(text: str, seconds: float) -> None:
    sys.stdout.write(f"{seconds:7.1f}  {text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rolling-update",
        description="Replace the processes of one version by those of another, under load:"
        " `.ci/rolling-update` builds both.",
    )
    for version in Version:
        parser.add_argument(
            f"--{version}",
            type=Path,
            required=True,
            metavar="FOLDER",
            help=f"the folder with the PEX files of the {version} version",
        )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
