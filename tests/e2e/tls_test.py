"""The whole system with TLS to both servers."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from mousetrap.stack import postgres
from mousetrap.stack.servers import Servers, valkey_address
from support import tls
from support.system import READY, up


async def test_a_job_succeeds_by_tls(
    tmp_path: Path, servers: Servers, postgres_dsn: str, redis_url: str
) -> None:
    name = urlsplit(postgres_dsn).path
    [number] = parse_qs(urlsplit(redis_url).query)["db"]
    verified = f"sslmode=verify-full&sslrootcert={tls.CERTIFICATE}"

    def run(postgres_port: int, valkey_port: int) -> str:
        addresses = {
            "MOUSETRAP_POSTGRES_DSN": (
                f"postgresql://{postgres.USER}@localhost:{postgres_port}{name}?{verified}"
            ),
            "MOUSETRAP_REDIS_URL": (
                f"rediss://localhost:{valkey_port}/{number}?ssl_ca_certs={tls.CERTIFICATE}"
            ),
        }
        with up(tmp_path / "data", "--services-from-environment", **addresses) as system:
            system.wait_for(READY)
            state: str = system.ended(system.refresh())["state"]
            assert system.stop() == 130
        return state

    socket = servers.sockets / f".s.PGSQL.{postgres.PORT}"
    async with (
        tls.before(socket, asked=True) as first,
        tls.before(valkey_address(servers.sockets)) as second,
    ):
        assert await asyncio.to_thread(run, first, second) == "succeeded"
