"""What the command line of the benchmark takes."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench import scale, soak


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for; exits with 2 when that cannot be."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure Mousetrap on this machine.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument(
        "--images", action="store_true", help="measure the size of the images, and nothing else"
    )
    parser.add_argument(
        "--builds",
        action="store_true",
        help="build the images, and others beside them with Poetry and pip, and nothing else;"
        " empties the build cache of the Docker engine",
    )
    parser.add_argument(
        "--soak",
        type=_jobs,
        metavar="JOBS",
        help="push so many jobs through the system, watch its memory, and nothing else",
    )
    parser.add_argument(
        "--scale",
        type=_rows,
        metavar="ROWS",
        help="ask of tables with so many jobs and summaries, beside small ones, and nothing else",
    )
    parser.add_argument(
        "--backlog",
        type=_jobs,
        metavar="JOBS",
        help="drain a backlog of so many jobs, watch speed and memory, and nothing else",
    )
    parser.add_argument(
        "--workers",
        type=_jobs,
        metavar="JOBS",
        help="drain so many jobs by 1, 2, 4 and 8 workers of each kind, and nothing else",
    )
    parser.add_argument(
        "--streams",
        type=int,
        metavar="CLIENTS",
        help="let so many listen to GET /events, and nothing else",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to FILE")
    return parser.parse_args(arguments)


def _jobs(text: str) -> int:
    jobs = int(text)
    if jobs < soak.SAMPLES:
        raise argparse.ArgumentTypeError(f"must be {soak.SAMPLES} at least")
    return jobs


def _rows(text: str) -> int:
    rows = int(text)
    if rows < 2 * scale.FEW:
        raise argparse.ArgumentTypeError(f"must be {2 * scale.FEW} at least")
    return rows
