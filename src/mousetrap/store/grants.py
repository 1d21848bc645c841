"""What each role of Postgres may do: no more than its process does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_RIGHTS: Final = {
    "api": ("SELECT, INSERT ON job", "SELECT ON summary, batch"),
    "process": ("SELECT, UPDATE ON job", "SELECT, INSERT ON summary, batch"),
    "admin": ("SELECT ON job, summary, batch",),
}


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the roles that processes log in as; an empty one is left alone.

    They must exist. The role that migrates owns the tables and needs no grants.
    """

    api: str = ""
    process: str = ""
    admin: str = ""

    def statements(self) -> Iterator[str]:
        """Yield the SQL that gives every role its rights and takes all others of our tables."""
        for process, rights in _RIGHTS.items():
            if role := getattr(self, process):
                name = '"{}"'.format(role.replace('"', '""'))
                yield f"REVOKE ALL ON job, summary, batch FROM {name}"
                yield from (f"GRANT {right} TO {name}" for right in rights)
