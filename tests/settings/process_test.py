from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from mousetrap.settings import environment, process
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.process import (
    PROCESSES,
    ApiSettings,
    FetchWorkerSettings,
    MigrateSettings,
    ProcessWorkerSettings,
)

SECRET = "hunter2"  # noqa: S105 - no password of anything
ENVIRONMENT = {
    "MOUSETRAP_POSTGRES_DSN": f"postgresql://app:{SECRET}@db/app",
    "MOUSETRAP_REDIS_URL": "redis://queue/0",
    "MOUSETRAP_SOURCES_FILE": "/etc/sources.toml",
    "MOUSETRAP_ADMIN_PASSWORD": f"admin-{SECRET}",
    "PATH": "/usr/bin",
}


def complaint(environ: Mapping[str, str], kind: type[msgspec.Struct] = ApiSettings) -> str:
    with pytest.raises(SettingsError) as caught:
        process.load(kind, environ)
    message = str(caught.value)
    assert SECRET not in message
    return message


def test_what_is_set_is_read_and_the_rest_has_defaults() -> None:
    settings = process.load(
        ApiSettings, ENVIRONMENT | {"MOUSETRAP_PORT": "9000", "MOUSETRAP_GRACE": "1.5"}
    )

    assert settings == ApiSettings(
        postgres_dsn=ENVIRONMENT["MOUSETRAP_POSTGRES_DSN"],
        redis_url="redis://queue/0",
        sources_file="/etc/sources.toml",
        port=9000,
        grace=1.5,
    )


@pytest.mark.parametrize("kind", PROCESSES)
def test_one_environment_serves_every_process(kind: type[msgspec.Struct]) -> None:
    shared = {"MOUSETRAP_PORT": "9000", "MOUSETRAP_HEALTH_PORT": "0", "MOUSETRAP_LEASE": "5"}

    assert isinstance(process.load(kind, ENVIRONMENT | shared), kind)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (ApiSettings, {"POSTGRES_DSN", "REDIS_URL", "SOURCES_FILE"}),
        (FetchWorkerSettings, {"REDIS_URL", "SOURCES_FILE"}),
        (ProcessWorkerSettings, {"POSTGRES_DSN", "REDIS_URL", "SOURCES_FILE"}),
        (MigrateSettings, {"POSTGRES_DSN"}),
    ],
)
def test_each_process_needs_only_what_it_uses(kind: type[msgspec.Struct], names: set[str]) -> None:
    needed = {f"MOUSETRAP_{name}" for name in names}

    assert isinstance(process.load(kind, {name: ENVIRONMENT[name] for name in needed}), kind)
    for missing in needed:
        rest = {name: ENVIRONMENT[name] for name in needed - {missing}}
        assert complaint(rest, kind).startswith(f"{missing} is not set: ")


def test_a_missing_variable_is_explained() -> None:
    assert complaint({}).splitlines()[0] == (
        "MOUSETRAP_POSTGRES_DSN is not set:"
        " the address of Postgres: postgresql://user:password@host:port/database"
    )


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "dsn"
    secret.write_text(f"postgresql://app:{SECRET}@db/app\n", "utf-8")

    settings = process.load(MigrateSettings, {"MOUSETRAP_POSTGRES_DSN_FILE": str(secret)})

    assert settings.postgres_dsn == f"postgresql://app:{SECRET}@db/app"


def test_a_setting_that_is_a_file_may_be_named_in_a_file(tmp_path: Path) -> None:
    named = tmp_path / "name"
    named.write_text("/etc/other.toml", "utf-8")
    environ = {**ENVIRONMENT, "MOUSETRAP_SOURCES_FILE_FILE": str(named)}
    del environ["MOUSETRAP_SOURCES_FILE"]

    assert process.load(ApiSettings, environ).sources_file == "/etc/other.toml"


def test_a_value_and_a_file_together_are_refused(tmp_path: Path) -> None:
    environ = ENVIRONMENT | {"MOUSETRAP_POSTGRES_DSN_FILE": str(tmp_path)}

    assert complaint(environ) == (
        "both MOUSETRAP_POSTGRES_DSN and MOUSETRAP_POSTGRES_DSN_FILE are set: keep one"
    )


