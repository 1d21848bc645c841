"""The rights of each role of Postgres: no more than its process needs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

# Other columns keep their default or their value, such as the sequence or the time of a request.
_ENDED: Final = "state, attempts, sent, due_at, fetched_at, finished_at, error_code, error_detail"
_RETRIED: Final = f"attempts_before, retries, {_ENDED}"
_FOLLOWED: Final = "state, attempts, failures, sent, due_at, error_code, error_detail"
_PART: Final = 'job_id, number, latitudes, longitudes, names, ids, groups, "values"'
_RIGHTS: Final = {
    "api": (
        "SELECT ON job, joined_key, attempt, summary, batch, batch_part, dead_letter",
        "INSERT (id, source, idempotency_key, due_at) ON job",
        "INSERT ON joined_key",
        f"UPDATE ({_RETRIED}) ON job",
    ),
    "process": (
        "SELECT ON job, joined_key, attempt, summary, batch, batch_part, dead_letter, follow_up",
        "INSERT (id, source, slot, due_at) ON job",
        f"UPDATE ({_ENDED}) ON job",
        "INSERT (job_id, number, failed_at, error_code, error_detail) ON attempt",
        # All columns: earlier versions fill in those that a trigger does now.
        "INSERT ON summary",
        # The version before keeps batches in a table of its own.
        "INSERT (job_id, geojson) ON batch",
        f"INSERT ({_PART}) ON batch_part",
        "INSERT (queue, entry_id, reason, deliveries, size, body, job_id) ON dead_letter",
        "INSERT (job_id, stage) ON follow_up",
        f"UPDATE ({_FOLLOWED}) ON follow_up",
        "DELETE ON job, joined_key, dead_letter",
    ),
    "follow_up": (
        "SELECT ON follow_up",
        f"UPDATE ({_FOLLOWED}) ON follow_up",
    ),
    "admin": (
        "SELECT ON job, joined_key, attempt, summary, batch, batch_part, dead_letter, follow_up",
    ),
}
WANTED: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    process: [
        (right.split()[0], table)
        for right in rights
        for table in right.rpartition(" ON ")[2].split(", ")
    ]
    for process, rights in _RIGHTS.items()
}
"""The privileges that each process needs, each with its table; on some columns at least."""
_TABLES: Final = "job, joined_key, attempt, summary, batch, batch_part, dead_letter, follow_up"


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the roles that processes log in as; an empty one is left alone.

    They must exist. All stages that follow summaries share the role `follow_up`. Some may be the
    same, which then has the rights of each.
    """

    api: str = ""
    process: str = ""
    admin: str = ""
    follow_up: str = ""

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
            yield f"REVOKE ALL ON {_TABLES} FROM {role}"
        for process, role in roles.items():
            yield from (f"GRANT {right} TO {role}" for right in _RIGHTS[process])
