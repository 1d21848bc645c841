from mousetrap.geo.point import Point
from mousetrap.sources.batches import Batch, Batches
from mousetrap.sources.http.download import NO_VERSION, Version


def batch(size: int) -> Batch:
    return Batch(Version("http://127.0.0.1/", f'"{size}"'), (Point(0, 0),) * size)


def test_nothing_is_known_of_a_source_that_was_not_kept() -> None:
    found = Batches().find("a")

    assert found.version is NO_VERSION
    assert not found.version


def test_the_newest_batch_of_a_source_is_the_one_that_is_kept() -> None:
    batches = Batches()

    batches.keep("a", batch(1))
    batches.keep("a", batch(2))

    assert batches.find("a") == batch(2)


def test_the_batch_used_longest_ago_leaves_when_there_are_too_many_points() -> None:
    batches = Batches(max_points=10)
    batches.keep("a", batch(4))
    batches.keep("b", batch(5))
    batches.find("a")

    batches.keep("c", batch(6))

    assert batches.find("a") == batch(4)
    assert batches.find("b") == Batch()
    assert batches.find("c") == batch(6)


def test_a_batch_that_is_too_large_is_not_kept() -> None:
    batches = Batches(max_points=10)

    batches.keep("a", batch(11))

    assert batches.find("a") == Batch()
