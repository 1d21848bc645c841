"""Cuts a FeatureCollection into blocks of features while it arrives.

msgspec decodes whole documents only, so each block is wrapped as one: it begins as the document
does, and ends with a marker feature and `]}`. The cut is valid if the marker is the last feature,
whatever the features contain. A cut in another array, such as `links` after the features, leaves
the marker in that array.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from secrets import token_hex
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from mousetrap.sources import diagnosis
from mousetrap.sources.properties import ABSENT

BLOCK: Final = 256 * 1024
"""Bytes that are collected before they are cut; a shorter document is never cut."""

MAX_HEAD: Final = 64 * 1024
"""The maximum bytes before the first feature of a document that is cut."""

TRIES: Final = 3
NEAR: Final = 16 * 1024
FEATURES: Final = b'"features"'
END: Final = b"]}"
MARK: Final = b'{"type":"Feature","id":%b}'

_FEATURES: Final = re.compile(rb'"features"\s*:\s*\[')
# The members that features begin with; most begin with their type.
_BETWEEN: Final = re.compile(
    rb'\}\s*,\s*(?=\{\s*"(?:type|id|geometry|properties|bbox|geometry_name)"\s*:)'
)


class _Repeated(Struct):
    features: Raw = ABSENT


_REPEATED: Final = msgspec.json.Decoder(_Repeated)


class Blocks[D]:
    """The blocks of one document, each decoded as a document of its own with the same beginning.

    `decoder` reads a document; members after the features are in the last one only. A document that
    cannot be cut, as when its type comes last, is one block. `ends_with` returns whether the last
    feature of a document has an id, given as JSON, and removes that feature.
    """

    def __init__(
        self, decoder: "msgspec.json.Decoder[D]", ends_with: Callable[[D, bytes], bool]
    ) -> None:
        self._decoder = decoder
        self._ends_with = ends_with
        self._id = b'"%b"' % token_hex(8).encode()
        self._mark = MARK % self._id
        self._head = b""
        self._buffer = bytearray()
        self._enough = BLOCK
        self._begun = False
        self._passed = 0

    @property
    def shift(self) -> int:
        """Offset from a position in the last document to its position in the answer."""
        return self._passed - len(self._head)

    @property
    def head(self) -> int:
        """Length of the head that every block repeats; 0 when the document is not cut."""
        return len(self._head)

    def feed(self, piece: bytes) -> D | None:
        """Take the next bytes; return the document of a block when one is complete."""
        self._buffer += piece
        if len(self._buffer) < self._enough:
            return None
        if not self._begun:
            self._begun = True
            self._begin()
        if not self._head:
            return None
        for begin, end in self._boundaries():
            part = bytearray(self._head) + self._buffer[:begin]
            document = self._read(part + b"," + self._mark + END)
            if document is not None and not repeats(part + END, len(self._head)):
                self._drop(end)
                self._enough = BLOCK
                return document
        self._enough = 2 * len(self._buffer)
        return None

    def last(self) -> bytearray:
        """Return the last document, which has not been read."""
        document, self._buffer = self._buffer, bytearray()
        document[:0] = self._head
        return document

    def _begin(self) -> None:
        """Find the beginning of the document, up to its first feature."""
        start = bytes(self._buffer[:MAX_HEAD]).removeprefix(BOM_UTF8)  # RFC 8259 section 8.1
        for found in _FEATURES.finditer(start):
            head = start[: found.end()]
            if self._read(bytearray(head + self._mark + END)) is not None:
                self._head = head
                self._drop(self._buffer.index(head) + len(head))
                return

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._passed += count

    def _boundaries(self) -> Iterator[tuple[int, int]]:
        """Yield where a feature may end and the next one begin, the last boundary first."""
        size = len(self._buffer)
        for start in dict.fromkeys((max(size - NEAR, 0), 0)):
            found = list(_BETWEEN.finditer(self._buffer, start))
            if found:
                yield from ((it.start() + 1, it.end()) for it in found[: -TRIES - 1 : -1])
                return

    def _read(self, document: bytearray) -> D | None:
        try:
            found = decoded(document, self._decoder.decode)
        except (msgspec.DecodeError, RecursionError):
            return None
        return found if self._ends_with(found, self._id) else None


def repeats(document: bytearray, head: int) -> bool:
    """Return whether there is another member `features` after the head of a document.

    The head is the first `head` bytes, up to the first feature.
    """
    if document.find(FEATURES, head) < 0:
        return False
    name = document.rfind(FEATURES, 0, head)
    others = document[:name] + b'"block"' + document[name + len(FEATURES) :]
    return decoded(others, _REPEATED.decode).features is not ABSENT


def decoded[D](document: bytearray, decode: Callable[[Any], D]) -> D:
    """Return a decoded document; replaces lone surrogates in it when it cannot be decoded."""
    try:
        return decode(document)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if diagnosis.mend_surrogates(document):
            return decode(document)
        raise
