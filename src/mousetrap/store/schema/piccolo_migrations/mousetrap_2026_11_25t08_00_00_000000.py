"""Leases and attempts of jobs, the slots of schedules, dead letters."""

ID = "2026-11-25T08:00:00:000000"
DESCRIPTION = "leases, attempts, schedules, dead letters"

STATEMENTS = (
    # The defaults are for processes that know nothing of these columns yet.
    """
    ALTER TABLE job
        ADD COLUMN attempts_before integer NOT NULL DEFAULT 0 CHECK (attempts_before >= 0),
        ADD COLUMN sent boolean NOT NULL DEFAULT true,
        ADD COLUMN due_at timestamptz NOT NULL DEFAULT now() + interval '10 seconds',
        ADD COLUMN slot timestamptz
    """,
    "CREATE INDEX job_due ON job (due_at) WHERE state = 'queued'",
    "CREATE INDEX job_ended ON job (finished_at) WHERE state <> 'queued'",
    "CREATE UNIQUE INDEX job_slot ON job (source, slot) WHERE slot IS NOT NULL",
    """
    CREATE TABLE attempt (
        job_id        uuid         NOT NULL REFERENCES job ON DELETE CASCADE,
        number        integer      NOT NULL CHECK (number > 0),
        failed_at     timestamptz  NOT NULL,
        error_code    text         NOT NULL CHECK (error_code <> ''),
        error_detail  text         NOT NULL,
        PRIMARY KEY (job_id, number)
    )
    """,
    """
    CREATE TABLE dead_letter (
        id          bigint       PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        queue       text         NOT NULL,
        entry_id    text         NOT NULL,
        reason      text         NOT NULL,
        deliveries  integer      NOT NULL,
        size        bigint       NOT NULL,
        body        bytea        NOT NULL,
        job_id      uuid,
        buried_at   timestamptz  NOT NULL DEFAULT now(),
        UNIQUE (queue, entry_id)
    )
    """,
    "CREATE INDEX dead_letter_by_time ON dead_letter (buried_at)",
)
