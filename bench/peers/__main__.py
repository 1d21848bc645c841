"""`./pants peers`: the same two stages on other task libraries, under the same kills."""

import argparse
import asyncio
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path
from typing import Final

import msgspec

from bench import machine, rounds
from bench.peers import arena, report, scenarios
from bench.peers.arena import Arena, Setup, Terms
from bench.peers.contender import Contender
from bench.peers.outcome import Patience
from bench.peers.results import Match, Results, Scenario, Speed
from bench.peers.results import Terms as Kept
from bench.peers.roster import PEERS
from bench.peers.scenarios import SCENARIOS, SEED, Sizes
from bench.results import OURS

FULL: Final = Sizes(
    rounds=6,
    rush=500,
    drain=3000,
    backlog=40,
    rate=20,
    seconds=12,
    kills=6,
    breath=5,
    abreast=2,
    patience=Patience(quiet=25, stalled=45),
)
QUICK: Final = Sizes(
    rounds=1,
    rush=50,
    drain=50,
    backlog=12,
    rate=10,
    seconds=4,
    kills=2,
    breath=2,
    abreast=6,
    patience=Patience(quiet=4, stalled=6),
)
FULL_LEASE: Final = 10
QUICK_LEASE: Final = 2
DELAY: Final = 0.1


def main(arguments: Sequence[str]) -> int:
    """Run the comparison and return the exit code."""
    options = _parser().parse_args(arguments)
    if sys.platform != "linux":
        sys.stderr.write(
            "peers: processes are killed and restarted as Linux does it: run it there\n"
        )
        return 2
    with tempfile.TemporaryDirectory(prefix="mousetrap-peers-") as root:
        results = asyncio.run(_compare(Path(root), options))
    sys.stdout.write(report.tables(results))
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    names = [peer.library for peer in PEERS]
    parser = argparse.ArgumentParser(prog="peers", description="Compare Mousetrap with its peers.")
    parser.add_argument("--quick", action="store_true", help="only prove that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=names,
        default=names,
        metavar="PEER",
        help="only compare with these",
    )
    return parser


async def _compare(root: Path, options: argparse.Namespace) -> Results:
    sizes = QUICK if options.quick else FULL
    lease = QUICK_LEASE if options.quick else FULL_LEASE
    here = machine.look()
    setup = Setup(root, root / "pex", [OURS, *options.only])
    versions = _versions(setup.pex_root, options.only)
    matches = await _speeds(setup, lease, sizes)
    found = await _faults(setup, lease, sizes)
    return Results(
        date=datetime.now(UTC).date().isoformat(),
        python=here.python,
        processors=here.processors,
        architecture=here.architecture,
        load=here.load,
        versions=versions,
        terms=Kept(
            lease_s=lease,
            source_takes_s=DELAY,
            jobs_per_s=sizes.rate,
            load_s=sizes.seconds,
            seed=SEED,
        ),
        matches=matches,
        scenarios=found,
    )


async def _speeds(setup: Setup, lease: int, sizes: Sizes) -> dict[str, Match]:
    """Measure Mousetrap and each of the peers in turns."""
    matches = {}
    async with arena.opened(setup, "speed", Terms(lease, 0, few=False)) as opened:

        async def measure(contender: Contender) -> Speed:
            with _alone(contender, opened):
                await scenarios.rush(contender, sizes.rush // 5)  # warm up
                return Speed(
                    rush=await scenarios.rush(contender, sizes.rush),
                    drain=await scenarios.drain(contender, sizes.drain),
                )

        ours, *peers = opened.contenders
        for peer in peers:
            sys.stderr.write(f"peers: speed, {ours.name} and {peer.name}\n")
            sides = {ours.name: ours, peer.name: peer}
            found = await rounds.alternate(sides, sizes.rounds, measure, budget=math.inf)
            matches[peer.name] = Match(ours=found[ours.name], theirs=found[peer.name])
    return matches


@contextmanager
def _alone(contender: Contender, arena: Arena) -> Iterator[None]:
    """Stop all others, since some poll for work all the time."""
    with ExitStack() as stack:
        for other in arena.contenders:
            if other is not contender:
                stack.enter_context(other.held())
        yield


async def _faults(setup: Setup, lease: int, sizes: Sizes) -> list[Scenario]:
    # Workers that start together on few processors would slow each other down.
    abreast = batched(setup.names, sizes.abreast, strict=False)
    groups = [replace(setup, names=group) for group in abreast]
    found = []
    for number, scenario in enumerate(SCENARIOS):
        parts = []
        for group in groups:
            sys.stderr.write(f"peers: {scenario.__name__}, {' and '.join(group.names)}\n")
            folder = f"{number}-{group.names[0]}"
            async with arena.opened(group, folder, Terms(lease, DELAY, few=True)) as opened:
                parts.append(await scenario(opened, sizes))
        outcomes = {name: it for part in parts for name, it in part.outcomes.items()}
        found.append(msgspec.structs.replace(parts[0], outcomes=outcomes))
    return found


def _versions(pex_root: Path, names: Sequence[str]) -> dict[str, dict[str, str]]:
    ask = "import importlib.metadata as m, sys; print(*map(m.version, sys.argv[1:]))"
    found = {}
    for peer in PEERS:
        if peer.library in names:
            command = peer.command(
                "versions", ["-c", ask, *peer.packages], {"PEX_ROOT": str(pex_root)}
            )
            done = subprocess.run(
                list(map(str, command.arguments)),
                env=dict(command.env),
                capture_output=True,
                text=True,
                check=True,
            )
            found[peer.library] = dict(zip(peer.packages, done.stdout.split(), strict=True))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
