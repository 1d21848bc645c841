"""Parameters of the addresses of Postgres and Redis: known ones are taken, all others refused."""

from pathlib import Path

import pytest

from mousetrap.settings import addresses, process
from mousetrap.settings.errors import SettingsError

SECRET = "hunter2"  # noqa: S105 - no password of anything
POSTGRES = f"postgresql://app:{SECRET}@db.example/app"
REDIS = f"redis://app:{SECRET}@queue.example/0"
REST = {
    "MOUSETRAP_POSTGRES_DSN": POSTGRES,
    "MOUSETRAP_REDIS_URL": REDIS,
    "MOUSETRAP_SOURCES_FILE": "/etc/sources.toml",
    "MOUSETRAP_ADMIN_PASSWORD": "long enough",
}
WITH_POSTGRES = [it for it in process.PROCESSES if "postgres_dsn" in it.__struct_fields__]
WITH_REDIS = [it for it in process.PROCESSES if "redis_url" in it.__struct_fields__]


def refusal(name: str, address: str) -> str:
    """Return the refusal of an address, which every process that has one gives alike."""
    kinds = WITH_POSTGRES if name == "MOUSETRAP_POSTGRES_DSN" else WITH_REDIS
    assert len(kinds) >= 3
    told = set()
    for kind in kinds:
        with pytest.raises(SettingsError) as caught:
            process.load(kind, {**REST, name: address})
        told.add(str(caught.value))
    [message] = told
    assert message.startswith(f"{name}: ")
    assert SECRET not in message
    return message.removeprefix(f"{name}: ")


@pytest.mark.parametrize(
    "query",
    [
        # as Neon, Supabase, Heroku, Azure, RDS and a hand-written one print them
        "sslmode=require&channel_binding=require",
        "sslmode=require&channel_binding=prefer",
        "connect_timeout=10&keepalives=1&keepalives_idle=30",
        "keepalives_interval=10&keepalives_count=5&tcp_user_timeout=10000",
        "application_name=maps&fallback_application_name=x",
        "options=-c%20geqo%3Doff",
        "options=endpoint%3Dep-cool-1",
        "gssencmode=disable&sslcompression=0&sslsni=1",
        "target_session_attrs=read-write",
        "target_session_attrs=primary&sslnegotiation=direct&sslmode=require",
        "sslrootcert=system",
        "sslrootcert=system&sslmode=verify-full&ssl_min_protocol_version=TLSv1.3",
        "host=/run/postgresql&port=5433&user=me&dbname=x",
        "host=a,b&port=5432,5433",
        "",
    ],
)
def test_parameters_of_libpq_are_taken(query: str) -> None:
    addresses.check_postgres(f"{POSTGRES}?{query}")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://a,b/app",
        "postgresql://app@a:5432,b:5433,[::1]:5434/app?target_session_attrs=read-write",
        "postgresql://app@%2Frun%2Fpostgresql/app",
        "postgresql://me%40server:p%23%3F@a/app",
        "postgres:///app",
    ],
)
def test_several_hosts_sockets_and_encoded_names_are_taken(address: str) -> None:
    addresses.check_postgres(address)


@pytest.mark.parametrize(
    ("address", "hosts"),
    [
        ("postgresql://app@a/app?options=x", ["postgresql://app@a/app?options=x"]),
        (
            "postgresql://app:p%2C@a:1,[::1]/app",
            [
                "postgresql://app:p%2C@a:1/app?target_session_attrs=read-write",
                "postgresql://app:p%2C@[::1]/app?target_session_attrs=read-write",
            ],
        ),
        (
            "postgresql://app@/app?host=a,/run&port=1,2&target_session_attrs=any",
            [
                "postgresql://app@/app?host=a&target_session_attrs=any&port=1",
                "postgresql://app@/app?host=%2Frun&target_session_attrs=any&port=2",
            ],
        ),
        (
            "postgresql://app@/app?host=a,b&port=7",
            [
                f"postgresql://app@/app?host={it}&target_session_attrs=read-write&port=7"
                for it in "ab"
            ],
        ),
    ],
)
def test_each_of_several_hosts_has_an_address(address: str, hosts: list[str]) -> None:
    assert addresses.of_each_host(address) == hosts


def test_ports_that_are_fewer_than_the_hosts_are_refused() -> None:
    told = refusal("MOUSETRAP_POSTGRES_DSN", "postgresql:///app?host=a,b,c&port=1,2")
    assert told == "the parameter 'port' needs one port, or one for each host"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("foo=bar", "the parameter 'foo' of an address of Postgres is not supported: remove it"),
        ("ssl_mode=require", "the parameter 'ssl_mode' of an address of Postgres is not supported"),
        ("conect_timeout=1", "did you mean 'connect_timeout'?"),
        ("pgbouncer=true", "a pooler needs no parameter"),
        ("statement_timeout=5000", "'statement_timeout' of an address of Postgres is not supp"),
        ("requirepeer=postgres", "'requirepeer'"),
        ("require_auth=scram-sha-256", "'require_auth'"),
        ("krbsrvname=postgres", "'krbsrvname'"),
        ("service=prod", "write the parameters of the service into the address"),
        ("sslmode=sometimes", "the parameter 'sslmode' may only be one of disable, allow, pre"),
        ("sslmode=no-verify", "the parameter 'sslmode' may only be one of"),
        ("gssencmode=require", "the parameter 'gssencmode' may only be one of disable, prefer"),
        ("target_session_attrs=standby", "may only be one of any, primary, read-write"),
        ("target_session_attrs=prefer-standby", "may only be one of any, primary, read-write"),
        ("sslrootcert=/nope.crt", "sslrootcert=/nope.crt cannot be read: No such file"),
        ("sslkey=/nope.key", "sslkey=/nope.key cannot be read: No such file"),
        ("sslrootcert=system&sslmode=require", "sslrootcert=system needs sslmode=verify-full"),
        ("channel_binding=require&sslmode=disable", "channel_binding=require needs TLS"),
        ("channel_binding=always", "may only be one of disable, prefer, require"),
        ("port=many", "the parameter 'port' has to be a number"),
        ("sslmode=", "the parameter 'sslmode' has no value"),
        ("sslmode", "the parameter 'sslmode' has no value"),
        ("sslmode=require&sslmode=disable", "the parameter 'sslmode' is given twice"),
        (f"{SECRET}!=1", "the parameter that is no name of an address of Postgres is not"),
    ],
)
def test_any_other_parameter_of_postgres_is_refused_by_name(query: str, told: str) -> None:
    assert told in refusal("MOUSETRAP_POSTGRES_DSN", f"{POSTGRES}?{query}")


