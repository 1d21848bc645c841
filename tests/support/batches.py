"""Generated batches of points."""

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from mousetrap.geo import summary
from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point

# Degrees in steps of 1/1024: sums and differences of them are exact in floating point.
STEPS = 1024


def _exact(limit: int) -> st.SearchStrategy[float]:
    return st.integers(-limit * STEPS, limit * STEPS).map(lambda steps: steps / STEPS)


# Corners come up often, so that equal latitudes, shared meridians, poles and antipodes do too.
exact_latitudes = st.sampled_from([0.0, 45.0, -45.0, 90.0, -90.0]) | _exact(90)
exact_longitudes = st.sampled_from([0.0, 90.0, -90.0, 180.0, -180.0, 179.0, -179.0]) | _exact(180)
latitudes = exact_latitudes | st.floats(-90, 90)
longitudes = exact_longitudes | st.floats(-180, 180)
# A short alphabet of its own: hypothesis writes a table of all characters to disk otherwise.
names = st.none() | st.text(alphabet="aZé京🌍 ", max_size=3)

points = st.builds(Point, lat=latitudes, lon=longitudes, name=names)
exact_points = st.builds(Point, lat=exact_latitudes, lon=exact_longitudes, name=names)
batches = st.lists(points, min_size=1, max_size=12)
exact_batches = st.lists(exact_points, min_size=1, max_size=12)
poleless_batches = st.lists(points.filter(lambda p: abs(p.lat) < 90), min_size=1, max_size=12)
poleless_exact_batches = st.lists(
    exact_points.filter(lambda p: abs(p.lat) < 90), min_size=1, max_size=12
)
batches_and_shuffles = batches.flatmap(
    lambda batch: st.tuples(st.just(batch), st.permutations(batch))
)


def summarise(points: Iterable[Point]) -> summary.Summary:
    """Return the summary of these points."""
    return summary.summarise(Batch.of(points))


def rotate(batch: Sequence[Point], angle: float) -> list[Point]:
    """Return the points turned about the Earth's axis."""
    return [Point(p.lat, wrap(p.lon + angle), p.name) for p in batch]


def wrap(angle: float) -> float:
    """Return the angle as one from -180 up to, but without, 180 degrees."""
    return (angle + 180) % 360 - 180
