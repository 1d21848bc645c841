"""Parts of a batch may be stored before its summary, in the same transaction."""

ID = "2026-11-30T09:00:00:000000"
DESCRIPTION = "parts before their summary"

STATEMENTS = (
    # The summary of a large batch is known once all parts have passed. A process that does not ask
    # for it is checked at once, as before.
    "ALTER TABLE batch_part ALTER CONSTRAINT batch_part_job_id_fkey DEFERRABLE INITIALLY IMMEDIATE",
)
