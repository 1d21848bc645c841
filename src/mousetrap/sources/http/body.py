"""Reads and decompresses a response body of bounded size."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

import httpx2

from mousetrap.sources.errors import MalformedError, TruncatedError
from mousetrap.sources.http import response_head

STEP: Final = 256 * 1024
GZIP: Final = b"\x1f\x8b"
"""The magic of gzip (RFC 1952 section 2.3.1); no text begins with it."""

LAYERS: Final = 2
"""How deep gzip may be in gzip: servers pack files that are packed already."""

GZIP_WINDOW: Final = zlib.MAX_WBITS | 16


class Allowance:
    """The `max_bytes` that all answers of a fetch may have together, compressed or not."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._left = max_bytes

    def check(self, size: int) -> None:
        """Raise TooLargeError when an answer of `size` bytes is too large."""
        if size > self._left:
            raise response_head.too_large(self._max_bytes)

    def spend(self, size: int) -> None:
        """Take the bytes of an answer off."""
        self._left -= size


async def pieces(response: httpx2.Response, allowance: Allowance) -> AsyncIterator[bytes]:
    """Yield the body of a response whose headers have arrived, decompressed, in pieces up to STEP.

    Yields to other tasks. Raises WrongEncodingError, TooLargeError, TruncatedError, MalformedError.
    """
    response_head.check_encoding(response.headers)
    allowance.check(response_head.length(response.headers))
    layer = Layer()
    async for chunk in response.aiter_raw():
        for piece in layer.feed(chunk):
            # Bytes unpacked on the way count as well: crafted gzip can become nothing for ever.
            allowance.check(layer.largest)
            if piece:
                yield piece
            await asyncio.sleep(0)
    for piece in layer.finish():
        yield piece
    allowance.spend(layer.largest)


class Layer:
    """Unpacks gzip by its magic, whether or not a header names it, and gzip within gzip."""

    def __init__(self, depth: int = LAYERS) -> None:
        self._depth = depth
        self._size = 0
        self._head = b""
        self._known = depth == 0
        self._gzip: Gunzip | None = None
        self._inner: Layer | None = None

    @property
    def largest(self) -> int:
        """Return the bytes that were received or unpacked so far, whichever are more."""
        return self._size if self._inner is None else max(self._size, self._inner.largest)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what the next bytes hold, at least one piece, and at most STEP bytes unpacked.

        Raises MalformedError.
        """
        self._size += len(chunk)
        if not self._known:
            chunk = self._head + chunk
            self._known = len(chunk) >= len(GZIP)
            self._head = b"" if self._known else chunk
            if not self._known:
                yield b""
                return
            if chunk.startswith(GZIP):
                self._gzip, self._inner = Gunzip(), Layer(self._depth - 1)
        if self._gzip is None or self._inner is None:
            yield chunk
            return
        for piece in self._gzip.feed(chunk):
            yield from self._inner.feed(piece)

    def finish(self) -> Iterator[bytes]:
        """Yield the rest; raises TruncatedError unless all that is packed is complete."""
        if self._gzip is None or self._inner is None:
            yield self._head
            return
        self._gzip.finish()
        yield from self._inner.finish()


class Gunzip:
    """The decoder of a gzip body (RFC 1952: one member or several)."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(GZIP_WINDOW)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Decompress the next bytes of the body, and yield at most STEP bytes at a time.

        Raises MalformedError.
        """
        while chunk:
            if self._member.eof:
                self._member = zlib.decompressobj(GZIP_WINDOW)
            try:
                piece = self._member.decompress(chunk, STEP)
            except zlib.error as error:
                raise MalformedError(
                    f"the answer is not valid gzip ({error}): tell the operator of the server"
                ) from error
            chunk = self._member.unconsumed_tail or self._member.unused_data
            yield piece

    def finish(self) -> None:
        """Raise TruncatedError unless the last member is complete."""
        if not self._member.eof:
            raise TruncatedError("the answer ends in the middle of its gzip data: try again")
