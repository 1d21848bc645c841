"""`./pants chaos`: kills processes and servers under load, then checks every promise."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from chaos import driver, matrix, report
from chaos.cells import EVERYTHING, GROUPS
from chaos.errors import ChaosError
from chaos.plan import matrix as every_cell
from chaos.plan import plan
from mousetrap.stack.errors import StackError

ALL: Final = "all"


def main(arguments: Sequence[str]) -> int:
    """Make one run; return 0 if every rule holds, 1 if not, 2 if the run was impossible."""
    options = _parser().parse_args(arguments)
    if sys.platform != "linux":
        sys.stderr.write("chaos: processes are watched by what Linux tells: run it there\n")
        return 2
    seed = random.SystemRandom().getrandbits(32) if options.seed is None else options.seed
    start = time.monotonic()
    _say(f"seed {seed}", 0)
    planned = (
        every_cell(seed, GROUPS.get(options.matrix, EVERYTHING))
        if options.matrix
        else plan(seed, kills=options.kills, seconds=options.minutes * 60, survey=options.survey)
    )
    root = Path(tempfile.mkdtemp(prefix="mousetrap-chaos-"))
    kept = options.keep
    try:
        outcome = asyncio.run(
            driver.perform(
                planned,
                seed=seed,
                per_second=options.rate,
                root=root,
                say=lambda text: _say(text, time.monotonic() - start),
            )
        )
        seconds = time.monotonic() - start
        if options.matrix:
            cells = matrix.results(seed, seconds, outcome, report.jobs(outcome))
            broken, told, written = not cells.passed, matrix.text(cells), msgspec.json.encode(cells)
        else:
            found = report.results(seed, seconds, outcome)
            broken, told, written = (
                bool(found.violations),
                report.text(found),
                msgspec.json.encode(found),
            )
        kept = kept or broken
    except (ChaosError, StackError) as error:
        sys.stderr.write(f"chaos: {error}\n")
        return 2
    finally:
        if not kept:
            shutil.rmtree(root)
    sys.stdout.write(told)
    if kept:
        sys.stdout.write(f"logs and data are in {root}\n")
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(written) + b"\n")
    return 1 if broken else 0


def _say(text: str, seconds: float) -> None:
    sys.stdout.write(f"{seconds:7.1f}  {text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chaos", description="Strike Mousetrap under load, let it heal, and judge it."
    )
    parser.add_argument("--seed", type=int, help="replays the faults of a run (default: any)")
    parser.add_argument(
        "--kills", type=int, default=200, help="at least this many (default: %(default)s)"
    )
    parser.add_argument(
        "--minutes", type=float, default=4.0, help="the length of the storm (default: %(default)s)"
    )
    parser.add_argument(
        "--rate", type=float, default=10.0, help="jobs per second (default: %(default)s)"
    )
    parser.add_argument(
        "--no-survey",
        dest="survey",
        action="store_false",
        help="skip the part that injects each fault alone to time the recovery",
    )
    parser.add_argument(
        "--matrix",
        nargs="?",
        const=ALL,
        choices=(ALL, *GROUPS),
        metavar="GROUP",
        help="inject the fault of each cell of the failure matrix alone, and no storm; GROUP is one"
        f" of {', '.join(GROUPS)}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    parser.add_argument(
        "--keep", action="store_true", help="keep logs and data even if every rule holds"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
