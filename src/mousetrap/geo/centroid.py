"""The centroid of a batch of points."""

from array import array
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
    """The unit vectors of positions that come in parts: three numbers of eight bytes for each."""

    def __init__(self) -> None:
        self._xs, self._ys, self._zs = array("d"), array("d"), array("d")

    def add(self, latitudes: Sequence[float], longitudes: Sequence[float]) -> None:
        """Take further positions, in degrees WGS 84."""
        xs, ys, zs = [], [], []
        for lat, lon in zip(map(radians, latitudes), map(radians, longitudes), strict=True):
            radius = cos(lat)
            xs.append(radius * cos(lon))
            ys.append(radius * sin(lon))
            zs.append(sin(lat))
        self._xs.fromlist(xs)
        self._ys.fromlist(ys)
        self._zs.fromlist(zs)

    def centroid(self) -> Centroid | None:
        """Return the centroid of at least one position, as `centroid_of` does."""
        # fsum rounds the exact sum once, so neither the order nor the parts matter.
        count = len(self._xs)
        x, y, z = fsum(self._xs) / count, fsum(self._ys) / count, fsum(self._zs) / count
        if hypot(x, y, z) < VANISHING:
            return None
        off_axis = hypot(x, y)
        lon = degrees(atan2(y, x)) if off_axis > ON_AXIS else 0.0
        return Centroid(degrees(atan2(z, off_axis)) + 0.0, meridian(lon))
