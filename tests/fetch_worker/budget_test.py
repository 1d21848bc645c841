"""The bounds of sources, messages and memory agree with each other."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest

from mousetrap.fetch_worker.fetcher import MAX_IN_HAND
from mousetrap.messages.schema import (
    MAX_PIECE_BYTES,
    MAX_PIECE_POINTS,
    MAX_PIECES,
    MAX_POINTS,
    BatchFetched,
)
from mousetrap.queue import envelope, receiver
from mousetrap.queue.envelope import pack
from mousetrap.queue.stages import PROCESS
from mousetrap.settings.source_kinds import CsvSettings, GeojsonSettings
from mousetrap.settings.sources import Sources
from mousetrap.sources import packed
from mousetrap.sources.catalogue import Catalogue
from support.downloads import read
from support.largest import DEFAULTS, FEEDS


@pytest.mark.parametrize("made", FEEDS.values(), ids=FEEDS.keys())
def test_a_message_holds_the_largest_feed_that_the_defaults_let_through(
    made: Callable[[], bytes],
) -> None:
    body = made()
    assert DEFAULTS.max_bytes - 1000 < len(body) <= DEFAULTS.max_bytes
    batch = read(body, max_points=DEFAULTS.max_points)
    message = pack("a/1", PROCESS.task, BatchFetched(uuid4(), datetime.now(UTC), batch))
    assert len(message) < len(body) <= envelope.MAX_BYTES


def test_three_feeds_with_the_default_bounds_are_fetched_at_a_time() -> None:
    weight = Catalogue(Sources(default="feed", sources={"feed": DEFAULTS})).weight("feed")
    assert weight == 6 * DEFAULTS.max_bytes
    assert MAX_IN_HAND // weight == 3


def test_a_source_may_give_no_more_points_than_a_message_may_tell_of() -> None:
    source = {"kind": "geojson", "url": "http://127.0.0.1/", "max_points": MAX_POINTS}
    assert msgspec.convert(source, GeojsonSettings).max_points == MAX_POINTS
    with pytest.raises(msgspec.ValidationError, match="max_points"):
        msgspec.convert({**source, "max_points": MAX_POINTS + 1}, GeojsonSettings)


def test_every_piece_of_the_largest_batch_can_be_read() -> None:
    assert packed.PIECE <= MAX_PIECE_POINTS
    assert packed.MAX_BYTES <= MAX_PIECE_BYTES
    source = {"kind": "csv", "url": "http://127.0.0.1/", "max_bytes": 256 * 1024 * 1024}
    most = msgspec.convert(source, CsvSettings).max_bytes
    # A piece is only cut when it is larger than it may be, so each has half of that at least. A
    # letter of one byte may take two in UTF-8, and a digit four in JSON.
    cut = 4 * most // (packed.MAX_BYTES // 2)
    assert cut + MAX_POINTS // packed.PIECE <= MAX_PIECES


def test_the_largest_message_has_the_memory_of_a_worker_to_itself() -> None:
    assert 1 <= receiver.MAX_IN_HAND / (envelope.MAX_BYTES * receiver.EXPANSION) < 2
