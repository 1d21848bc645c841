import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
import redis

from mousetrap.stack import folder, process, roles, servers
from mousetrap.stack.errors import FolderInUseError, ServerStartError
from mousetrap.stack.servers import Servers
from mousetrap.store.database import Database
from mousetrap.store.schema.grants import Roles
from mousetrap.store.schema.migrations import migrate
from stack import launcher
from stack.processes import Program, Programs, Watch, family, send

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has death signals")
root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root of Linux lends itself a user"
)


NOBODY = 65534
SUPERUSER = (
    "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
)


@contextmanager
def serving(path: Path, *, durable: bool = True) -> Iterator[Servers]:
    with folder.hold(path) as held, servers.run(held, durable=durable) as running:
        yield running


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder that only its owner may enter."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder


def owner(path: Path) -> int:
    return path.stat().st_uid


def user(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def launch(
    programs: Programs, path: Path, *options: str, env: dict[str, str] | None = None
) -> Program:
    return programs.start(launcher.__file__, str(path), *options, env=env)


def pids(program: Program) -> list[int]:
    return [int(pid) for pid in program.line(r"^pids (.*)")[1].split()]


async def remember(postgres_dsn: str, redis_url: str) -> None:
    connection = await asyncpg.connect(postgres_dsn, timeout=10)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS note (number int)")
        await connection.execute("INSERT INTO note VALUES (1)")
    finally:
        await connection.close()
    with redis.Redis.from_url(redis_url, socket_timeout=10) as client:
        client.xadd("notes", {"number": 1})


async def connected(dsn: str) -> None:
    """Wait until Postgres accepts connections."""
    async with asyncio.timeout(30):
        while True:
            with suppress(OSError, asyncpg.CannotConnectNowError):
                await (await asyncpg.connect(dsn, timeout=10)).close()
                return
            await asyncio.sleep(0.05)


async def remembered(postgres_dsn: str, redis_url: str) -> tuple[int, int]:
    connection = await asyncpg.connect(postgres_dsn, timeout=10)
    try:
        rows = await connection.fetchval("SELECT count(*) FROM note")
    finally:
        await connection.close()
    with redis.Redis.from_url(redis_url, socket_timeout=10) as client:
        return rows, client.xlen("notes")


async def test_postgres_speaks_utf8_sorts_by_bytes_and_listens_on_no_port(
    postgres_dsn: str,
) -> None:
    connection = await asyncpg.connect(postgres_dsn, timeout=10)
    try:
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"
        assert await connection.fetchval("SHOW listen_addresses") == ""
        assert await connection.fetchval("SHOW timezone") == "UTC"
        sort = "SELECT x FROM (VALUES ('a'), ('B'), ('é')) v (x) ORDER BY x"
        assert [row["x"] for row in await connection.fetch(sort)] == ["B", "a", "é"]
    finally:
        await connection.close()


def test_valkey_answers_on_no_port(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, socket_timeout=10) as client:
        assert client.ping()
        assert client.config_get("port") == {"port": "0"}
        assert client.dbsize() == 0


async def test_each_test_has_an_empty_database_of_its_own(
    postgres_dsn: str, servers: Servers
) -> None:
    assert postgres_dsn != servers.postgres_dsn
    connection = await asyncpg.connect(postgres_dsn, timeout=10)
    try:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert await connection.fetchval(tables) == 0
    finally:
        await connection.close()


async def test_data_persists_from_run_to_run(tmp_path: Path) -> None:
    for run in (1, 2):
        with serving(tmp_path) as running:
            await remember(running.postgres_dsn, running.redis_url)
            assert await remembered(running.postgres_dsn, running.redis_url) == (run, run)
    assert not (tmp_path / "sockets").exists()


async def test_a_cleared_folder_starts_empty_and_keeps_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("not ours")
    with serving(tmp_path) as running:
        await remember(running.postgres_dsn, running.redis_url)
    with folder.hold(tmp_path) as held:
        held.clear()
        with servers.run(held) as running:
            with pytest.raises(asyncpg.UndefinedTableError):
                await remembered(running.postgres_dsn, running.redis_url)
            with redis.Redis.from_url(running.redis_url, socket_timeout=10) as client:
                assert client.dbsize() == 0
    assert (tmp_path / "keep.txt").read_text() == "not ours"


@linux
async def test_a_killed_launcher_leaves_no_process_and_loses_nothing(
    tmp_path: Path, programs: Programs
) -> None:
    program = launch(programs, tmp_path)
    everyone = Watch([each for pid in pids(program) for each in family(pid)])
    dsn, url = (program.line(rf"^{name} (.*)")[1] for name in ("postgres", "redis"))
    await remember(dsn, url)
    program.child.kill()
    # At once: the servers of the killed launcher may still be about to end.
    with serving(tmp_path) as running:
        assert everyone.ended(deadline=0)
        assert await remembered(running.postgres_dsn, running.redis_url) == (1, 1)


@linux
def test_the_servers_of_a_killed_launcher_hold_the_folder_until_they_end(
    tmp_path: Path, programs: Programs
) -> None:
    program = launch(programs, tmp_path)
    postgres, _ = pids(program)
    _, *backends = family(postgres)
    send(signal.SIGSTOP, backends)  # without them it cannot end
    program.child.kill()
    program.child.wait()
    try:
        with (
            pytest.raises(FolderInUseError, match="servers that a killed launcher left behind"),
            folder.hold(tmp_path, patience=0.5),
        ):
            pass
    finally:
        send(signal.SIGCONT, backends)
    with folder.hold(tmp_path, patience=10):
        pass


@linux
async def test_killing_everything_at_once_loses_nothing(tmp_path: Path, programs: Programs) -> None:
    program = launch(programs, tmp_path)
    victims = [program.child.pid, *(each for pid in pids(program) for each in family(pid))]
    dsn, url = (program.line(rf"^{name} (.*)")[1] for name in ("postgres", "redis"))
    await remember(dsn, url)
    send(signal.SIGKILL, victims)
    with serving(tmp_path) as running:
        assert await remembered(running.postgres_dsn, running.redis_url) == (1, 1)


@linux
async def test_postgres_starts_again_only_without_a_backend_of_the_killed_one(
    tmp_path: Path,
) -> None:
    begun = asyncio.Event()
    with serving(tmp_path) as running:
        server, dsn = running.processes[0], running.postgres_dsn
        assert server.again is not None
        connection = await asyncpg.connect(dsn, timeout=10)
        backend = Watch([connection.get_server_pid()])
        connection.add_log_listener(lambda *_: begun.set())
        busy = asyncio.create_task(
            # Not for ever: nobody would end it after a failure of this test.
            connection.execute(
                "DO $$BEGIN RAISE NOTICE 'begun';"
                " WHILE clock_timestamp() < now() + interval '30 s' LOOP END LOOP; END$$"
            )
        )
        async with asyncio.timeout(10):
            await begun.wait()
        os.kill(server.child.pid, signal.SIGKILL)
        server.child.wait(10)
        with process.running(server.again(), grace=10) as second:
            assert second.child.wait(10) == 1
        evidence = (tmp_path / "postgres" / "postmaster.pid").read_text().splitlines()
        assert evidence[0] == str(server.child.pid)
        os.kill(connection.get_server_pid(), signal.SIGKILL)
        with pytest.raises((asyncpg.PostgresConnectionError, OSError)):
            await busy
        assert backend.ended()
        with process.running(server.again(), grace=10):
            await connected(dsn)


@linux
def test_a_launcher_killed_during_its_first_start_does_not_spoil_the_folder(
    tmp_path: Path, programs: Programs
) -> None:
    program = launch(programs, tmp_path)
    while not (tmp_path / "postgres.new" / "PG_VERSION").exists():
        assert program.child.poll() is None
    program.child.kill()
    assert not (tmp_path / "postgres").exists()
    with serving(tmp_path):
        assert not (tmp_path / "postgres.new").exists()


def test_a_second_launcher_is_told_who_holds_the_folder(tmp_path: Path, programs: Programs) -> None:
    program = launch(programs, tmp_path)
    program.line("^running")
    with (
        pytest.raises(FolderInUseError, match=rf"{tmp_path} .* process {program.child.pid}\b"),
        folder.hold(tmp_path, patience=0),
    ):
        pass
    assert program.child.poll() is None


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    with serving(tmp_path, durable=False):
        pass
    (tmp_path / "postgres" / "PG_VERSION").write_text("1\n")
    with (
        pytest.raises(ServerStartError, match=r"postgres .* status 1(.|\n)* not compatible"),
        serving(tmp_path, durable=False),
    ):
        pass
    with folder.hold(tmp_path, patience=0):
        pass


FITTING = "a b=#?%&'\"é"


@pytest.mark.parametrize("name", [FITTING, "a, b", "a" * 150])
async def test_any_path_will_do(name: str) -> None:
    with tempfile.TemporaryDirectory() as short:
        path = Path(short, name)
        with serving(path) as running:
            sockets = running.sockets
            assert (path / "sockets" == sockets) == (name == FITTING)
            assert sockets.stat().st_mode & 0o777 == 0o700
            await remember(running.postgres_dsn, running.redis_url)
        assert not sockets.exists()
        with serving(path) as running:
            assert await remembered(running.postgres_dsn, running.redis_url) == (1, 1)


@linux
def test_sockets_that_a_killed_launcher_left_elsewhere_are_removed(
    tmp_path: Path, programs: Programs
) -> None:
    path = tmp_path / ("a" * 150)
    program = launch(programs, path)
    program.line("^running")
    program.child.kill()
    with serving(path) as running:
        left = running.sockets
        assert sorted(each.name for each in left.iterdir()) == [
            ".s.PGSQL.5432",
            ".s.PGSQL.5432.lock",
            "valkey",
        ]
    assert not left.exists()


async def test_the_callers_postgres_variables_are_not_heeded(
    tmp_path: Path, programs: Programs
) -> None:
    program = launch(programs, tmp_path, env={"PGPORT": "6543", "PGDATESTYLE": "nonsense"})
    program.line("^running")
    assert (tmp_path / "sockets" / ".s.PGSQL.5432").exists()


@root
async def test_root_without_user_namespaces_drops_to_a_user_that_owns_the_data(
    closed: Path, programs: Programs
) -> None:
    with serving(closed) as running:
        await remember(running.postgres_dsn, running.redis_url)
        assert owner(closed / "postgres") == 0
    program = launch(programs, closed, "refuse")
    assert {user(pid) for pid in pids(program)} == {NOBODY}
    assert owner(closed / "postgres") == NOBODY
    dsn, url = (program.line(rf"^{name} (.*)")[1] for name in ("postgres", "redis"))
    await remember(dsn, url)
    program.child.kill()
    with serving(closed) as running:
        assert owner(closed / "postgres") == 0
        assert await remembered(running.postgres_dsn, running.redis_url) == (2, 2)


@root
def test_root_is_told_which_folder_no_other_user_may_enter(
    closed: Path, programs: Programs
) -> None:
    launch(programs, closed / "data", "refuse", "weak").line(
        rf"^IdentityError .*namespace: Operation not permitted; (?!{closed}/).*closed to the user"
    )


@root
def test_a_plain_user_needs_nothing_of_root(tmp_path: Path, programs: Programs) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    program = launch(programs, tmp_path, "nobody")
    assert {user(pid) for pid in [program.child.pid, *pids(program)]} == {NOBODY}
    program.line("^running")


async def test_processes_need_no_superuser(tmp_path: Path) -> None:
    """Also on the data of an earlier version, which created the tables as the superuser."""
    with serving(tmp_path) as running:
        await migrate(running.postgres_dsn)
        async with Database(running.postgres_dsn) as database:
            before = await database.jobs.submit("demo")

    for _ in range(2):
        with (
            folder.hold(tmp_path) as held,
            servers.run(held, durable=False, plain_roles=True) as running,
        ):
            dsn = running.postgres_dsn
            granted = Roles(api=roles.API, process=roles.PROCESS, follow_up=roles.FOLLOW_UP)
            await migrate(roles.log_in(dsn, roles.OWNER), roles=granted)
            async with Database(roles.log_in(dsn, roles.API)) as database:
                await database.jobs.submit("demo")
                assert await database.jobs.find(before.job.id) == before.job
            for role in (roles.OWNER, roles.API, roles.PROCESS, roles.FOLLOW_UP):
                connection = await asyncpg.connect(roles.log_in(dsn, role), timeout=10)
                assert not await connection.fetchval(SUPERUSER)
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute("COPY migration FROM PROGRAM 'id'")
                await connection.close()
