"""The settings of each process. `docs/configuration.md` is generated from them."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from mousetrap.settings import environment

_ORIGIN: Final = r"https?://([a-z\d.-]+|\[[\da-f:]+\])(:\d{1,5})?"

PostgresDsn = Annotated[
    str,
    Meta(
        pattern="^postgres(ql)?://",
        description="where Postgres is: postgresql://user:password@host:port/database",
    ),
]
RedisUrl = Annotated[
    str,
    Meta(
        # As strict as the client, which would otherwise find out only when it is made.
        pattern=(
            r"^(rediss?://([^@/]*@)?(\[[\da-fA-F:.]+\]|[^@:/?#\[\]]+)(:\d{1,5})?(/\d*)?"
            r"|unix://([^@/]*@)?/[^?]+)"
            r"(\?(?!(.*&)?db=(?!\d+(&|\Z))).*)?\Z"
        ),
        description="where Redis or Valkey is: redis://user:password@host:port/0",
    ),
]
SourcesFile = Annotated[str, Meta(min_length=1, description="the path of sources.toml")]
LogFormat = Annotated[
    Literal["json", "console"], Meta(description="one JSON object a line, or text for people")
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"], Meta(description="the least level that is logged")
]
Host = Annotated[str, Meta(min_length=1, description="the address to listen on")]
Port = Annotated[int, Meta(ge=1, le=65535, description="the port to listen on")]
HealthHost = Annotated[str, Meta(min_length=1, description="the address of the health checks")]
HealthPort = Annotated[
    int, Meta(ge=0, le=65535, description="the port of the health checks; 0 takes a free one")
]
Concurrency = Annotated[
    int, Meta(ge=1, le=1000, description="how many messages one process works on at a time")
]
Lease = Annotated[
    float,
    Meta(
        ge=0.5,
        le=3600,
        description="seconds of silence after which a worker's messages go to another one,"
        " and the message of a job is looked for",
    ),
]
ReconcilePeriod = Annotated[
    float,
    Meta(gt=0, le=3600, description="seconds between two searches for jobs that nobody works on"),
]
MaxAttempts = Annotated[
    int, Meta(ge=1, le=100, description="attempts after which a job has failed")
]
RetryDelay = Annotated[
    float,
    Meta(
        gt=0,
        le=3600,
        description="seconds that a job waits at most after its first failed attempt;"
        " doubled with every further one",
    ),
]
Retention = Annotated[
    float,
    Meta(
        gt=0,
        le=36500,
        description="days after which jobs, summaries and dead letters are deleted;"
        " the newest summary of a source stays",
    ),
]
BacklogLimit = Annotated[
    int,
    Meta(ge=1, le=10_000_000, description="queued jobs from which on no further one is accepted"),
]
MaxDeliveries = Annotated[
    int,
    Meta(ge=1, le=100, description="deliveries after which a message becomes a dead letter"),
]
Grace = Annotated[
    float,
    Meta(ge=0, le=3600, description="seconds that work in hand has to finish after SIGTERM"),
]
OtlpEndpoint = Annotated[
    str,
    Meta(
        pattern=r"^(https?://[^/?#\s]+[^?#\s]*)?\Z",
        description="the base address of a collector that takes traces by OTLP over HTTP, such as"
        " http://collector:4318; or none",
    ),
]
TraceRatio = Annotated[
    float, Meta(ge=0, le=1, description="the share of all jobs whose traces are sent")
]
PoolSize = Annotated[
    int,
    Meta(
        ge=1,
        le=100,
        description="the most connections to Postgres of one process; the API has one more,"
        " by which it is told of changes",
    ),
]
CorsOrigins = Annotated[
    str,
    Meta(
        pattern=rf"^(\*|{_ORIGIN}(,{_ORIGIN})*)?\Z",
        description="origins whose pages may call the API from a browser, such as"
        " https://maps.example,http://localhost:5173; or * for all; or none",
    ),
]
ApiRole = Annotated[
    str,
    Meta(
        max_length=63, description="the Postgres role of the API, to be given its rights; or none"
    ),
]
ProcessRole = Annotated[
    str,
    Meta(
        max_length=63,
        description="the Postgres role of the process worker, to be given its rights; or none",
    ),
]
AdminRole = Annotated[
    str,
    Meta(
        max_length=63,
        description="the Postgres role of the admin page, to be given its rights; or none",
    ),
]
ApiUrl = Annotated[str, Meta(min_length=1, description="where the command line finds the API")]
AdminUser = Annotated[
    str, Meta(min_length=1, max_length=100, description="who may log in to the admin page")
]
AdminPassword = Annotated[
    str,
    Meta(
        min_length=8,
        max_length=128,
        description="the password of the admin page, 8 to 128 characters",
    ),
]


class ApiSettings(Struct, frozen=True, kw_only=True):
    """What the API reads."""

    postgres_dsn: PostgresDsn
    redis_url: RedisUrl
    sources_file: SourcesFile
    host: Host = "127.0.0.1"
    port: Port = 8000
    pool_size: PoolSize = 5
    lease: Lease = 10.0
    backlog_limit: BacklogLimit = 10_000
    cors_origins: CorsOrigins = ""
    grace: Grace = 25.0
    otlp_endpoint: OtlpEndpoint = ""
    trace_ratio: TraceRatio = 1.0
    log_format: LogFormat = "json"
    log_level: LogLevel = "info"


class FetchWorkerSettings(Struct, frozen=True, kw_only=True):
    """What the fetch worker reads."""

    redis_url: RedisUrl
    sources_file: SourcesFile
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


class ProcessWorkerSettings(Struct, frozen=True, kw_only=True):
    """What the process worker reads."""

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


class MigrateSettings(Struct, frozen=True, kw_only=True):
    """What `process_worker migrate` reads."""

    postgres_dsn: PostgresDsn
    api_role: ApiRole = ""
    process_role: ProcessRole = ""
    admin_role: AdminRole = ""
    log_format: LogFormat = "json"
    log_level: LogLevel = "info"


class AdminSettings(Struct, frozen=True, kw_only=True):
    """What the admin page reads."""

    postgres_dsn: PostgresDsn
    admin_password: AdminPassword
    admin_user: AdminUser = "admin"
    host: Host = "127.0.0.1"
    port: Port = 8000
    pool_size: PoolSize = 5
    grace: Grace = 25.0
    log_format: LogFormat = "json"
    log_level: LogLevel = "info"


class CommandLineSettings(Struct, frozen=True, kw_only=True):
    """What `mousetrap` reads; no process minds that it is set."""

    url: ApiUrl = "http://127.0.0.1:8000"


class ServicesSettings(Struct, frozen=True, kw_only=True):
    """What `./pants up --services-from-environment` reads."""

    postgres_dsn: PostgresDsn
    redis_url: RedisUrl


PROCESSES: Final[tuple[type[Struct], ...]] = (
    ApiSettings,
    FetchWorkerSettings,
    ProcessWorkerSettings,
    MigrateSettings,
    AdminSettings,
    CommandLineSettings,
)


def load[S: Struct](kind: type[S], environ: Mapping[str, str]) -> S:
    """Read the settings of one process, `kind`, from its environment.

    Raises SettingsError, whose message names the variable and says what it should be.
    """
    known = frozenset(
        field.name for process in PROCESSES for field in msgspec.structs.fields(process)
    )
    return environment.load(kind, known, environ)
