"""Users of Valkey with the rules of an ACL file."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

PASSWORD = "hunter2"  # noqa: S105 - no password of anything
RULE = re.compile(r"\([^)]*\)|\S+")  # what is in brackets is one

Address = Callable[[str], str]


async def command(client: Any, *words: str) -> Any:
    """Run a command that redis-py has no method for."""
    return await client.execute_command(*words)


def parsed(text: str) -> dict[str, str]:
    """Return the rules of each user of an ACL file."""
    return dict(line.split(maxsplit=2)[1:] for line in text.splitlines())


@asynccontextmanager
async def users(raw: Redis, url: str, rules: Mapping[str, str]) -> AsyncIterator[Address]:
    """Make users; yield what returns the address of the queue for one of them."""
    names = {user: f"{user}-{uuid4().hex}" for user in rules}
    for user, name in names.items():
        given = rules[user].replace(f"#{user.upper()}_PASSWORD", f">{PASSWORD}")
        # The tests' databases are numbered, that of production is the first.
        await command(raw, "ACL", "SETUSER", name, *RULE.findall(given), "+select")
    try:
        yield lambda user: url.replace("unix://", f"unix://{names[user]}:{PASSWORD}@")
    finally:
        await command(raw, "ACL", "DELUSER", *names.values())


async def refused(raw: Redis, users: Mapping[str, str]) -> list[Any]:
    """Return what users made of these rules were refused since the log was reset."""
    log: Any = await raw.acl_log()
    return [it for it in log if it["username"].rpartition("-")[0] in users]
