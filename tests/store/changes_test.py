"""The changes from summary to summary."""

import random
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from mousetrap.geo.batch import Batch
from mousetrap.geo.changes import MAX_IDS, Changes
from mousetrap.store import batches
from mousetrap.store.database import Database
from support.postgres import Connection, plan, scans, statements
from support.samples import MANY_SUMMARIES, submitted, succeed

Ids = Sequence[str | None]
NOTHING = Changes()


def batch(ids: Ids) -> Batch:
    count = max(1, len(ids))
    return Batch((1.0,) * count, (2.0,) * count, (None,) * count, tuple(ids))


async def store(database: Database, job_id: UUID, ids: Ids) -> None:
    await succeed(database, job_id, batch=batch(ids))


async def test_a_batch_is_compared_with_the_last_one_of_its_source(database: Database) -> None:
    older, last, job, newer = [await submitted(database) for _ in range(4)]
    other = await submitted(database, "other")
    await store(database, older.id, ["x"])
    await store(database, last.id, ["a", "b", "b", None])
    await store(database, newer.id, ["y"])
    await store(database, other.id, ["z"])

    found = await database.changes.since_last(job.id, ["b", "c", None, "c"])

    assert found == Changes(last.id, 1, 1, ("c",), ("a",))


async def test_what_is_not_stored_yet_is_passed_over(database: Database) -> None:
    first, slow, job = [await submitted(database) for _ in range(3)]
    await store(database, first.id, ["a"])

    assert (await database.changes.since_last(job.id, ["a"])).since == first.id

    await store(database, slow.id, ["b"])
    found = await database.changes.since_last(job.id, ["a"])
    assert found == Changes(slow.id, 1, 1, ("a",), ("b",))


async def test_the_last_one_costs_one_look_into_the_index(
    database: Database, side: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await side.execute(MANY_SUMMARIES)
    job = await submitted(database, "silent")
    await side.execute("ANALYZE summary")
    sent = statements(monkeypatch)

    assert await database.changes.since_last(job.id, ["a"]) == NOTHING

    [(query, args)] = sent
    [scan] = scans(await plan(side, query, args, generic=False), "summary")
    assert (scan["Index Name"], scan["Actual Rows"]) == ("summary_by_source", 1)
    assert "Filter" not in scan


async def test_a_large_batch_is_compared_part_by_part(database: Database) -> None:
    last, job = [await submitted(database) for _ in range(2)]
    many = [f"id\0{number}" for number in range(2 * batches.PART + 1)]
    await store(database, last.id, many)

    found = await database.changes.since_last(job.id, [*many[1:], "new"])

    assert found == Changes(last.id, 1, 1, ("new",), ("id\ufffd0",))


async def test_ids_are_in_the_order_of_their_batch(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PART", 2)
    last, job = [await submitted(database) for _ in range(2)]
    await store(database, last.id, ["e", "a", "c", None, "c", "a"])

    found = await database.changes.since_last(job.id, ["d", "a", None, "b", "d"])

    assert found == Changes(last.id, 2, 2, ("d", "b"), ("e", "c"))


async def test_all_are_counted_and_the_first_are_named(database: Database) -> None:
    last, job = [await submitted(database) for _ in range(2)]
    many = [str(number) for number in range(MAX_IDS + 1)]
    await store(database, last.id, [f"old {it}" for it in many])

    found = await database.changes.since_last(job.id, many)

    assert (found.new, found.gone) == (MAX_IDS + 1, MAX_IDS + 1)
    assert found.new_ids == tuple(many[:-1])
    assert found.gone_ids == tuple(f"old {it}" for it in many[:-1])


async def test_it_is_the_difference_of_the_sets(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PART", 3)
    chance = random.Random(1)  # noqa: S311  # nothing secret about these ids
    before: set[str | None] = set()
    for number in range(20):
        job = await submitted(database)
        ids = [*chance.choices([None, *"abcdefgh"], k=chance.randint(1, 9)), "always"]
        after = set(ids) - {None}

        found = await database.changes.since_last(job.id, ids)

        if number:
            assert (set(found.new_ids), set(found.gone_ids)) == (after - before, before - after)
            assert (found.new, found.gone) == (len(after - before), len(before - after))
        await store(database, job.id, ids)
        before = after


async def test_there_may_be_nothing_to_compare_with(database: Database, side: Connection) -> None:
    first, second, third = [await submitted(database) for _ in range(3)]
    since_last = database.changes.since_last

    assert await since_last(uuid4(), ["a"]) == NOTHING
    assert await since_last(first.id, ["a"]) == NOTHING
    await store(database, first.id, [])
    assert await since_last(second.id, ["a"]) == NOTHING
    await store(database, second.id, ["a"])
    assert await since_last(third.id, []) == NOTHING
    assert await since_last(third.id, ["a"]) == Changes(second.id, 0, 0)
    await side.execute("DELETE FROM batch_part WHERE job_id = $1", second.id)
    assert await since_last(third.id, ["a"]) == NOTHING


async def test_the_changes_are_stored_with_the_summary(database: Database) -> None:
    plain, job = await submitted(database), await submitted(database)
    await store(database, plain.id, ["a"])
    await succeed(
        database, job.id, batch=batch(["b"]), changes=Changes(plain.id, 1, 1, ("b",), ("a",))
    )

    assert await database.changes.lists(uuid4()) is None
    assert await database.changes.lists(plain.id) == (None, None)
    found = await database.changes.lists(job.id)
    assert found
    assert found[0] == '{"new":["b"],"gone":["a"]}'
    assert found[1] == f'{{"since":"{plain.id}","new":1,"gone":1}}'
