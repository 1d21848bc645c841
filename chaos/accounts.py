"""The accounts of the processes at the servers, and their passwords."""

from pathlib import Path
from typing import Any, Final

import asyncpg
import redis

from chaos.links import ROLES, USER, Passwords
from mousetrap.stack import postgres
from mousetrap.stack.launcher import Launcher
from mousetrap.stack.output import LogFiles

type Connection = asyncpg.Connection[asyncpg.Record]

CHEAP: Final = "SET scram_iterations = 1"
"""Logging in must not be most of the work of a system that is cut off again and again."""
RULES: Final = ("~*", "&*", "+@all")
"""The rights of the processes in Valkey; deploy/valkey/users.acl has tests of its own."""


def create(launcher: Launcher, sockets: Path, passwords: Passwords) -> None:
    """Create the roles of Postgres, and let the processes in by password only."""
    postgres.create_roles(launcher, sockets)
    rules = launcher.folder.postgres / "pg_hba.conf"
    names = ",".join(ROLES.values())
    rules.write_text(f"local all {names} scram-sha-256\n{rules.read_text()}")
    statements = (
        CHEAP,
        *(f"ALTER ROLE {it} PASSWORD '{passwords.postgres}'" for it in ROLES.values()),
        # It has to fit on a small disk.
        "ALTER SYSTEM SET max_wal_size = '128MB'",
        "SELECT pg_reload_conf()",
    )
    command: list[str | Path] = [
        *(postgres.binary("psql"), "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"),
        *("--host", sockets, "--port", str(postgres.PORT)),
        *("--username", postgres.USER, "--dbname", postgres.USER),
        *(part for it in statements for part in ("--command", it)),
    ]
    launcher.complete("accounts", command, launcher.folder.postgres, LogFiles(launcher.folder.root))


def create_user(address: Path, passwords: Passwords) -> None:
    """Create the user of Valkey, which forgets it when it ends."""
    with redis.Redis(unix_socket_path=str(address), socket_timeout=5) as client:
        client.execute_command(*_user(passwords))


async def change_password(database: Connection, passwords: Passwords) -> None:
    """Let the roles of Postgres log in with the present password, and cut their connections."""
    await database.execute(CHEAP)
    for role in ROLES.values():
        await database.execute(f"ALTER ROLE {role} PASSWORD '{passwords.postgres}'")
    await database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY ($1)",
        list(ROLES.values()),
    )


async def change_user(queue: Any, passwords: Passwords) -> None:
    """Let the user of Valkey log in with the present password, and cut its connections."""
    await queue.execute_command(*_user(passwords))
    await queue.execute_command("CLIENT", "KILL", "USER", USER)


def _user(passwords: Passwords) -> tuple[str, ...]:
    return ("ACL", "SETUSER", USER, "on", "resetpass", f">{passwords.valkey}", *RULES)
