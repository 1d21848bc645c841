"""A program that supervises stand-ins: `supervised.py PLAN`, where PLAN is JSON.

    {"server": ARGUMENTS, "preparation": [ARGUMENTS, ...], "services": [[ARGUMENTS, ...], ...],
     "grace": SECONDS, "echo": SECONDS, "restarts": [FIRST, LONGEST, STEADY, MOST]}

ARGUMENTS are those of `stand_in.py`, a name first.
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from mousetrap.stack import ports, process, readiness
from mousetrap.stack.console import Console
from mousetrap.stack.supervisor import Plan, Program, Restarts, supervise
from stack import stand_in


def program(arguments: list[str]) -> Program:
    [port] = ports.free(1)
    return Program(
        name=arguments[0],
        command=[sys.executable, stand_in.__file__, str(port), *arguments],
        env=os.environ,
        health_port=port,
    )


def main(text: str) -> int:
    raw = json.loads(text)
    console = Console(sys.stdout, colour=False)
    plan = Plan(
        preparation=[program(arguments) for arguments in raw["preparation"]],
        services=[[program(arguments) for arguments in group] for group in raw["services"]],
        grace=raw["grace"],
        announcement="all are ready",
    )
    first = program(raw["server"])

    def begin() -> process.Process:
        return process.start(
            first.name,
            first.command,
            output=console.open(first.name),
            env=first.env,
            cwd=Path.cwd(),
            end=signal.SIGINT,
            death=signal.SIGINT,
        )

    server = replace(begin(), again=begin)

    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup

    async def run() -> int:
        assert first.health_port is not None
        await readiness.wait(first.health_port)
        return await supervise(
            plan,
            [server],
            console=console,
            cwd=Path.cwd(),
            echo=raw["echo"],
            restarts=Restarts(*raw["restarts"]),
        )

    try:
        return asyncio.run(run())
    finally:
        console.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