def test_a_file_that_cannot_be_read_is_named_with_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    told = refusal("MOUSETRAP_POSTGRES_DSN", f"{POSTGRES}?sslkey=certificates/app.key")

    assert f"sslkey={tmp_path}/certificates/app.key cannot be read: No such file" in told


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://app:{SECRET}@db:many/app",
        f"postgresql://app:{SECRET}/x@db/app",
        f"postgresql://app:{SECRET}#x@db/app",
        f"postgresql://app:x?{SECRET}=1@db/app",
        f"postgresql://app:x@{SECRET}@db/app",
        f"postgresql://app:x[{SECRET}@db/app",
    ],
)
def test_an_address_of_postgres_that_is_not_encoded_is_refused(address: str) -> None:
    assert "have to be percent-encoded" in refusal("MOUSETRAP_POSTGRES_DSN", address)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("ssl=true", "'ssl' of an address of Redis is not supported: TLS to Redis is rediss://"),
        ("family=0", "the parameter 'family' of an address of Redis is not supported"),
        ("foo=bar", "the parameter 'foo' of an address of Redis is not supported: remove it"),
        ("decode_responses=true", "the queue holds bytes, not text"),
        ("max_connections=1", "the number of connections is fixed"),
        ("socket_timeout=3", "every call has a deadline already"),
        ("protocol=2", "the parameter 'protocol' of an address of Redis is not supported"),
        ("encoding=latin-1", "the parameter 'encoding' of an address of Redis is not supported"),
        ("health_check_interval=1", "'health_check_interval'"),
        ("client_name=x", "'client_name'"),
        ("ssl_cert_reqs=none", "the parameter 'ssl_cert_reqs' is one of TLS: write rediss://"),
        ("sentinel_password=x", "'sentinel_password' of an address of Redis is not supported"),
        ("db=0&db=1", "the parameter 'db' is given twice"),
    ],
)
def test_any_other_parameter_of_redis_is_refused_by_name(query: str, told: str) -> None:
    assert told in refusal("MOUSETRAP_REDIS_URL", f"{REDIS}?{query}")


def test_tls_to_sentinels_has_a_name_of_its_own() -> None:
    address = REDIS.replace("redis://", "redis+sentinel://").replace("/0", "/queue")

    told = refusal("MOUSETRAP_REDIS_URL", f"{address}?ssl_cert_reqs=none")

    assert told.endswith("is one of TLS: write rediss+sentinel://")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("ssl_cert_reqs=CERT_NONE", "the parameter 'ssl_cert_reqs' may only be one of required"),
        ("ssl_check_hostname=maybe", "may only be one of true, false"),
        ("ssl_ca_certs=/nope.crt", "ssl_ca_certs=/nope.crt cannot be read: No such file"),
        ("ssl_min_version=TLSv1.2", "'ssl_min_version' of an address of Redis is not supported"),
        ("foo=bar", "'foo' of an address of Redis is not supported"),
    ],
)
def test_any_other_parameter_of_redis_by_tls_is_refused_by_name(query: str, told: str) -> None:
    address = REDIS.replace("redis://", "rediss://")

    assert told in refusal("MOUSETRAP_REDIS_URL", f"{address}?{query}")


def test_parameters_of_redis_that_work_are_taken(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").touch()

    for address in (
        "redis://queue?db=3&username=me&password=x",
        "unix:///run/valkey.sock?db=3",
        "unix://user:password@/run/valkey.sock?db=3",
        f"rediss://queue?ssl_ca_certs={tmp_path / 'ca.crt'}&ssl_check_hostname=false",
        "rediss://queue?ssl_cert_reqs=none",
        "redis+sentinel://one,two/queue?db=3&sentinel_username=me&sentinel_password=x",
        "rediss+sentinel://one/queue?sentinel_password=x&ssl_cert_reqs=none",
    ):
        addresses.check_redis(address)


def test_the_client_sees_no_parameter_that_is_ignored() -> None:
    address = f"{POSTGRES}?sslmode=require&connect_timeout=3&channel_binding=prefer&options=-c%20a"

    passed, given = addresses.without_ignored(address)

    assert passed == f"{POSTGRES}?sslmode=require&options=-c+a"
    assert given["connect_timeout"] == "3"
    assert addresses.without_ignored(POSTGRES) == (POSTGRES, {})
