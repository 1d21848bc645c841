"""Formats that are read as they arrive take no memory for their bodies."""

import subprocess
import sys

import pytest

from mousetrap.settings.source_kinds import CsvSettings, GeojsonseqSettings, GeojsonSettings
from mousetrap.sources.collector import Collector
from mousetrap.sources.geojson import Reader
from mousetrap.sources.sequence import Sequence
from mousetrap.sources.table import Table

pytestmark = pytest.mark.usefixtures("untraced")

ROWS = 200_000
MILLION = 1_000_000
LIMIT = 150_000_000
"""The bytes that a process may take for a million points with a name of its own each."""

PROGRAM = f"""
import resource
from mousetrap.settings.source_kinds import {CsvSettings.__name__}, {GeojsonseqSettings.__name__}
from mousetrap.settings.source_kinds import {GeojsonSettings.__name__}
from mousetrap.sources.collector import {Collector.__name__}
from mousetrap.sources.geojson import {Reader.__name__}
from mousetrap.sources.sequence import {Sequence.__name__}
from mousetrap.sources.table import {Table.__name__}

def peak():
    try:
        # getrusage begins with the peak of the process that started this one.
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

collector = Collector(max_points={ROWS})
parser = PARSER(SETTINGS(url="https://example.org"), collector)
parser.feed(HEAD)
begin = peak()
for start in range(0, {ROWS}, 1000):
    parser.feed("".join(ROW % (i, i % 180) for i in range(start, start + 1000)).encode())
parser.feed(TAIL)
parser.finish()
print(begin, peak(), len(collector))
"""
CSV = {
    "PARSER": "Table",
    "SETTINGS": "CsvSettings",
    "HEAD": repr(b"name,lon,lat,note\n"),
    "ROW": repr('station %d,%d.25,-0.5,"a note that nobody asked for"\r\n'),
    "TAIL": "b''",
}
SEQUENCE = {
    "PARSER": "Sequence",
    "SETTINGS": "GeojsonseqSettings",
    "HEAD": "b''",
    "ROW": repr(
        '{"type": "Feature", "properties": {"name": "station %d", "note": "nobody asked for it"},'
        ' "geometry": {"type": "Point", "coordinates": [%d.25, -0.5]}}\n'
    ),
    "TAIL": "b''",
}
COLLECTION = {
    "PARSER": "Reader",
    "SETTINGS": "GeojsonSettings",
    "HEAD": """b'{"type": "FeatureCollection", "features": ['""",
    "ROW": repr(
        '{"type": "Feature", "properties": {"name": "station %d", "note": "nobody asked for it"},'
        ' "geometry": {"type": "Point", "coordinates": [%d.25, -0.5]}},\n'
    ),
    "TAIL": """b'{"type": "Feature"}]}'""",
}


@pytest.mark.parametrize("form", [CSV, SEQUENCE, COLLECTION], ids=["csv", "geojsonseq", "geojson"])
def test_a_million_points_take_less_memory_than_the_limit(form: dict[str, str]) -> None:
    program = PROGRAM
    for word, text in form.items():
        program = program.replace(word, text)
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=100
    )

    # macOS counts in bytes, Linux in KiB.
    unit = 1 if sys.platform == "darwin" else 1024
    begin, peak, count = map(int, run.stdout.split())
    assert count == ROWS
    assert begin * unit + (peak - begin) * unit * MILLION / ROWS < LIMIT
