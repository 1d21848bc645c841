"""The meaning of an exception of the driver: one place decides."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import asyncpg

from mousetrap.store.errors import (
    AccessError,
    DefectError,
    DsnError,
    SchemaError,
    StoreError,
    StoreUnavailableError,
    UnknownRoleError,
    UnstorableValueError,
)

type _Meaning = tuple[type[StoreError], str]

_AGAIN: Final = "check that it runs and lets this process in, then try again"
_AWAY: Final = (StoreUnavailableError, _AGAIN)
_SERVER: Final = (StoreUnavailableError, "look at the log of Postgres, then try again")
_POOLER: Final = "set the pool_mode of the pooler in front of Postgres to session"
_ROLE: Final = (
    AccessError,
    "grant the role its rights, as `process_worker migrate` does for the roles that it is told",
)

_SCHEMA: Final = (SchemaError, "run `process_worker migrate`")
_VALUE: Final = (UnstorableValueError, "correct the value")
_DEFECT: Final = (
    DefectError,
    "see whether somebody altered the tables or their triggers; if not, report it with the log",
)

# By class of SQLSTATE: all of those in PostgreSQL's documentation, appendix A.
CLASSES: Final[Mapping[str, _Meaning]] = {
    "00": _DEFECT,  # successful completion: no error
    "01": _DEFECT,  # warning: no error
    "02": _DEFECT,  # no data: no error
    "03": _DEFECT,  # SQL statement not yet complete
    "08": _AWAY,  # connection exception
    "09": _DEFECT,  # triggered action exception
    "0A": _DEFECT,  # feature not supported
    "0B": _DEFECT,  # invalid transaction initiation
    "0F": _DEFECT,  # locator exception
    "0L": _ROLE,  # invalid grantor
    "0P": _ROLE,  # invalid role specification
    "0Z": _DEFECT,  # diagnostics exception
    "10": _DEFECT,  # XQuery error
    "20": _DEFECT,  # case not found
    "21": _DEFECT,  # cardinality violation
    "22": _VALUE,  # data exception
    "23": _DEFECT,  # integrity constraint violation
    "24": _DEFECT,  # invalid cursor state
    "25": _DEFECT,  # invalid transaction state
    "26": (StoreUnavailableError, _POOLER),  # invalid SQL statement name
    "27": _DEFECT,  # triggered data change violation
    "28": (AccessError, "correct the role or its password, or let it in in pg_hba.conf"),
    "2B": _ROLE,  # dependent privilege descriptors still exist
    "2D": _DEFECT,  # invalid transaction termination
    "2F": _DEFECT,  # SQL routine exception
    "34": _DEFECT,  # invalid cursor name
    "38": _DEFECT,  # external routine exception
    "39": _DEFECT,  # external routine invocation exception
    "3B": _DEFECT,  # savepoint exception
    "3D": (StoreUnavailableError, "create the database, or correct its name"),
    "3F": _SCHEMA,  # invalid schema name
    "40": (StoreUnavailableError, "try again"),  # transaction rollback, as after a deadlock
    "42": _DEFECT,  # syntax error or access rule violation
    "44": _DEFECT,  # WITH CHECK OPTION violation
    "53": (StoreUnavailableError, "give Postgres more of what it lacks, then try again"),
    "54": (UnstorableValueError, "make the value smaller"),  # program limit exceeded
    "55": (StoreUnavailableError, "see who holds the lock in pg_stat_activity, then try again"),
    "57": _AWAY,  # operator intervention: shutdown, start, timeouts
    "58": _SERVER,  # system error outside of Postgres
    "72": (StoreUnavailableError, "try again"),  # snapshot too old
    "F0": _SERVER,  # configuration file error
    "HV": _SERVER,  # foreign data wrapper error
    "P0": _DEFECT,  # PL/pgSQL error: of a trigger
    "XX": _SERVER,  # internal error, corrupted data
}
# States whose meaning differs from that of their class.
_STATES: Final[Mapping[str, _Meaning]] = {
    "25006": (StoreUnavailableError, "name the primary in the address, this server is read-only"),
    "25P03": (StoreUnavailableError, "try again"),  # idle in a transaction for too long
    "25P04": (StoreUnavailableError, "try again"),  # transaction took too long
    "42501": _ROLE,  # insufficient privilege
    "42703": _SCHEMA,  # undefined column
    "42704": (UnknownRoleError, "create it in Postgres, or correct the setting"),
    "42883": _SCHEMA,  # undefined function
    "42P01": _SCHEMA,  # undefined table
    "42P05": (StoreUnavailableError, _POOLER),  # duplicate prepared statement
}


def meaning(error: Exception, deadline: float) -> StoreError | None:
    """Return the error to raise in place of `error`; None if it is not of the driver.

    `deadline` is the time in seconds that the call was given.
    """
    if isinstance(error, TimeoutError | asyncpg.QueryCanceledError):
        return StoreUnavailableError(
            f"Postgres gave no answer, or no connection to it was free, within {deadline:g} s: "
            "look at its load, then try again"
        )
    if _is_refused_value(error):
        return UnstorableValueError(f"{error}: correct the value")
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return StoreUnavailableError(f"{error}: a migration has changed a table, try again")
    if isinstance(error, asyncpg.PostgresError):
        kind, advice = of_state(str(error.sqlstate))
        return kind(f"{type(error).__name__}: {error}: {advice}")
    if lost(error):
        return StoreUnavailableError(
            f"Postgres cannot be used ({type(error).__name__}: {error}): {_AGAIN}"
        )
    return None


def lacks_session(error: BaseException) -> bool:
    """Return whether a statement is not known, or known already, as in the session of another."""
    strays = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)
    return isinstance(error, strays)


def of_state(state: str) -> _Meaning:
    """Return the error for a SQLSTATE and the advice for a person."""
    return _STATES.get(state) or CLASSES.get(state[:2], _DEFECT)


@contextmanager
def translated(deadline: float) -> Iterator[None]:
    """Raise errors of this library in place of those of the driver; see `meaning`."""
    try:
        yield
    except Exception as error:
        found = meaning(error, deadline)
        if found is None:
            raise
        raise found from error


def lost(error: Exception) -> bool:
    """Return whether the connection is lost, so a retry on a new one may help."""
    if isinstance(error, TimeoutError) or _is_refused_value(error):
        return False
    ended = (
        OSError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        asyncpg.PostgresConnectionError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
    )
    return isinstance(error, ended)


def of_address(error: ValueError) -> DsnError | None:
    """Return the error to raise for a failure to connect; None if the DSN is not the cause.

    The unreadable part may belong to the password, so the message does not repeat it.
    """
    if isinstance(error, OSError):  # a certificate that was refused is both
        return None
    if isinstance(error, asyncpg.ClientConfigurationError):
        return DsnError(f"the address of Postgres cannot be used: {error}; correct it")
    return DsnError(
        "the address of Postgres cannot be read: its port has to be a number, and special "
        "characters in its password have to be percent-encoded"
    )


def _is_refused_value(error: Exception) -> bool:
    return isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
