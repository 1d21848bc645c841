from ssl import SSLCertVerificationError, SSLError

import asyncpg
import pytest

from mousetrap.store import faults
from mousetrap.store.errors import (
    DsnError,
    SchemaError,
    StoreError,
    StoreUnavailableError,
    UnstorableValueError,
)


@pytest.mark.parametrize(
    ("error", "meaning", "lost"),
    [
        (ConnectionRefusedError("refused"), StoreUnavailableError, True),
        (FileNotFoundError("no socket"), StoreUnavailableError, True),
        (SSLError("handshake"), StoreUnavailableError, True),
        (SSLCertVerificationError("self-signed"), StoreUnavailableError, True),
        (TimeoutError(), StoreUnavailableError, False),
        (asyncpg.InterfaceError("connection is closed"), StoreUnavailableError, True),
        (asyncpg.InternalClientError("unexpected"), StoreUnavailableError, True),
        (asyncpg.ConnectionDoesNotExistError("closed"), StoreUnavailableError, True),
        (asyncpg.AdminShutdownError("terminating"), StoreUnavailableError, True),
        (asyncpg.CannotConnectNowError("starting up"), StoreUnavailableError, False),
        (asyncpg.QueryCanceledError("timeout"), StoreUnavailableError, False),
        (asyncpg.LockNotAvailableError("lock timeout"), StoreUnavailableError, False),
        (asyncpg.TooManyConnectionsError("too many"), StoreUnavailableError, False),
        (asyncpg.DiskFullError("disk full"), StoreUnavailableError, False),
        (asyncpg.DeadlockDetectedError("deadlock"), StoreUnavailableError, False),
        (asyncpg.ReadOnlySQLTransactionError("standby"), StoreUnavailableError, False),
        (asyncpg.InvalidPasswordError("password"), StoreUnavailableError, False),
        (asyncpg.InvalidCatalogNameError("database"), StoreUnavailableError, False),
        (asyncpg.UndefinedTableError("job"), SchemaError, False),
        (asyncpg.UndefinedColumnError("colour"), SchemaError, False),
        (asyncpg.CharacterNotInRepertoireError("0x00"), UnstorableValueError, False),
        (asyncpg.NumericValueOutOfRangeError("bigint"), UnstorableValueError, False),
        (asyncpg.CheckViolationError("west"), None, False),
        (asyncpg.PostgresSyntaxError("SELEKT"), None, False),
        (asyncpg.InsufficientPrivilegeError("summary"), None, False),
        (ZeroDivisionError(), None, False),
        (ValueError(), None, False),
    ],
)
def test_a_fault_says_what_to_do(
    error: Exception, meaning: type[StoreError] | None, *, lost: bool
) -> None:
    found = faults.meaning(error, 5.0)
    assert type(found) is (type(None) if meaning is None else meaning)
    assert faults.lost(error) is lost


def test_a_refused_certificate_is_not_the_addresss_fault() -> None:
    assert faults.of_address(SSLCertVerificationError("self-signed")) is None
    assert type(faults.of_address(ValueError("s3cr3t"))) is DsnError
