"""Jobs, their summaries and their batches."""

ID = "2026-11-23T12:00:00:000000"
DESCRIPTION = "jobs, summaries, batches"

STATEMENTS = (
    # Any role may ask which migrations have been applied.
    "GRANT SELECT ON migration TO PUBLIC",
    """
    CREATE TABLE job (
        id               uuid         PRIMARY KEY,
        sequence         bigint       NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
        source           text         NOT NULL CHECK (char_length(source) BETWEEN 1 AND 64),
        state            text         NOT NULL DEFAULT 'queued'
                                      CHECK (state IN ('queued', 'succeeded', 'failed')),
        idempotency_key  text         UNIQUE CHECK (char_length(idempotency_key) BETWEEN 1 AND 255),
        attempts         integer      NOT NULL DEFAULT 1 CHECK (attempts > 0),
        requested_at     timestamptz  NOT NULL DEFAULT now(),
        fetched_at       timestamptz,
        finished_at      timestamptz,
        error_code       text         CHECK (error_code <> ''),
        error_detail     text,
        CONSTRAINT job_finished CHECK ((state = 'queued') = (finished_at IS NULL)),
        CONSTRAINT job_fetched CHECK (state <> 'succeeded' OR fetched_at IS NOT NULL),
        CONSTRAINT job_error CHECK ((state = 'failed') = (error_code IS NOT NULL)),
        CONSTRAINT job_error_detail CHECK ((error_code IS NULL) = (error_detail IS NULL))
    )
    """,
    "CREATE INDEX job_by_source ON job (source, sequence)",
    "CREATE INDEX job_by_state ON job (state, sequence)",
    """
    CREATE TABLE summary (
        job_id               uuid         PRIMARY KEY REFERENCES job ON DELETE CASCADE,
        sequence             bigint       NOT NULL UNIQUE,
        source               text         NOT NULL,
        requested_at         timestamptz  NOT NULL,
        fetched_at           timestamptz  NOT NULL,
        processed_at         timestamptz  NOT NULL,
        point_count          integer      NOT NULL CHECK (point_count > 0),
        centroid_lat         float8       CHECK (centroid_lat BETWEEN -90 AND 90),
        centroid_lon         float8       CHECK (centroid_lon BETWEEN -180 AND 180),
        most_northerly_lat   float8       NOT NULL CHECK (most_northerly_lat BETWEEN -90 AND 90),
        most_northerly_lon   float8       NOT NULL CHECK (most_northerly_lon BETWEEN -180 AND 180),
        most_northerly_name  text,
        west                 float8       NOT NULL CHECK (west BETWEEN -180 AND 180),
        south                float8       NOT NULL CHECK (south BETWEEN -90 AND 90),
        east                 float8       NOT NULL CHECK (east BETWEEN -180 AND 180),
        north                float8       NOT NULL CHECK (north BETWEEN -90 AND 90),
        CONSTRAINT summary_centroid CHECK ((centroid_lat IS NULL) = (centroid_lon IS NULL)),
        -- West may be greater than east: the box then crosses the antimeridian.
        CONSTRAINT summary_bbox CHECK (south <= north)
    )
    """,
    "CREATE INDEX summary_by_source ON summary (source, sequence)",
    "CREATE INDEX summary_by_time ON summary (requested_at)",
    """
    CREATE TABLE batch (
        job_id   uuid  PRIMARY KEY REFERENCES summary ON DELETE CASCADE,
        geojson  json  NOT NULL
    )
    """,
)
