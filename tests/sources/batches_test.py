from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.geo.report import Report
from mousetrap.sources.batches import POINT_BYTES, Batches, Known
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.http.download import NO_VERSION, Version

LIMIT = 10 * POINT_BYTES


def known(size: int, name: str | None = None) -> Known:
    version = Version("http://127.0.0.1/", f'"{size}"')
    return Known(version, Fetched(Batch.of([Point(0, 0, name)] * size), Report()))


def test_nothing_is_known_of_a_source_that_was_not_kept() -> None:
    found = Batches().find("a")

    assert found.version is NO_VERSION
    assert not found.version


def test_the_newest_batch_of_a_source_is_the_one_that_is_kept() -> None:
    batches = Batches()

    batches.keep("a", known(1))
    batches.keep("a", known(2))

    assert batches.find("a") == known(2)


def test_the_batch_used_longest_ago_leaves_when_they_take_too_much() -> None:
    batches = Batches(LIMIT)
    batches.keep("a", known(4))
    batches.keep("b", known(5))
    batches.find("a")

    batches.keep("c", known(6))

    assert batches.find("a") == known(4)
    assert batches.find("b") == Known()
    assert batches.find("c") == known(6)


def test_a_batch_that_is_too_large_is_not_kept() -> None:
    batches = Batches(LIMIT)

    batches.keep("a", known(11))

    assert batches.find("a") == Known()


def test_names_count_by_the_memory_that_they_take() -> None:
    batches = Batches(LIMIT)

    batches.keep("a", known(5, "🐭" + "a" * 199))

    assert batches.find("a") == Known()
