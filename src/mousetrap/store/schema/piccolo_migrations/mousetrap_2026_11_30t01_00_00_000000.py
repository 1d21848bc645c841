"""A batch is kept as columns, in parts."""

ID = "2026-11-30T01:00:00:000000"
DESCRIPTION = "batches as columns"

STATEMENTS = (
    # Each column is an array with an entry for each point of the part. The table `batch` stays for
    # the batches of the version before, and for its processes while they run.
    """
    CREATE TABLE batch_part (
        job_id      uuid     NOT NULL REFERENCES summary ON DELETE CASCADE,
        number      integer  NOT NULL CHECK (number >= 0),
        latitudes   json     NOT NULL,
        longitudes  json     NOT NULL,
        names       json     NOT NULL,
        PRIMARY KEY (job_id, number)
    )
    """,
)
