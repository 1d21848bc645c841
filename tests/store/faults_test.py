import re
from ssl import SSLCertVerificationError, SSLError

import asyncpg
import pytest

from mousetrap.store import faults
from mousetrap.store.errors import (
    AccessError,
    DefectError,
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
        (asyncpg.InvalidPasswordError("password"), AccessError, False),
        (asyncpg.InsufficientPrivilegeError("summary"), AccessError, False),
        (asyncpg.InvalidCatalogNameError("database"), StoreUnavailableError, False),
        (asyncpg.UndefinedTableError("job"), SchemaError, False),
        (asyncpg.UndefinedColumnError("colour"), SchemaError, False),
        (asyncpg.CharacterNotInRepertoireError("0x00"), UnstorableValueError, False),
        (asyncpg.NumericValueOutOfRangeError("bigint"), UnstorableValueError, False),
        (asyncpg.ProgramLimitExceededError("index row"), UnstorableValueError, False),
        (asyncpg.InvalidCachedStatementError("plan"), StoreUnavailableError, False),
        (asyncpg.CheckViolationError("west"), DefectError, False),
        (asyncpg.PostgresSyntaxError("SELEKT"), DefectError, False),
        (asyncpg.PostgresError("of no class that is known"), DefectError, False),
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


# Every SQLSTATE that the driver knows, which are those of PostgreSQL's documentation.
STATES = sorted(
    {
        kind.sqlstate
        for kind in vars(asyncpg.exceptions).values()
        if isinstance(kind, type) and issubclass(kind, asyncpg.PostgresError) and kind.sqlstate
    }
)
CLASSES = (
    *("00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z"),
    *("10", "20", "21", "22", "23", "24", "25", "26", "27", "28", "2B", "2D", "2F"),
    *("34", "38", "39", "3B", "3D", "3F", "40", "42", "44", "53", "54", "55", "57", "58"),
    *("72", "F0", "HV", "P0", "XX"),
)


@pytest.mark.parametrize("state", STATES)
def test_every_error_of_postgres_has_a_meaning_and_an_advice(state: str) -> None:
    error = asyncpg.PostgresError.new({"C": state, "M": "told by Postgres"})

    found = faults.meaning(error, 5.0)

    assert isinstance(found, StoreError)
    assert type(found) is not StoreError
    if state != asyncpg.QueryCanceledError.sqlstate:
        assert re.search(r"^\w+: told by Postgres[^:]*(.*\n)*.*: [a-z`][^:]{8,}$", str(found))


def test_every_class_of_errors_is_decided_about() -> None:
    assert sorted(faults.CLASSES) == sorted(CLASSES)
    assert {state[:2] for state in STATES} <= set(CLASSES)


def test_a_refused_certificate_is_not_the_addresss_fault() -> None:
    assert faults.of_address(SSLCertVerificationError("self-signed")) is None
    assert type(faults.of_address(ValueError("s3cr3t"))) is DsnError
