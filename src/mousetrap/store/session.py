"""Settings of every session: those that a role may change for itself, and must not."""

from collections.abc import Mapping
from typing import Final

PINNED: Final[Mapping[str, str]] = {
    "search_path": "public",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "extra_float_digits": "1",
    "idle_session_timeout": "0",
    "local_preload_libraries": "",
    "synchronous_commit": "on",
    "exit_on_error": "off",
    "enable_indexscan": "on",
    "enable_indexonlyscan": "on",
    "enable_bitmapscan": "on",
}
"""Set by each client when it connects, which overrides ALTER ROLE ... SET.

Any role may run that for itself, so a compromised process could otherwise break all processes that
log in with its role, until an operator finds out.
"""
