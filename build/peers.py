"""Generates the tables in docs/benchmarks/peers.md from peers.json: `./pants docs`."""

from pathlib import Path
from typing import Final

import marked
import msgspec

from bench.peers import report
from bench.peers.results import Results

PAGE: Final = Path("docs/benchmarks/peers.md")
RESULTS: Final = Path("docs/benchmarks/peers.json")
BEGIN: Final = "<!-- Generated from peers.json by `./pants docs`; do not edit. -->\n"


def page() -> str:
    """Return the text of the page, with its tables generated again."""
    results = msgspec.json.decode(RESULTS.read_bytes(), type=Results)
    return marked.replaced(PAGE, BEGIN, report.tables(results))
