"""Commits and the synchronous standby, if Postgres has one.

A commit waits for the standby. An operator can end that wait, or the primary may crash in it: the
transaction is committed all the same, others read it, and the standby may lack it.
"""

from typing import Final

import asyncpg

from mousetrap.store.errors import UnreplicatedError

AWAIT: Final = """
CASE WHEN current_setting('synchronous_standby_names') <> '' AND NOT pg_is_in_recovery()
THEN pg_logical_emit_message(true, 'mousetrap', '') END
"""
"""An expression that makes a transaction wait for the standby, as if it had written a row.

Postgres lets a transaction that only reads end at once, whatever it has read.
"""

# The text of the warning is in the language of the server, and its code is that of any warning.
_WAIT: Final = "SyncRepWaitForLSN"


class Wait:
    """Hears from a connection whether a commit did not wait to its end for the standby."""

    def __init__(self) -> None:
        self._cut_short = False

    def hear(self, _: object, message: asyncpg.PostgresLogMessage) -> None:
        """Read a message of the server."""
        self._cut_short |= message.server_source_function == _WAIT

    def check(self) -> None:
        """Raise UnreplicatedError if a commit ended without the standby."""
        if self._cut_short:
            raise UnreplicatedError
