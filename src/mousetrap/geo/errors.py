"""Errors about points."""


class GeoError(ValueError):
    """Base of the errors of this library."""


class CoordinateError(GeoError):
    """A latitude or longitude is not a finite number in its range; correct it at the source."""


class EmptyBatchError(GeoError):
    """A summary needs at least one point."""


class TooManyGroupsError(GeoError):
    """The property that points are counted by has too many values; choose another one."""
