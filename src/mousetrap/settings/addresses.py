"""The addresses of Postgres and Redis: the parameters that each may have.

An address is checked when a process starts, since the clients tell of a parameter that they do not
know only when they connect, and of some never. `docs/operations/connections.md` has the tables.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an address.

    It may have one of `values`, or any if there are none. One that is a `file` names a readable
    one, or is one of the values. One that is `ignored` is accepted because others print it.
    """

    values: tuple[str, ...] = ()
    file: bool = False
    ignored: bool = False


SYSTEM: Final = "system"
"""The value of sslrootcert that stands for the certificate authorities of the machine."""

_ANY: Final = Parameter()
_FILE: Final = Parameter(file=True)
_IGNORED: Final = Parameter(ignored=True)
_TLS_VERSION: Final = Parameter(("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"))

POSTGRES: Final[Mapping[str, Parameter]] = {
    "application_name": _IGNORED,
    "channel_binding": Parameter(("disable", "prefer", "require")),
    "connect_timeout": _IGNORED,
    "database": _ANY,
    "dbname": _ANY,
    "fallback_application_name": _IGNORED,
    "gssencmode": Parameter(("disable", "prefer"), ignored=True),
    "host": _ANY,
    "keepalives": _IGNORED,
    "keepalives_count": _IGNORED,
    "keepalives_idle": _IGNORED,
    "keepalives_interval": _IGNORED,
    "options": _ANY,
    "passfile": _FILE,
    "password": _ANY,
    "port": _ANY,
    "ssl_max_protocol_version": _TLS_VERSION,
    "ssl_min_protocol_version": _TLS_VERSION,
    "sslcert": _FILE,
    "sslcompression": Parameter(("0",), ignored=True),
    "sslcrl": _FILE,
    "sslkey": _FILE,
    "sslmode": Parameter(("disable", "allow", "prefer", "require", "verify-ca", "verify-full")),
    "sslnegotiation": Parameter(("postgres", "direct")),
    "sslpassword": _ANY,
    "sslrootcert": Parameter((SYSTEM,), file=True),
    "sslsni": Parameter(("1",), ignored=True),
    "target_session_attrs": Parameter(("any", "primary", "read-write")),
    "tcp_user_timeout": _IGNORED,
    "user": _ANY,
}
"""The parameters that the address of Postgres may have: libpq's, as far as they can be honoured."""

_BOOLEAN: Final = ("true", "false")

REDIS: Final[Mapping[str, Parameter]] = {"db": _ANY, "password": _ANY, "username": _ANY}
"""The parameters that any address of Redis may have."""

REDIS_TLS: Final[Mapping[str, Parameter]] = {
    "ssl_ca_certs": _FILE,
    "ssl_cert_reqs": Parameter(("required", "none")),
    "ssl_certfile": _FILE,
    "ssl_check_hostname": Parameter(_BOOLEAN),
    "ssl_keyfile": _FILE,
    "ssl_password": _ANY,
}
"""The further parameters of an address of Redis that begins with rediss://."""

SENTINEL: Final[Mapping[str, Parameter]] = {"sentinel_password": _ANY, "sentinel_username": _ANY}
"""The further parameters of an address of Redis that names Sentinels."""

HINTS: Final[Mapping[str, str]] = {
    "ssl": "TLS to Redis is rediss://, and to Postgres sslmode=verify-full",
    "sslmode": "TLS to Redis is rediss://",
    "ssl_mode": "TLS to Postgres is sslmode=verify-full",
    "pgbouncer": "a pooler needs no parameter: see docs/operations/connections.md",
    "pool_timeout": "every call has a deadline already",
    "max_connections": "the number of connections is fixed",
    "socket_timeout": "every call has a deadline already",
    "socket_connect_timeout": "every call has a deadline already",
    "timeout": "every call has a deadline already",
    "decode_responses": "the queue holds bytes, not text",
    "service": "write the parameters of the service into the address",
}

_HOST: Final = re.compile(r"(\[[^\]@]+\]|[^:@\[\]]*)(:\d{1,5})?")
_PORTS: Final = re.compile(r"\d{1,5}(,\d{1,5})*")
_NAME: Final = re.compile(r"[a-zA-Z_]\w{0,39}")
_UNREADABLE: Final = (
    "its port has to be a number, and special characters in its user and password have to be"
    " percent-encoded"
)


