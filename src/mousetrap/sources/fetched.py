"""The result of fetching a source."""

from dataclasses import dataclass

from mousetrap.geo.batch import Batch
from mousetrap.geo.report import Report
from mousetrap.sources.packed import PackedBatch


@dataclass(frozen=True, slots=True)
class Fetched:
    """A batch of at least one point, and how it came about."""

    batch: Batch | PackedBatch
    report: Report
