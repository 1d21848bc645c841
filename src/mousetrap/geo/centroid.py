"""The centroid of a batch of points."""

from collections.abc import Sequence
from math import atan2, cos, degrees, fsum, hypot, radians, sin
from typing import Final, NamedTuple

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import meridian

# In Earth radii, so 6 mm from the centre of the Earth. The rounding of degrees to floats and of
# sine and cosine moves a mean vector by up to 1e-15 or so, which at this length turns it by no
# more than 1e-6 radians (6 m on the ground); much below it, the direction would be noise.
VANISHING: Final = 1e-9

# In Earth radii: ten times what rounding alone can move a mean vector off the axis.
ON_AXIS: Final = 1e-14


class Centroid(NamedTuple):
    """A place, in degrees WGS 84: `lat` from -90 to 90, `lon` from -180 to, but without, 180."""

    lat: float
    lon: float


def centroid_of(batch: Batch) -> Centroid | None:
    """Return the centroid on the sphere of at least one point: the direction of their mean vector.

    Each point counts as the unit vector that is normal to the Earth's surface there. The mean of
    these vectors points at the centroid, on either side of the antimeridian and at the poles
    alike: the mean direction of Mardia & Jupp, Directional Statistics (2000), chapter 9; the
    mean position of Gade, A Non-singular Horizontal Position Representation, The Journal of
    Navigation 63 (2010).

    None when the mean vector is shorter than 1e-9 (VANISHING): the points, such as two antipodes,
    balance each other, and the centroid is undefined. At a pole the longitude is 0. The order of
    the points changes no bit of the result.
    """
    return centroid_at(batch.latitudes, batch.longitudes)


def centroid_at(latitudes: Sequence[float], longitudes: Sequence[float]) -> Centroid | None:
    """Return the centroid of positions that are not in a batch, as `centroid_of` does."""
    vectors = Vectors()
    vectors.add(latitudes, longitudes)
    return vectors.centroid()


class Vectors:
    """The sum of the unit vectors of positions that come in parts, of which none is kept."""

    def __init__(self) -> None:
        self._count = 0
        self._xs: list[float] = []
        self._ys: list[float] = []
        self._zs: list[float] = []

    def add(self, latitudes: Sequence[float], longitudes: Sequence[float]) -> None:
        """Take further positions, in degrees WGS 84."""
        xs, ys, zs = [], [], []
        for lat, lon in zip(map(radians, latitudes), map(radians, longitudes), strict=True):
            radius = cos(lat)
            xs.append(radius * cos(lon))
            ys.append(radius * sin(lon))
            zs.append(sin(lat))
        self._count += len(xs)
        self._xs += _expansion(xs)
        self._ys += _expansion(ys)
        self._zs += _expansion(zs)

    def centroid(self) -> Centroid | None:
        """Return the centroid of at least one position, as `centroid_of` does."""
        # fsum rounds the exact sum once, so neither the order nor the parts matter.
        x, y, z = (fsum(terms) / self._count for terms in (self._xs, self._ys, self._zs))
        if hypot(x, y, z) < VANISHING:
            return None
        off_axis = hypot(x, y)
        lon = degrees(atan2(y, x)) if off_axis > ON_AXIS else 0.0
        return Centroid(degrees(atan2(z, off_axis)) + 0.0, meridian(lon))


def _expansion(numbers: list[float]) -> list[float]:
    """Return a few numbers whose exact sum is that of `numbers`, which get their negatives as well.

    Each is what rounding has left of the sum by those before (Shewchuk, Adaptive Precision
    Floating-Point Arithmetic, Discrete & Computational Geometry 18, 1997).
    """
    count = len(numbers)
    while rest := fsum(numbers):
        numbers.append(-rest)
    return [-term for term in numbers[count:]]
