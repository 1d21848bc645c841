"""The command line of the benchmark."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench import fairness, scale, soak


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options; exits with 2 when they are wrong."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure Mousetrap on this machine.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--images", action="store_true", help="only measure the size of the images")
    parser.add_argument(
        "--builds",
        action="store_true",
        help="only build the images, beside those of Poetry projects;"
        " empties the build cache of the Docker engine",
    )
    parser.add_argument(
        "--soak",
        type=_jobs,
        metavar="JOBS",
        help="only run this many jobs and measure memory",
    )
    parser.add_argument(
        "--scale",
        type=_rows,
        metavar="ROWS",
        help="only measure requests on tables with this many jobs, beside small tables",
    )
    parser.add_argument(
        "--backlog",
        type=_jobs,
        metavar="JOBS",
        help="only drain a backlog of this many jobs, and measure speed and memory",
    )
    parser.add_argument(
        "--workers",
        type=_jobs,
        metavar="JOBS",
        help="only drain this many jobs with 1, 2, 4 and 8 workers of each kind",
    )
    parser.add_argument(
        "--streams",
        type=int,
        metavar="CLIENTS",
        help="only measure this many listeners to GET /events",
    )
    parser.add_argument(
        "--largest",
        action="store_true",
        help="only measure memory with the largest feeds that the default settings permit",
    )
    parser.add_argument(
        "--large",
        action="store_true",
        help="only let feeds of 100,000 and 1,000,000 points through all processes, beside a script"
        " that does the same",
    )
    parser.add_argument(
        "--fairness",
        type=int,
        nargs="?",
        const=fairness.JOBS,
        metavar="JOBS",
        help="only measure jobs beside this many of a source that never answers",
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
