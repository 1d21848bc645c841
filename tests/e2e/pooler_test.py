"""The whole system with PgBouncer, as it is installed, in front of Postgres."""

from pathlib import Path

from mousetrap.stack.folder import hold
from mousetrap.stack.servers import Servers
from support import pgbouncer
from support.system import READY, up

pytestmark = pgbouncer.NEEDED


async def test_a_job_succeeds_behind_a_pooler(
    tmp_path: Path, servers: Servers, postgres_dsn: str, redis_url: str
) -> None:
    with (
        hold(tmp_path / "pooler") as folder,
        pgbouncer.running(folder, servers.sockets, {}) as host,
    ):
        addresses = {
            "MOUSETRAP_POSTGRES_DSN": f"{postgres_dsn.partition('?')[0]}?{host}",
            "MOUSETRAP_REDIS_URL": redis_url,
        }
        with up(tmp_path / "data", "--services-from-environment", **addresses) as system:
            system.wait_for(READY)
            job = system.ended(system.refresh())
            ready = system.http.get("/health/ready").json()

            assert job["state"] == "succeeded"
            assert set(ready["checks"].values()) == {"ok"}
            assert any("a pooler is in front of Postgres" in line for line in system.lines)
            assert system.stop() == 130
