"""Messages that were given up, kept for people to look at."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from mousetrap.store.engine import Engine
from mousetrap.store.schema.tables import DeadLetterRow
from mousetrap.store.text import storable

_COLUMNS: Final = ("queue", "entry_id", "reason", "deliveries", "size", "body", "job_id")
_KEEP: Final = f"""
INSERT INTO dead_letter ({', '.join(_COLUMNS)})
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::bytea[], $7::uuid[])
ON CONFLICT (queue, entry_id) DO NOTHING
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Letter:
    """The message of entry `entry_id` of `queue`, `size` bytes long, of which `body` is the begin.

    `reason` is why it was given up, after so many `deliveries`; `job_id` the job that it was about,
    if that could be told.
    """

    queue: str
    entry_id: str
    reason: str
    deliveries: int
    size: int
    body: bytes
    job_id: UUID | None


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A letter, the number that it is listed by, and when (aware) it was stored."""

    id: int
    buried_at: datetime
    letter: Letter


class DeadLetterStore:
    """The dead letters of the open database.

    Every method raises StoreUnavailableError or SchemaError.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def keep(self, letters: Collection[Letter]) -> None:
        """Store letters; those that are stored already are left as they are."""
        if not letters:
            return
        rows = [replace(it, reason=storable(it.reason)) for it in letters]
        columns = ([getattr(row, name) for row in rows] for name in _COLUMNS)
        await self._engine.fetch(_KEEP, *columns)

    async def page(self, *, before: int | None = None, limit: int) -> list[StoredLetter]:
        """Return at most `limit` letters, newest first.

        The next page is the one `before` the id of the last letter of this one.
        """
        query = DeadLetterRow.select().order_by(DeadLetterRow.id, ascending=False).limit(limit)
        if before is not None:
            query = query.where(DeadLetterRow.id < before)
        return [_stored(row) for row in await self._engine.run(query)]


def _stored(row: Mapping[str, Any]) -> StoredLetter:
    return StoredLetter(
        id=row["id"],
        buried_at=row["buried_at"],
        letter=Letter(
            queue=row["queue"],
            entry_id=row["entry_id"],
            reason=row["reason"],
            deliveries=row["deliveries"],
            size=row["size"],
            body=row["body"],
            job_id=row["job_id"],
        ),
    )
