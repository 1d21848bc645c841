"""Dead letters in Postgres, for people to inspect."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.store.engine import Engine
from mousetrap.store.schema.tables import DeadLetterRow
from mousetrap.store.text import storable

_KEEP: Final = """
INSERT INTO dead_letter (queue, entry_id, reason, deliveries, size, body, job_id)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::bytea[], $7::uuid[])
ON CONFLICT (queue, entry_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter with its number in the list and the time (aware) of storage."""

    id: int
    buried_at: datetime
    letter: DeadLetter


class DeadLetterStore:
    """The dead letters of the open database.

    Every method raises StoreUnavailableError or SchemaError, and `keep` UnstorableValueError.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def keep(self, letters: Collection[DeadLetter]) -> None:
        """Store letters; letters that are already stored stay unchanged."""
        if letters:
            await self._engine.fetch(_KEEP, *map(list, zip(*map(_row, letters), strict=True)))

    async def page(self, *, before: int | None = None, limit: int) -> list[StoredLetter]:
        """Return at most `limit` letters, newest first.

        The next page is the one `before` the id of the last letter of this one.
        """
        query = DeadLetterRow.select().order_by(DeadLetterRow.id, ascending=False).limit(limit)
        if before is not None:
            query = query.where(DeadLetterRow.id < before)
        return [_stored(row) for row in await self._engine.run(query)]


def _row(letter: DeadLetter) -> tuple[Any, ...]:
    return (
        *map(storable, (letter.queue, letter.id, letter.reason)),
        letter.deliveries,
        letter.size,
        letter.body,
        letter.job_id,
    )


def _stored(row: Mapping[str, Any]) -> StoredLetter:
    letter = DeadLetter(
        queue=row["queue"],
        id=row["entry_id"],
        body=row["body"],
        reason=row["reason"],
        job_id=row["job_id"],
        deliveries=row["deliveries"],
        size=row["size"],
    )
    return StoredLetter(row["id"], row["buried_at"], letter)
