"""A TCP proxy between a process and a server, which fails on command."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import parse_qs, urlsplit

from chaos.relays import CHUNK, closed, listening


@contextlib.asynccontextmanager
async def behind(dsn: str) -> AsyncIterator[tuple["Proxy", str]]:
    """Run a proxy in front of an embedded Postgres; yield it and the DSN that leads through it."""
    there = urlsplit(dsn)
    query = parse_qs(there.query)
    async with Proxy.to(f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}") as proxy:
        yield proxy, f"postgresql://{there.username}@127.0.0.1:{proxy.port}{there.path}"


class Proxy:
    """Forwards connections to a TCP port of 127.0.0.1, or a Unix socket, and can be told to fail.

    While `answers_pass` or `requests_pass` is cleared, the bytes of that direction are held back
    without a word, as behind a firewall that drops them, and so is the end of a connection. `delay`
    is in seconds, for each direction, and `rate` in bytes a second, if it is limited. Of each
    piece that passes, `resets` is the share that resets its connection; of answers, `losses` is the
    share that do so though the server has done what it was asked for. `struck` counts the pieces
    that were held back, delayed, reset or lost, and the connections that were held back or cut.
    """

    def __init__(self, target: int | str, *, seed: int = 0) -> None:
        self.port = 0
        self.connections = 0
        self.struck = 0
        self.answers_pass = asyncio.Event()
        self.requests_pass = asyncio.Event()
        self.heal()
        self._target = target
        self._rng = random.Random(seed)  # noqa: S311 - the same in every run
        self._lose_answer: asyncio.Event | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, target: int | str, *, seed: int = 0) -> AsyncIterator[Self]:
        """Run a proxy to a port or to the path of a socket."""
        proxy = cls(target, seed=seed)
        async with listening(proxy._serve) as proxy.port:
            yield proxy

    def block(self) -> None:
        """Let nothing pass in either direction."""
        self.answers_pass.clear()
        self.requests_pass.clear()

    def heal(self) -> None:
        """Let all pass again, also what was held back."""
        self.delay = self.resets = self.losses = 0.0
        self.rate: float | None = None
        self.answers_pass.set()
        self.requests_pass.set()

    def cut(self) -> None:
        """Reset all connections."""
        self.struck += len(self._writers) // 2
        for writer in list(self._writers):
            writer.transport.abort()

    def lose_next_answer(self) -> asyncio.Event:
        """Reset the connection of the next answer in its place; the event says that it was."""
        self._lose_answer = asyncio.Event()
        return self._lose_answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        first = await self._wait_for_server(reader)
        if first is None:
            return
        if isinstance(self._target, int):
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        else:
            there, back = await asyncio.open_unix_connection(self._target)
        ends = {writer, back}
        self._writers |= ends
        back.write(first)
        try:
            async with closed(back), asyncio.TaskGroup() as group:
                group.create_task(self._forward(reader, back, self.requests_pass))
                group.create_task(self._forward(there, writer, self.answers_pass))
        finally:
            self._writers -= ends

    async def _wait_for_server(self, reader: asyncio.StreamReader) -> bytes | None:
        """Wait until both directions pass: no connection is made before.

        Return what has come meanwhile; None if the client has given up.
        """
        came = bytearray()

        async def gone() -> None:
            with contextlib.suppress(OSError):
                while data := await reader.read(CHUNK):
                    came.extend(data)

        async def passes() -> None:
            await self.requests_pass.wait()
            await self.answers_pass.wait()

        giving_up, passing = asyncio.create_task(gone()), asyncio.create_task(passes())
        both = {giving_up, passing}
        try:
            if not (self.requests_pass.is_set() and self.answers_pass.is_set()):
                self.struck += 1
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.wait(both)
        return None if giving_up.done() and not giving_up.cancelled() else bytes(came)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if self._breaks(passes):
                    self.struck += 1
                    break
                self.struck += not passes.is_set() or bool(self.delay) or self.rate is not None
                await passes.wait()
                await asyncio.sleep(self.delay + (len(data) / self.rate if self.rate else 0))
                writer.write(data)
                await writer.drain()
            else:
                await passes.wait()
        # Both directions end together: neither server half-closes.
        writer.transport.abort()

    def _breaks(self, passes: asyncio.Event) -> bool:
        answers = passes is self.answers_pass
        if answers and self._lose_answer is not None:
            self._lose_answer.set()
            self._lose_answer = None
            return True
        share = self.resets + (self.losses if answers else 0)
        return bool(share) and self._rng.random() < share
