"""What an exception of the driver means to a caller: all of it is decided here."""

from typing import Final

import asyncpg

from mousetrap.store.errors import (
    DsnError,
    SchemaError,
    StoreError,
    StoreUnavailableError,
    UnknownRoleError,
    UnstorableValueError,
)

# Classes of SQLSTATE (PostgreSQL's documentation, appendix A) that say nothing about the
# statement: connection, authorization, unknown database, rollback by the server (deadlock),
# resources, intervention of an operator (timeouts, shutdown, start), system error.
_PASSING: Final = frozenset({"08", "28", "3D", "40", "53", "57", "58"})
# Idle in a transaction for too long, a read-only server (after a failover), no lock in time.
_PASSING_STATES: Final = frozenset({"25P03", "25006", "55P03"})
_DATA: Final = "22"
_UNDEFINED_OBJECT: Final = "42704"
_UNDEFINED_COLUMN: Final = "42703"
_UNDEFINED_TABLE: Final = "42P01"


def meaning(error: Exception, deadline: float) -> StoreError | None:
    """Return what to raise in place of `error`; None if it is a bug and should be seen as it is.

    `deadline` is the time in seconds that the call was given.
    """
    if isinstance(error, TimeoutError | asyncpg.QueryCanceledError):
        return StoreUnavailableError(
            f"Postgres gave no answer, or no connection to it was free, within {deadline:g} s: "
            "look at its load, then try again"
        )
    state = _state(error)
    if state[:2] == _DATA or _is_refused_value(error):
        return UnstorableValueError(f"{error}: correct the value")
    if state in {_UNDEFINED_COLUMN, _UNDEFINED_TABLE}:
        return SchemaError(f"{error}: run `process_worker migrate`")
    if state == _UNDEFINED_OBJECT:
        return UnknownRoleError(f"{error}: create it in Postgres, or correct the setting")
    if lost(error) or state[:2] in _PASSING or state in _PASSING_STATES:
        return StoreUnavailableError(
            f"Postgres cannot be used ({type(error).__name__}: {error}): "
            "check that it runs and lets this process in, then try again"
        )
    return None


def lost(error: Exception) -> bool:
    """Return whether the connection is gone, so that a new one may be worth a try."""
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
    """Return what to raise in place of an error while connecting; None if it is not the address.

    What could not be read may be a part of the password, so it is not repeated.
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


def _state(error: Exception) -> str:
    return str(error.sqlstate) if isinstance(error, asyncpg.PostgresError) else ""
