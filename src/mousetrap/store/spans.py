"""The sequences between which the rows of a span of time are.

A job's sequence is drawn within the deadline of its transaction, of which `requested_at` is the
beginning, so jobs a minute apart have sequences in the same order. That holds while the clock of
Postgres is not set: around such a step a span may lack rows, until the step is older than the span.
"""

from datetime import datetime
from typing import Final

from mousetrap.store.engine import Engine

OF_SUMMARIES: Final = """
SELECT (
    SELECT sequence FROM summary WHERE requested_at < $1::timestamptz - interval '1 minute'
    ORDER BY requested_at DESC LIMIT 1
) AS low, least($3::bigint, (
    SELECT sequence FROM summary WHERE requested_at >= $2::timestamptz + interval '1 minute'
    ORDER BY requested_at LIMIT 1
)) AS high
"""
"""The query for summaries; its parameters are the beginning, the end, and a sequence that all rows
must precede, each of them or NULL.
"""

# An index on the time would be one more that each change of a job writes to. Since the order is
# that of the sequences, bisection finds a time with one look into their index for each bit.
OF_JOBS: Final = """
WITH RECURSIVE bisection (edge, instant, low, high) AS (
    SELECT edge, instant, 0::bigint, (SELECT max(sequence) FROM job) + 1
    FROM (VALUES
        ('since', $1::timestamptz - interval '1 minute'),
        ('until', $2::timestamptz + interval '1 minute')
    ) AS wanted (edge, instant)
    WHERE instant IS NOT NULL
    UNION ALL
    SELECT edge, instant, CASE WHEN earlier THEN middle ELSE low END,
        CASE WHEN earlier THEN high ELSE middle END
    FROM bisection
    CROSS JOIN LATERAL (SELECT (low + high) / 2 AS middle) AS half
    CROSS JOIN LATERAL (
        SELECT requested_at < instant AS earlier FROM job WHERE sequence >= middle
        ORDER BY sequence LIMIT 1
    ) AS nearest
    WHERE high - low > 1
)
SELECT max(low) FILTER (WHERE edge = 'since') AS low,
    least($3::bigint, min(high) FILTER (WHERE edge = 'until')) AS high
FROM bisection
"""
"""The same for jobs."""


async def sequences(
    engine: Engine,
    query: str,
    since: datetime | None,
    until: datetime | None,
    before: int | None,
) -> tuple[int | None, int | None]:
    """Return sequences between which the rows of a span and `before` one are, and few others.

    `query` is one of this module. Neither sequence belongs to a row of the span; None is no bound.
    """
    if since is None and until is None:
        return None, before
    [found] = await engine.fetch(query, since, until, before)
    return found["low"], found["high"]
