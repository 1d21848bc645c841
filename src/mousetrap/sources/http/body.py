"""Reads and decompresses a response body of bounded size."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

import httpx2

from mousetrap.sources.errors import MalformedError, TruncatedError
from mousetrap.sources.http import response_head

STEP: Final = 256 * 1024
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
    allowance.check(response_head.length(response.headers))
    decoder = Gunzip() if response_head.is_gzip(response.headers) else Plain()
    received = size = 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        for piece in decoder.feed(chunk):
            size += len(piece)
            # Received bytes count as well: crafted gzip can decompress to nothing for ever.
            allowance.check(max(received, size))
            if piece:
                yield piece
            await asyncio.sleep(0)
    decoder.finish()
    allowance.spend(max(received, size))


class Plain:
    """The decoder of an uncompressed body."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the next bytes of the body unchanged."""
        yield chunk

    def finish(self) -> None:
        """Accept any end: HTTP itself detects truncation."""


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
