"""The protocol of a parser, which reads one answer of a source piece by piece."""

from abc import ABC, abstractmethod
from codecs import BOM_UTF8
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a feed that may come in pages.

    `features` counts what it holds, with or without a place. `next` is the address of the next
    page, which may be relative to that of this one. `partial` says that there are more features
    than the answer holds, wherever they are. `total` is how many features all pages have, if the
    answer says so.
    """

    features: int
    next: str | None = None
    partial: bool = False
    total: int | None = None


class Parser(Protocol):
    """Reads one answer into a collector. Its methods run in a thread and raise SourceError."""

    def feed(self, piece: bytes) -> None:
        """Read the next bytes of the answer; they may end anywhere."""

    def finish(self) -> Page:
        """Read the rest, once the answer has ended."""


class Whole(ABC):
    """The base of parsers of JSON that can only be read whole."""

    def __init__(self) -> None:
        self._body = bytearray()

    def feed(self, piece: bytes) -> None:
        """Keep the bytes."""
        self._body += piece

    def finish(self) -> Page:
        """Read the whole answer, without a byte order mark (RFC 8259 section 8.1)."""
        if self._body.startswith(BOM_UTF8):
            del self._body[: len(BOM_UTF8)]
        return self.read(self._body)

    @abstractmethod
    def read(self, body: bytearray) -> Page:
        """Read the whole answer, which may be altered. Raises SourceError."""
