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

    They must exist. Some may be the same, which then has the rights of each.
    """

    api: str = ""
    process: str = ""
    admin: str = ""

    def statements(self, owner: str) -> Iterator[str]:
        """Yield the SQL that gives roles their rights on jobs and summaries, and takes all others.

        The `owner` of the tables is left alone: it has every right, and is to keep them.
        """
        names = {process: getattr(self, process) for process in _RIGHTS}
        roles = {
            process: '"{}"'.format(name.replace('"', '""'))
            for process, name in names.items()
            if name not in {"", owner}
        }
        for role in sorted(set(roles.values())):
            yield f"REVOKE ALL ON job, summary, batch FROM {role}"
        for process, role in roles.items():
            yield from (f"GRANT {right} TO {role}" for right in _RIGHTS[process])
