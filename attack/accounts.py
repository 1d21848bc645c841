"""The accounts of production on servers of our own: roles, users and tokens."""

import hashlib
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import redis.asyncio

from attack.errors import AttackError
from mousetrap.stack import postgres
from mousetrap.stack.servers import Servers

DATABASE: Final = "mousetrap"
ROLES: Final = ("owner", "api", "process", "follow_up", "admin")
SCOPES: Final = {
    "read": "read",
    "refresh": "refresh",
    "refresh-other": "refresh",
    "operate": "operate",
    "metrics": "metrics",
    "read-refresh-operate": "read,refresh,operate",
    "read-refresh-metrics": "read,refresh,metrics",
    "read-operate-metrics": "read,operate,metrics",
    "refresh-operate-metrics": "refresh,operate,metrics",
}
"""The tokens of the guarded API, named after their scopes."""

PATIENCE: Final = 60.0


def dsn(real: Servers, role: str, database: str = DATABASE) -> str:
    """Return the address of a database for a role of ours; for its operator if it is empty."""
    name = f"mousetrap_{role}" if role else postgres.USER
    return real.database(database).replace(f"//{postgres.USER}@", f"//{name}@")


def create_roles(real: Servers, root: Path) -> None:
    """Run deploy/postgres/roles.sql with passwords of its own."""
    folder = root / "passwords"
    folder.mkdir()
    for name in (*ROLES, "superuser"):
        (folder / f"postgres_{name}_password").write_text(secrets.token_hex(16))
    script = Path("deploy/postgres/roles.sql").read_text("utf-8")
    done = subprocess.run(
        [postgres.binary("psql"), "-q", "-X", "-d", real.postgres_dsn, "-f", "-"],
        input=script.replace("/run/secrets", str(folder)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    shutil.rmtree(folder)
    if done.returncode != 0:
        raise AttackError(f"deploy/postgres/roles.sql failed: {done.stderr.strip()}")


def users() -> list[str]:
    """Return the lines of deploy/valkey/users.acl."""
    return Path("deploy/valkey/users.acl").read_text("utf-8").splitlines()


async def create_users(real: Servers, lines: Sequence[str]) -> dict[str, str]:
    """Create the users of `lines`, as in an ACL file; return the URL of each."""
    password = secrets.token_hex(16)
    urls = {}
    async with redis.asyncio.Redis.from_url(real.redis_url, socket_timeout=5) as operator:
        client: Any = operator
        for line in lines:
            _, name, rules = line.split(maxsplit=2)
            if name == "default":
                continue  # it is the operator of these servers
            given = rules.replace(f"#{name.upper()}_PASSWORD", f">{password}")
            await client.execute_command("ACL", "SETUSER", name, *_split(given))
            urls[name] = real.redis_url.replace("unix://", f"unix://{name}:{password}@")
    return urls


def _split(rules: str) -> Iterator[str]:
    """Yield the rules of a user; a selector in brackets is one."""
    while rules := rules.strip():
        end = rules.find(")") + 1 if rules.startswith("(") else rules.find(" ")
        yield rules[: end if end > 0 else None].strip()
        rules = rules[end:] if end > 0 else ""


def create_tokens(root: Path) -> tuple[dict[str, str], Path]:
    """Return a token for each entry of SCOPES, and a file for the API that knows them."""
    tokens = {name: secrets.token_urlsafe(24) for name in SCOPES}
    lines = (
        f"{name} {scopes} {hashlib.sha256(tokens[name].encode()).hexdigest()}\n"
        for name, scopes in SCOPES.items()
    )
    path = root / "tokens"
    path.write_text("".join(lines))
    path.chmod(0o600)
    return tokens, path
