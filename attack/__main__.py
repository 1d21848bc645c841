"""`./pants attack`: attacks a system of its own, or yours, and tells which attacks held."""

import argparse
import asyncio
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from attack import catalogue, load, report, runner, system, target
from attack.case import Attack, Kind
from attack.errors import AttackError
from attack.load import LoadResults
from attack.report import Results
from mousetrap.stack.errors import StackError

FILES: Final = 4096
"""The requested limit of open files: each connection holds one."""


def main(arguments: Sequence[str]) -> int:
    """Try the attacks; return 0 if all held, 1 if one did not, 2 if the run was impossible."""
    options = _parser().parse_args(arguments)
    if sys.platform != "linux":
        sys.stderr.write("attack: attackers use addresses that only Linux has: run it there\n")
        return 2
    _allow_files()
    root = Path(tempfile.mkdtemp(prefix="mousetrap-attack-"))
    try:
        found = asyncio.run(_run(options, root))
    except (AttackError, StackError) as error:
        sys.stderr.write(f"attack: {error}\n")
        return 2
    finally:
        if not options.keep:
            shutil.rmtree(root, ignore_errors=True)
    sys.stdout.write(load.text(found) if isinstance(found, LoadResults) else report.text(found))
    if options.keep:
        sys.stdout.write(f"logs and data are in {root}\n")
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return 1 if found.failed else 0


async def _run(options: argparse.Namespace, root: Path) -> Results | LoadResults:
    if options.url is not None:
        return await _theirs(options)
    async with system.running(root) as running:
        if options.load:
            return await load.perform(running, options.seconds, _say)
        start = time.monotonic()
        outcomes = await runner.run(_chosen(options), running.open, _say)
        return report.results(time.monotonic() - start, outcomes, enforced=running.enforced)


async def _theirs(options: argparse.Namespace) -> Results:
    if options.load:
        raise AttackError("--load needs a system of its own, with limits: leave out --url")
    token = "" if options.token_file is None else options.token_file.read_text().strip()
    aim = target.at(options.url, token=token, mine=options.this_system_is_mine)
    if not await aim.lives():
        raise AttackError(f"{options.url} does not answer GET /health/live: check --url")
    start = time.monotonic()
    outcomes = await runner.run(_chosen(options), aim, _say)
    return report.results(time.monotonic() - start, outcomes)


def _chosen(options: argparse.Namespace) -> list[Attack]:
    kinds = [Kind(it) for it in options.only or Kind]
    found = [it for kind in kinds for it in catalogue.attacks(kind)]
    return [it for it in found if it.quick] if options.quick else found


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="attack", description="Attack Mousetrap, and tell which attacks held."
    )
    parser.add_argument(
        "--url", help="a running system on this machine (default: one of its own, with its servers)"
    )
    parser.add_argument(
        "--this-system-is-mine",
        action="store_true",
        help="attack --url even if it is not on this machine",
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="a token for --url, for attacks from within"
    )
    parser.add_argument(
        "--only",
        choices=[*Kind],
        action="append",
        metavar="KIND",
        help=f"only this kind, again for more: {', '.join(Kind)}",
    )
    parser.add_argument("--quick", action="store_true", help="skip slowness and floods")
    parser.add_argument(
        "--load",
        action="store_true",
        help="instead attack with H1 to H5 at once, and measure another caller",
    )
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="the length of --load (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    parser.add_argument("--keep", action="store_true", help="keep logs and data")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
