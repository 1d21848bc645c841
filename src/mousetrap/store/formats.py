"""The formats that a batch is given back in, piece by piece."""

from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

import msgspec

_NUMBERS: Final = msgspec.json.Decoder(list[float])
_TEXTS: Final = msgspec.json.Decoder(list[str | None])
_VALUES: Final = msgspec.json.Decoder(list[float | None])


@dataclass(frozen=True, slots=True)
class Columns:
    """Points as columns; one that the source does not ask for is None."""

    latitudes: list[float]
    longitudes: list[float]
    names: list[str | None]
    ids: list[str | None] | None = None
    groups: list[str | None] | None = None
    values: list[float | None] | None = None

    @property
    def plain(self) -> bool:
        """Whether the points have no more than a name, as most do."""
        return self.ids is None and self.groups is None and self.values is None

    @classmethod
    def decode(  # noqa: PLR0913, PLR0917 - the columns of a batch
        cls,
        latitudes: str,
        longitudes: str,
        names: str,
        ids: str | None,
        groups: str | None,
        values: str | None,
    ) -> "Columns":
        """Return columns of JSON arrays, as a part of a batch has them."""
        return cls(
            _NUMBERS.decode(latitudes),
            _NUMBERS.decode(longitudes),
            _TEXTS.decode(names),
            None if ids is None else _TEXTS.decode(ids),
            None if groups is None else _TEXTS.decode(groups),
            None if values is None else _VALUES.decode(values),
        )


class Format(Protocol):
    """A format that can be written piece by piece."""

    between: ClassVar[bytes]
    """Between two parts."""

    end: ClassVar[bytes]
    """After the last part."""

    def begin(self, bbox: str, first: Columns) -> bytes:
        """Return what comes before the first part.

        `bbox` is a JSON array of west, south, east, north.
        """

    def points(self, part: Columns) -> bytes:
        """Return the points of a part, in their order."""
