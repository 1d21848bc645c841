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
    "max_parallel_workers_per_gather": "0",  # workers begin with the settings of the role
    "tcp_user_timeout": "0",
    "client_min_messages": "warning",  # one tells that a commit did not wait for the standby
}
"""Set by each client when it connects, which overrides ALTER ROLE ... SET.

Any role may run that for itself, so a compromised process could otherwise break all processes that
log in with its role, until an operator finds out.
"""

NEWER: Final[Mapping[str, str]] = {"transaction_timeout": "0"}
"""Pinned as well, from Postgres 17 on; a server that does not know one refuses it."""