def test_a_file_that_cannot_be_read_is_named_with_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    message = complaint({"MOUSETRAP_POSTGRES_DSN_FILE": "missing"}, MigrateSettings)

    assert message == (
        f"MOUSETRAP_POSTGRES_DSN_FILE: {tmp_path / 'missing'} cannot be read"
        " (No such file or directory): correct the path"
    )


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "dsn"
    secret.write_bytes(SECRET.encode() + b"\xff")

    message = complaint({"MOUSETRAP_POSTGRES_DSN_FILE": str(secret)}, MigrateSettings)

    assert message == f"MOUSETRAP_POSTGRES_DSN_FILE: {secret} is not in UTF-8: correct it"


@pytest.mark.parametrize(
    ("misspelt", "hint"),
    [
        ("MOUSETRAP_POSTGRES_DNS", "did you mean MOUSETRAP_POSTGRES_DSN?"),
        ("MOUSETRAP_REDIS_URL_FIL", "did you mean MOUSETRAP_REDIS_URL_FILE?"),
        ("MOUSETRAP_LOGLEVEL", "did you mean MOUSETRAP_LOG_LEVEL?"),
        ("MOUSETRAP_port", "remove it"),
        ("MOUSETRAP_ZZZ", "remove it"),
        ("MOUSETRAP_", "remove it"),
    ],
)
def test_an_unknown_variable_is_refused(misspelt: str, hint: str) -> None:
    message = complaint(ENVIRONMENT | {misspelt: SECRET})

    assert message == f"{misspelt} is not a setting: {hint}"


def test_variables_of_others_are_left_alone() -> None:
    settings = process.load(ApiSettings, ENVIRONMENT | {"PORT": "1", "MY_MOUSETRAP_PORT": "x"})

    assert settings.port == 8000


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("PORT", SECRET, "Expected `int`, got `str`"),
        ("PORT", "", "Expected `int`, got `str`"),
        ("PORT", "80.5", "Expected `int`"),
        ("PORT", "0", "Expected `int` >= 1"),
        ("PORT", "65536", "Expected `int` <= 65535"),
        ("POOL_SIZE", "0", "Expected `int` >= 1"),
        ("GRACE", "-1", "Expected `float` >= 0"),
        ("GRACE", "nan", "Expected `float` >= 0"),
        ("GRACE", "inf", "Expected `float` <= 3600"),
        ("HOST", "", "Expected `str` of length >= 1"),
        ("LOG_LEVEL", SECRET, "Expected one of debug, info, warning, error; it is the minimum"),
        ("LOG_FORMAT", "JSON", "Expected one of json, console"),
        (
            "POSTGRES_DSN",
            f"mysql://app:{SECRET}@db/app",
            "the address of Postgres: postgresql://user",
        ),
        ("REDIS_URL", f"http://:{SECRET}@queue", "the address of Redis or Valkey: redis://user"),
        ("LOG_LINK", f"https://{SECRET}/", "such as https://logs.example/search?q={job_id}"),
        ("LOG_LINK", f"https://{SECRET}/{{id}}", "such as https://logs.example/search?q={job_id}"),
        ("LOG_LINK", f"javascript:{SECRET}", "such as https://logs.example/search?q={job_id}"),
        ("TRACE_LINK", f"https://{SECRET}/{{job_id}}", "https://traces.example/trace/{trace_id}"),
    ],
)
def test_a_value_that_cannot_be_used_is_not_repeated_but_explained(
    name: str, value: str, reason: str
) -> None:
    message = complaint(ENVIRONMENT | {f"MOUSETRAP_{name}": value})

    assert message.startswith(f"MOUSETRAP_{name}: ")
    assert reason in message


def test_a_value_from_a_file_is_not_repeated_either(tmp_path: Path) -> None:
    level = tmp_path / "level"
    level.write_text(SECRET, "utf-8")

    message = complaint(ENVIRONMENT | {"MOUSETRAP_LOG_LEVEL_FILE": str(level)})

    assert message.startswith("MOUSETRAP_LOG_LEVEL: Expected one of ")


@pytest.mark.parametrize("kind", PROCESSES)
def test_settings_cannot_be_changed(kind: type[msgspec.Struct]) -> None:
    settings = process.load(kind, ENVIRONMENT)

    with pytest.raises(AttributeError):
        settings.log_level = "debug"  # type: ignore[attr-defined] # that is the point


