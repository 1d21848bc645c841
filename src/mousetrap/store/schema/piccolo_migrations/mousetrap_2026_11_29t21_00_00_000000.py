"""The follow-ups of a summary are noted beside it, once for each stage that follows summaries."""

ID = "2026-11-29T21:00:00:000000"
DESCRIPTION = "follow-ups of summaries"

STATEMENTS = (
    """
    CREATE TABLE follow_up (
        job_id        uuid         NOT NULL REFERENCES summary ON DELETE CASCADE,
        stage         text         NOT NULL CHECK (stage <> ''),
        state         text         NOT NULL DEFAULT 'queued'
                                   CHECK (state IN ('queued', 'done', 'failed')),
        attempts      integer      NOT NULL DEFAULT 1 CHECK (attempts > 0),
        failures      integer      NOT NULL DEFAULT 0 CHECK (failures >= 0),
        sent          boolean      NOT NULL DEFAULT false,
        due_at        timestamptz  NOT NULL DEFAULT now(),
        error_code    text         CHECK (error_code <> ''),
        error_detail  text,
        PRIMARY KEY (job_id, stage),
        CONSTRAINT follow_up_error CHECK (state <> 'failed' OR error_code IS NOT NULL)
    )
    """,
    "CREATE INDEX follow_up_open ON follow_up (stage, state, due_at) WHERE state <> 'done'",
)
