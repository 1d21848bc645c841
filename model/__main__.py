"""`./pants model`: tries every interleaving of the protocol of jobs, and judges every state."""

import argparse
import sys
import time
from collections.abc import Sequence

from model import report
from model.explorer import explore
from model.mechanisms import MECHANISMS
from model.protocol import KINDS, Protocol


def main(arguments: Sequence[str]) -> int:
    """Explore one protocol; return 0 if it keeps its promises, 1 if not."""
    options = _parser().parse_args(arguments)
    start = time.monotonic()
    result = explore(Protocol(**vars(options) | {"without": frozenset(options.without)}))
    seconds = time.monotonic() - start
    sys.stdout.write(f"{result.states:,} states, {result.steps:,} steps, {seconds:.0f} s\n")
    if result.counterexample is None:
        return 0
    sys.stdout.write(report.text(result.counterexample) + "\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="model", description=__doc__)
    bounds = Protocol()
    for name, meaning in (
        ("attempts", "attempts of a round"),
        ("deliveries", "deliveries of an entry before it is given up"),
        ("retries", "retries by a person"),
        ("requests", "how often a caller sends its request"),
        ("faults", "the most faults of a run"),
        ("workers", "workers of each kind"),
    ):
        default = getattr(bounds, name)
        parser.add_argument(
            f"--{name}", type=int, default=default, help=f"{meaning} (default: %(default)s)"
        )
    parser.add_argument(
        "--hostile", action="store_true", help="a queue without any promise, and faults without end"
    )
    parser.add_argument(
        "--poisoned", choices=KINDS, help="the workers that each message of the job kills"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=sorted(MECHANISMS),
        metavar="MECHANISM",
        help=f"take a mechanism away: {', '.join(sorted(MECHANISMS))}",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