@pytest.mark.parametrize("kind", PROCESSES)
def test_every_setting_is_described_and_every_default_is_allowed(
    kind: type[msgspec.Struct],
) -> None:
    for field in msgspec.structs.fields(kind):
        assert environment.description(field.type)
        if not field.required:
            assert msgspec.convert(field.default, field.type) == field.default


def test_a_name_means_the_same_in_every_process() -> None:
    types: dict[str, set[object]] = {}
    for kind in PROCESSES:
        for field in msgspec.structs.fields(kind):
            types.setdefault(field.name, set()).add(field.type)

    assert {name for name, found in types.items() if len(found) > 1} == set()


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://localhost:6379/0",
        "rediss://user:p%40ss:word@queue.example:6380/1?db=2",
        "redis://[::1]:6379/0",
        "unix:///run/valkey.sock",
        "unix://user:password@/run/valkey.sock?db=3",
        "redis+sentinel://one/queue",
        "rediss+sentinel://user:p%40ss@one:26379,two,[::1]:26381/my.queue-1?db=2",
    ],
)
def test_addresses_that_the_redis_client_takes_are_taken(url: str) -> None:
    environ = ENVIRONMENT | {"MOUSETRAP_REDIS_URL": url}

    assert process.load(process.ApiSettings, environ).redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://queue:port/0",
        "redis://[::1/0",
        "redis://one,two/0",
        "redis+sentinel://one,two",
        "redis+sentinel://one,/queue",
        "redis+sentinel://one/queue/0",
        "redis+sentinel://one/queue?db=first",
        "redis://queue/first",
        "redis://queue/0?db=first",
        "unix:///run/valkey.sock?a=b&db=first",
        "unix://run",
    ],
)
def test_addresses_that_the_redis_client_refuses_are_refused_at_once(url: str) -> None:
    environ = ENVIRONMENT | {"MOUSETRAP_REDIS_URL": url}

    with pytest.raises(SettingsError, match="MOUSETRAP_REDIS_URL: Wrong form; it is the address"):
        process.load(process.ApiSettings, environ)


@pytest.mark.parametrize(
    "origins",
    ["", "*", "https://maps.example", "http://localhost:5173,https://[::1]:8443,https://a-b.c"],
)
def test_origins_are_taken_as_browsers_name_them(origins: str) -> None:
    environ = ENVIRONMENT | {"MOUSETRAP_CORS_ORIGINS": origins}

    assert process.load(process.ApiSettings, environ).cors_origins == origins


@pytest.mark.parametrize(
    "origins",
    [
        "maps.example",
        "https://maps.example/",
        "https://Maps.example",
        "a, b",
        "*,https://a",
        "null",
    ],
)
def test_what_no_browser_names_is_refused(origins: str) -> None:
    environ = ENVIRONMENT | {"MOUSETRAP_CORS_ORIGINS": origins}

    with pytest.raises(SettingsError, match="MOUSETRAP_CORS_ORIGINS: Wrong form; it is origins"):
        process.load(process.ApiSettings, environ)


@pytest.mark.parametrize(
    "url", ["", "http://proxy.example:3128", "http://u:p%40@10.0.0.1:8080/", "http://[fd00::1]:1"]
)
def test_a_proxy_is_a_host_and_a_port(url: str) -> None:
    found = process.load(FetchWorkerSettings, ENVIRONMENT | {"MOUSETRAP_PROXY": url})

    assert found.proxy == url


@pytest.mark.parametrize("url", ["proxy:3128", "http://proxy", "https://a:1", "socks5://a:1"])
def test_any_other_proxy_is_refused_and_not_repeated(url: str) -> None:
    message = complaint(ENVIRONMENT | {"MOUSETRAP_PROXY": url}, FetchWorkerSettings)

    assert message.startswith("MOUSETRAP_PROXY: Wrong form; it is the forward proxy")
    assert url not in message.replace("http://proxy.example:3128", "")


def test_all_errors_of_an_environment_are_told_at_once() -> None:
    environ = {"MOUSETRAP_REDIS_URL": "x", "MOUSETRAP_LEASE": "0", "MOUSETRAP_PORTT": "1"}

    assert [line.split()[0].rstrip(":") for line in complaint(environ).splitlines()] == [
        "MOUSETRAP_PORTT",
        "MOUSETRAP_POSTGRES_DSN",
        "MOUSETRAP_REDIS_URL",
        "MOUSETRAP_SOURCES_FILE",
        "MOUSETRAP_LEASE",
    ]
