"""The tables as Piccolo sees them. Their definitions stand in `piccolo_migrations`.

They are bound to no database: `Engine.run` takes a query to the one that it is for.
"""

from typing import Final

from piccolo.columns import (
    JSON,
    UUID,
    BigInt,
    BigSerial,
    Boolean,
    Bytea,
    Integer,
    Text,
    Timestamptz,
)
from piccolo.table import Table

from mousetrap.store.engine import Engine

UNBOUND: Final = Engine("", pool_size=1, deadline=0.0, name="")
"""An engine that is never opened: Piccolo asks a table's engine for the dialect of its queries."""


class JobRow(Table, db=UNBOUND, tablename="job"):
    """A job. This row is the truth, whatever the queue holds."""

    id = UUID(primary_key=True)
    sequence = BigSerial()
    source = Text()
    state = Text()
    idempotency_key = Text(null=True, default=None)
    attempts = Integer()
    requested_at = Timestamptz()
    fetched_at = Timestamptz(null=True, default=None)
    finished_at = Timestamptz(null=True, default=None)
    error_code = Text(null=True, default=None)
    error_detail = Text(null=True, default=None)
    # Attempts of earlier rounds, which ended with a failure and a retry by hand.
    attempts_before = Integer()
    # Whether the message of the newest attempt was sent, and when to look at the job again.
    sent = Boolean()
    due_at = Timestamptz()
    slot = Timestamptz(null=True, default=None)
    # Time of the last change of state or attempts, by the clock of Postgres; set by triggers.
    changed_at = Timestamptz()
    # How often a person has retried it.
    retries = Integer()


class JoinedKeyRow(Table, db=UNBOUND, tablename="joined_key"):
    """A further idempotency key of a job: that of a request which was coalesced with it."""

    idempotency_key = Text(primary_key=True)
    job_id = UUID()


class AttemptRow(Table, db=UNBOUND, tablename="attempt"):
    """An attempt of a job that failed."""

    job_id = UUID(primary_key=True)
    number = Integer()
    failed_at = Timestamptz()
    error_code = Text()
    error_detail = Text()


class DeadLetterRow(Table, db=UNBOUND, tablename="dead_letter"):
    """A message that was given up."""

    id = BigInt(primary_key=True)
    queue = Text()
    entry_id = Text()
    reason = Text()
    deliveries = Integer()
    size = BigInt()
    body = Bytea()
    job_id = UUID(null=True, default=None)
    buried_at = Timestamptz()


class SummaryRow(Table, db=UNBOUND, tablename="summary"):
    """The summary of a job that succeeded: what is asked for by value, and the document itself.

    The table has the columns of the version before as well, which a trigger fills in.
    """

    job_id = UUID(primary_key=True)
    sequence = BigSerial()
    source = Text()
    requested_at = Timestamptz()
    document = JSON(null=True, default=None)
    changes = JSON(null=True, default=None)


class BatchRow(Table, db=UNBOUND, tablename="batch"):
    """The batch of a summary that the version before stored, as GeoJSON."""

    job_id = UUID(primary_key=True)
    geojson = JSON()


class BatchPartRow(Table, db=UNBOUND, tablename="batch_part"):
    """A part of the batch of a summary, as columns."""

    job_id = UUID(primary_key=True)
    number = Integer()
    latitudes = JSON()
    longitudes = JSON()
    names = JSON()
    ids = JSON(null=True, default=None)
    groups = JSON(null=True, default=None)
    values = JSON(null=True, default=None)


class FollowUpRow(Table, db=UNBOUND, tablename="follow_up"):
    """A summary that a stage has to do something with."""

    job_id = UUID(primary_key=True)
    stage = Text()
    state = Text()
    attempts = Integer()
    failures = Integer()
    sent = Boolean()
    due_at = Timestamptz()
    error_code = Text(null=True, default=None)
    error_detail = Text(null=True, default=None)
