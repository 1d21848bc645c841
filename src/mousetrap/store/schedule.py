"""Jobs of the schedules of sources."""

from collections.abc import Mapping
from typing import Final

from mousetrap.jobs.identity import new_id
from mousetrap.jobs.job import Job
from mousetrap.store.engine import Engine
from mousetrap.store.jobs import job_of

# Slots are counted from 1970 by the clock of Postgres, on which all processes agree. A source whose
# scheduled job is still queued gets no other: what was missed collapses into one.
_SUBMIT: Final = """
INSERT INTO job (id, source, slot, due_at)
SELECT wanted.id, wanted.source, present.slot, now() + $1::float8 * interval '1 second'
FROM unnest($2::uuid[], $3::text[], $4::float8[]) AS wanted (id, source, every)
CROSS JOIN LATERAL (
    SELECT to_timestamp(floor(extract(epoch FROM now()) / every) * every) AS slot
) AS present
WHERE NOT EXISTS (
    SELECT FROM job
    WHERE job.source = wanted.source AND job.slot IS NOT NULL
    AND (job.state = 'queued' OR job.slot = present.slot)
)
ON CONFLICT (source, slot) WHERE slot IS NOT NULL DO NOTHING
RETURNING *
"""


class ScheduleStore:
    """The scheduled jobs of the open database; `lease` as in JobStore."""

    def __init__(self, engine: Engine, lease: float) -> None:
        self._engine = engine
        self._lease = lease

    async def submit(self, schedules: Mapping[str, float]) -> list[Job]:
        """Accept a job for each source of which the present slot has none; return those accepted.

        A slot is as many seconds long as `schedules` says. Any number of processes may call this
        at any time: a slot has one job. Raises StoreUnavailableError or SchemaError.
        """
        if not schedules:
            return []
        ids = [new_id() for _ in schedules]
        rows = await self._engine.fetch(
            _SUBMIT, self._lease, ids, list(schedules), list(schedules.values())
        )
        return [job_of(row) for row in rows]
