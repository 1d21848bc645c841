"""The ids of jobs: versions and order."""

import uuid
from datetime import UTC, datetime

from mousetrap.jobs import identity


def test_is_a_uuid_of_version_7_that_begins_with_the_time() -> None:
    before = datetime.now(UTC).timestamp()
    made = identity.new_id()
    after = datetime.now(UTC).timestamp()

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert int(before * 1000) <= made.int >> 80 <= int(after * 1000)


def test_no_two_are_the_same() -> None:
    assert len({identity.new_id() for _ in range(10_000)}) == 10_000