def check_postgres(dsn: str) -> None:
    """Raise ValueError, which names the parameter, if the address of Postgres has a bad one."""
    parts = _split(dsn)
    hosts = parts.netloc.partition("@")[2] if "@" in parts.netloc else parts.netloc
    if not all(_HOST.fullmatch(it) for it in hosts.split(",")):
        raise ValueError(_UNREADABLE)
    given = _parameters(parts)
    _check(given, POSTGRES, kind="Postgres")
    if not _PORTS.fullmatch(given.get("port", "0")):
        raise ValueError("the parameter 'port' has to be a number")
    of_each_host(dsn)  # refuses ports that do not fit the hosts
    mode = given.get("sslmode")
    if given.get("sslrootcert") == SYSTEM and mode not in (None, "verify-full"):
        raise ValueError("sslrootcert=system needs sslmode=verify-full")
    if given.get("channel_binding") == "require" and mode == "disable":
        raise ValueError("channel_binding=require needs TLS, so not sslmode=disable")


def check_redis(url: str) -> None:
    """Raise ValueError, which names the parameter, if the address of Redis has a bad one."""
    parts = _split(url)
    given = _parameters(parts)
    scheme, plus, _ = parts.scheme.partition("+")
    known = {**REDIS, **SENTINEL} if plus else REDIS
    if scheme == "rediss":
        _check(given, {**known, **REDIS_TLS}, kind="Redis")
        return
    for name in REDIS_TLS:
        if name in given:
            raise ValueError(
                f"the parameter {name!r} is one of TLS: write rediss{plus and '+sentinel'}://"
            )
    _check(given, known, kind="Redis")


def of_each_host(dsn: str) -> list[str]:
    """Return the address of each host that the address of Postgres names, in their order.

    Where there are several, one that is read-only is not taken, unless the address says so.
    """
    parts = urlsplit(dsn)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    login, at, netloc = parts.netloc.rpartition("@")
    hosts = (netloc or given.get("host", "")).split(",")
    if len(hosts) == 1:
        return [dsn]
    given.setdefault("target_session_attrs", "read-write")
    if netloc:
        query = urlencode(given)
        return [parts._replace(netloc=f"{login}{at}{it}", query=query).geturl() for it in hosts]
    ports = given.pop("port", "5432").split(",")
    if len(ports) not in {1, len(hosts)}:
        raise ValueError("the parameter 'port' needs one port, or one for each host")
    pairs = zip(hosts, ports * (len(hosts) // len(ports)), strict=True)
    queries = (urlencode({**given, "host": host, "port": port}) for host, port in pairs)
    return [parts._replace(query=query).geturl() for query in queries]


def without_ignored(dsn: str) -> tuple[str, Mapping[str, str]]:
    """Return the address of Postgres without what a client must not see, and its parameters.

    The client would send what it does not know to the server, as a setting of the session.
    """
    parts = urlsplit(dsn)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    passed = {name: value for name, value in given.items() if not _is_ours(name)}
    if len(passed) == len(given):
        return dsn, given
    return parts._replace(query=urlencode(passed)).geturl(), given


def _is_ours(name: str) -> bool:
    return name == "channel_binding" or (name in POSTGRES and POSTGRES[name].ignored)


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
    except ValueError:
        raise ValueError(_UNREADABLE) from None
    # The rest of a password that has a # or a ? in it.
    if parts.fragment or ("@" in parts.query and "@" not in parts.netloc):
        raise ValueError(_UNREADABLE)
    return parts


def _parameters(parts: SplitResult) -> dict[str, str]:
    found = {}
    for field in filter(None, parts.query.split("&")):
        name, equals, value = field.partition("=")
        name = unquote(name)
        if not equals or not value:
            raise ValueError(f"the parameter {_shown(name)} has no value: set or remove it")
        if name in found:
            raise ValueError(f"the parameter {_shown(name)} is given twice: keep one")
        found[name] = unquote(value.replace("+", " "))
    return found


def _check(given: Mapping[str, str], known: Mapping[str, Parameter], *, kind: str) -> None:
    for name, value in given.items():
        parameter = known.get(name)
        if parameter is None:
            raise ValueError(_unknown(name, known, kind))
        if parameter.file and value not in parameter.values:
            _check_file(name, value)
        elif parameter.values and value not in parameter.values:
            expected = ", ".join(parameter.values)
            raise ValueError(f"the parameter {name!r} may only be one of {expected}")


def _unknown(name: str, known: Mapping[str, Parameter], kind: str) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    advice = HINTS.get(name) or (f"did you mean {close[0]!r}?" if close else "remove it")
    return f"the parameter {_shown(name)} of an address of {kind} is not supported: {advice}"


def _check_file(name: str, path: str) -> None:
    file = Path(path).absolute()
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise ValueError(f"{name}={file} cannot be read: {error.strerror}") from None


def _shown(name: str) -> str:
    # A part of a password that was not percent-encoded could be taken for a name.
    return repr(name) if _NAME.fullmatch(name) else "that is no name"
