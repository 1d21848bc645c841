"""Retries by hand are counted, and further idempotency keys of a job noted."""

ID = "2026-11-30T02:00:00:000000"
DESCRIPTION = "retries by hand, keys of coalesced requests"

STATEMENTS = (
    # A constraint would have to read the whole table, while nobody may write to it.
    "ALTER TABLE job ADD COLUMN retries integer NOT NULL DEFAULT 0",
    # The first key of a job stays in its row, where processes of the version before look for it.
    """
    CREATE TABLE joined_key (
        idempotency_key  text  PRIMARY KEY CHECK (char_length(idempotency_key) BETWEEN 1 AND 255),
        job_id           uuid  NOT NULL REFERENCES job ON DELETE CASCADE
    )
    """,
    "CREATE INDEX joined_key_by_job ON joined_key (job_id)",
)
