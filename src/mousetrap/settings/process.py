"""The settings of each process. `docs/configuration.md` is generated from them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from mousetrap.settings import addresses, environment

_ORIGIN: Final = r"https?://([a-z\d.-]+|\[[\da-f:]+\])(:\d{1,5})?"

_NAME: Final = r"(\*\.)?[a-zA-Z\d_-]+(\.[a-zA-Z\d_-]+)*"

PostgresDsn = Annotated[
    str,
    Meta(
        pattern="^postgres(ql)?://",
        description="the address of Postgres: postgresql://user:password@host:port/database",
        extra={environment.CHECK: addresses.check_postgres},
    ),
]
_REDIS_HOST: Final = r"(\[[\da-fA-F:.]+\]|[^@:/?#\[\],]+)(:\d{1,5})?"

RedisUrl = Annotated[
    str,
    Meta(
        # As strict as the client, which would otherwise fail later, when it is created.
        pattern=(
            rf"^(rediss?://([^@/]*@)?{_REDIS_HOST}(/\d*)?"
            rf"|rediss?\+sentinel://([^@/]*@)?{_REDIS_HOST}(,{_REDIS_HOST})*/[\w.-]+"
            r"|unix://([^@/]*@)?/[^?]+)"
            r"(\?(?!(.*&)?db=(?!\d+(&|\Z))).*)?\Z"
        ),
        description="the address of Redis or Valkey: redis://user:password@host:port/0, or"
        " redis+sentinel://user:password@host:port,host:port/name",
        extra={environment.CHECK: addresses.check_redis},
    ),
]
SourcesFile = Annotated[str, Meta(min_length=1, description="the path of sources.toml")]
LogFormat = Annotated[
    Literal["json", "console"], Meta(description="one JSON object a line, or text for people")
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"], Meta(description="the minimum log level")
]
Host = Annotated[str, Meta(min_length=1, description="the address to listen on")]
Port = Annotated[int, Meta(ge=1, le=65535, description="the port to listen on")]
HealthHost = Annotated[str, Meta(min_length=1, description="the address of the health checks")]
HealthPort = Annotated[
    int, Meta(ge=0, le=65535, description="the port of the health checks; 0 takes a free one")
]
Concurrency = Annotated[
    int, Meta(ge=1, le=1000, description="the maximum number of messages in flight per process")
]
Lease = Annotated[
    float,
    Meta(
        ge=0.5,
        le=3600,
        description="seconds without a renewal after which another worker takes over a message,"
        " and the reconciler looks for the message of a job",
    ),
]
ReconcilePeriod = Annotated[
    float,
    Meta(gt=0, le=3600, description="seconds between two searches for jobs without a message"),
]
MaxAttempts = Annotated[
    int, Meta(ge=1, le=100, description="the number of attempts after which a job fails")
]
RetryDelay = Annotated[
    float,
    Meta(
        gt=0,
        le=3600,
        description="the longest back-off after the first failed attempt, in seconds;"
        " it doubles with each further one",
    ),
]
Retention = Annotated[
    float,
    Meta(
        gt=0,
        le=36500,
        description="days after which jobs, summaries and dead letters are deleted;"
        " the newest summary of each source is kept",
    ),
]
BacklogLimit = Annotated[
    int,
    Meta(
        ge=1, le=10_000_000, description="the number of queued jobs at which refreshes are refused"
    ),
]
MaxDeliveries = Annotated[
    int,
    Meta(
        ge=1, le=100, description="the number of deliveries after which a message is a dead letter"
    ),
]
Grace = Annotated[
    float,
    Meta(ge=0, le=3600, description="seconds that work in flight has to finish after SIGTERM"),
]
OtlpEndpoint = Annotated[
    str,
    Meta(
        pattern=r"^(https?://[^/?#\s]+[^?#\s]*)?\Z",
        description="the base URL of a collector that accepts OTLP over HTTP, such as"
        " http://collector:4318; or empty",
    ),
]
TraceRatio = Annotated[
    float, Meta(ge=0, le=1, description="the fraction of jobs whose traces are exported")
]
LogLink = Annotated[
    str,
    Meta(
        pattern=r"^(https?://[^\s{}]*(\{job_id\}[^\s{}]*)+)?\Z",
        description="the address of a job's log lines, such as"
        " https://logs.example/search?q={job_id}, for its links; or empty",
    ),
]
TraceLink = Annotated[
    str,
    Meta(
        pattern=r"^(https?://[^\s{}]*(\{trace_id\}[^\s{}]*)+)?\Z",
        description="the address of a job's trace, such as https://traces.example/trace/{trace_id},"
        " for its links; or empty",
    ),
]
PoolSize = Annotated[
    int,
    Meta(
        ge=1,
        le=100,
        description="the maximum number of connections to Postgres per process; the API has one"
        " more, which listens for notifications",
    ),
]
CorsOrigins = Annotated[
    str,
    Meta(
        pattern=rf"^(\*|{_ORIGIN}(,{_ORIGIN})*)?\Z",
        description="origins whose pages may call the API from a browser, such as"
        " https://maps.example,http://localhost:5173; or * for all; or empty",
    ),
]
MaxConnections = Annotated[
    int,
    Meta(
        ge=1,
        le=1_000_000,
        description="the maximum number of connections; fewer when the limit of open files is low",
    ),
]
MaxConnectionsPerPeer = Annotated[
    int,
    Meta(
        ge=1,
        le=1_000_000,
        description="the maximum number of connections from one address, or from one /64 of IPv6;"
        " event streams may be half of them",
    ),
]
ApiTokensFile = Annotated[
    str,
    Meta(
        description="the path of the file with the tokens of the API, read again when it changes: a"
        " token a line, as its name, its scopes and its SHA-256, such as `maps read,refresh 9f86…`;"
        " or empty"
    ),
]
Open = Annotated[
    Literal["yes", "no"],
    Meta(
        description="whether everybody who reaches the API may do everything; without tokens, an"
        " API beyond loopback starts only with `yes`"
    ),
]
AllowedHosts = Annotated[
    str,
    Meta(
        pattern=rf"^(\*|{_NAME}(,{_NAME})*)?\Z",
        description="further names under which the API may be requested, such as"
        " api.example,*.maps.example; or * for all; names of loopback and addresses always may",
    ),
]
TrustedProxies = Annotated[
    str,
    Meta(
        pattern=r"^([\da-fA-F.:/]+(,[\da-fA-F.:/]+)*)?\Z",
        description="addresses and networks of reverse proxies, such as 10.0.0.7,fd00::/8, whose"
        " X-Forwarded-For and X-Forwarded-Proto count, and which may open any number of"
        " connections; or empty",
    ),
]
RootPath = Annotated[
    str,
    Meta(
        pattern=r"^(/[\w.~-]*[\w~-][\w.~-]*)*\Z",
        description="the path below which a reverse proxy serves the API, such as /geo; it begins"
        " with a slash and does not end with one; or empty",
    ),
]
RateLimit = Annotated[
    float,
    Meta(
        ge=0,
        le=1_000_000,
        description="the requests per second that each token, or each peer without one, may send in"
        " the long run; 0 for no limit. Peers on loopback without a token have no limit",
    ),
]
RateBurst = Annotated[
    int,
    Meta(
        ge=1,
        le=1_000_000,
        description="the requests that each token, or each peer without one, may send at once",
    ),
]
ApiRole = Annotated[
    str,
    Meta(
        max_length=63, description="the Postgres role of the API, which gets its grants; or empty"
    ),
]
ProcessRole = Annotated[
    str,
    Meta(
        max_length=63,
        description="the Postgres role of the process worker, which gets its grants; or empty",
    ),
]
AdminRole = Annotated[
    str,
    Meta(
        max_length=63,
        description="the Postgres role of the admin page, which gets its grants; or empty",
    ),
]
FollowUpRole = Annotated[
    str,
    Meta(
        max_length=63,
        description="the Postgres role of the stages that follow summaries, which gets its grants;"
        " or empty",
    ),
]
ApiUrl = Annotated[str, Meta(min_length=1, description="the URL of the API for the command line")]
TokenFile = Annotated[
    str, Meta(description="the path of the file with the token for the API; or empty")
]
AdminUser = Annotated[
    str, Meta(min_length=1, max_length=100, description="the user name for the admin page")
]
AdminPassword = Annotated[
    str,
    Meta(
        min_length=8,
        max_length=128,
        description="the password of the admin page, 8 to 128 characters",
    ),
]


Proxy = Annotated[
    str,
    Meta(
        pattern=r"^(http://([^/?#@\s]+@)?([\w.-]+|\[[\da-fA-F:]+\]):\d{1,5}/?)?\Z",
        description="the forward proxy that sources are asked through, such as"
        " http://proxy.example:3128, with a user and password before @ if it wants them; or empty."
        " It resolves names, so it must refuse addresses inside of the network",
    ),
]
CaFile = Annotated[
    str,
    Meta(
        description="the path of a PEM file with authorities that servers of sources may have their"
        " certificates from, beside the public ones; or empty"
    ),
]


class ApiSettings(Struct, frozen=True, kw_only=True):
    """The settings of the API."""

    postgres_dsn: PostgresDsn
    redis_url: RedisUrl
    sources_file: SourcesFile
    host: Host = "127.0.0.1"
    port: Port = 8000
    pool_size: PoolSize = 5
    lease: Lease = 10.0
    backlog_limit: BacklogLimit = 10_000
    max_connections: MaxConnections = 6_000
    max_connections_per_peer: MaxConnectionsPerPeer = 256
    trusted_proxies: TrustedProxies = ""
    cors_origins: CorsOrigins = ""
    api_tokens_file: ApiTokensFile = ""
    open: Open = "no"
    allowed_hosts: AllowedHosts = ""
    root_path: RootPath = ""
    rate_limit: RateLimit = 100.0
    rate_burst: RateBurst = 500
    grace: Grace = 25.0
    log_link: LogLink = ""
    trace_link: TraceLink = ""
    otlp_endpoint: OtlpEndpoint = ""
    trace_ratio: TraceRatio = 1.0
    log_format: LogFormat = "json"
    log_level: LogLevel = "info"


class FetchWorkerSettings(Struct, frozen=True, kw_only=True):
    """The settings of the fetch worker."""

    redis_url: RedisUrl
    sources_file: SourcesFile
    proxy: Proxy = ""
    ca_file: CaFile = ""
    concurrency: Concurrency = 256
    lease: Lease = 10.0
    max_deliveries: MaxDeliveries = 3
    grace: Grace = 25.0
    health_host: HealthHost = "127.0.0.1"
    health_port: HealthPort = 8001
    otlp_endpoint: OtlpEndpoint = ""
    trace_ratio: TraceRatio = 1.0
    log_format: LogFormat = "json"
    log_level: LogLevel = "info"


class NetworkSettings(Struct, frozen=True, kw_only=True):
    """The settings of `mousetrap sources check`, which asks as the fetch worker does."""

    proxy: Proxy = ""
    ca_file: CaFile = ""


class ProcessWorkerSettings(Struct, frozen=True, kw_only=True):
    """The settings of the process worker."""

    postgres_dsn: PostgresDsn
    redis_url: RedisUrl
    sources_file: SourcesFile
    concurrency: Concurrency = 256
    lease: Lease = 10.0
    max_deliveries: MaxDeliveries = 3
    max_attempts: MaxAttempts = 5
    retry_delay: RetryDelay = 2.0
    reconcile_period: ReconcilePeriod = 1.0
    retention: Retention = 30.0
    grace: Grace = 25.0
    pool_size: PoolSize = 5
    health_host: HealthHost = "127.0.0.1"
    health_port: HealthPort = 8002
    otlp_endpoint: OtlpEndpoint = ""
    trace_ratio: TraceRatio = 1.0
    log_format: LogFormat = "json"
    log_level: LogLevel = "info"


class FollowUpSettings(Struct, frozen=True, kw_only=True):
    """The settings of a worker that follows summaries; its stage may add to them."""

    postgres_dsn: PostgresDsn
    redis_url: RedisUrl
    concurrency: Concurrency = 16
    lease: Lease = 10.0
    max_deliveries: MaxDeliveries = 3
    max_attempts: MaxAttempts = 5
    retry_delay: RetryDelay = 2.0
    grace: Grace = 25.0
    pool_size: PoolSize = 5
    health_host: HealthHost = "127.0.0.1"
    health_port: HealthPort = 8003
    otlp_endpoint: OtlpEndpoint = ""
    trace_ratio: TraceRatio = 1.0
    log_format: LogFormat = "json"
    log_level: LogLevel = "info"


class MigrateSettings(Struct, frozen=True, kw_only=True):
    """The settings of `process_worker migrate`."""

    postgres_dsn: PostgresDsn
    api_role: ApiRole = ""
    process_role: ProcessRole = ""
    admin_role: AdminRole = ""
    follow_up_role: FollowUpRole = ""
    log_format: LogFormat = "json"
    log_level: LogLevel = "info"


class AdminSettings(Struct, frozen=True, kw_only=True):
    """The settings of the admin page."""

    postgres_dsn: PostgresDsn
    admin_password: AdminPassword
    admin_user: AdminUser = "admin"
    host: Host = "127.0.0.1"
    port: Port = 8000
    allowed_hosts: AllowedHosts = ""
    trusted_proxies: TrustedProxies = ""
    pool_size: PoolSize = 5
    grace: Grace = 25.0
    log_format: LogFormat = "json"
    log_level: LogLevel = "info"


class CommandLineSettings(Struct, frozen=True, kw_only=True):
    """The settings of `mousetrap`; the other processes accept and ignore them."""

    url: ApiUrl = "http://127.0.0.1:8000"
    token_file: TokenFile = ""


class ServicesSettings(Struct, frozen=True, kw_only=True):
    """The settings of `./pants up --services-from-environment`."""

    postgres_dsn: PostgresDsn
    redis_url: RedisUrl


DEPLOYABLES: Final[dict[str, type[Struct]]] = {
    "api": ApiSettings,
    "fetch_worker": FetchWorkerSettings,
    "process_worker": ProcessWorkerSettings,
    "admin": AdminSettings,
}
"""The settings of each deployable, by the name of its package."""

PROCESSES: Final[tuple[type[Struct], ...]] = (
    *DEPLOYABLES.values(),
    MigrateSettings,
    CommandLineSettings,
)


def added(kind: type[Struct]) -> Sequence[str]:
    """Return the names of the settings that a stage adds to those of all that follow summaries."""
    if not issubclass(kind, FollowUpSettings):
        return ()
    return [it for it in kind.__struct_fields__ if it not in FollowUpSettings.__struct_fields__]


def load[S: Struct](kind: type[S], environ: Mapping[str, str]) -> S:
    """Read the settings of one process, `kind`, from its environment.

    Raises SettingsError, whose message names the variable and the expected value.
    """
    return environment.load(kind, _known(), environ)


def refuse_unknown(environ: Mapping[str, str]) -> None:
    """Raise SettingsError, as `load` does, if a variable is a setting of no process."""
    environment.refuse_unknown(_known(), environ)


def _known() -> frozenset[str]:
    return frozenset(name for process in PROCESSES for name in process.__struct_fields__)
