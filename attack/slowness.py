"""Slowness: connections that hold a slot and do next to nothing with it."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

from attack.case import Act, Attack, Kind
from attack.errors import NotHeldError
from attack.target import Target
from attack.wire import Wire

LARGE: Final = "/docs/assets/swagger-ui/swagger-ui-bundle.js"
"""The largest answer that everybody may ask for."""
ENDS_WITHIN: Final = 45.0
"""Seconds in which a connection without progress must have ended."""
PERIOD: Final = 1.0
READERS: Final = 40
PIPELINED: Final = 16
SLOW: Final = 2048
"""The receive window of a slow reader in bytes."""


def attacks() -> Iterator[Attack]:
    """Yield all attacks of this kind."""
    yield _attack("a connection that says nothing", "", _says(b"", b""))
    yield _attack("a byte of the request line a second", "", _says(b"GET /", b"a"))
    yield _attack(
        "a byte of a header a second", "", _says(b"GET / HTTP/1.1\r\nHost: a\r\nX-Odd: ", b"a")
    )
    yield _attack("an empty line a second", "M3", _says(b"", b"\r\n"))
    yield _attack("an empty line a second after an answer", "M3", _idles(b"\r\n"))
    yield _attack("nothing after an answer", "", _idles(b""))
    yield _attack("a byte of a body a second", "", _body(b"a"))
    yield _attack("a chunk a second", "", _chunks(b"1\r\n \r\n", b""))
    yield _attack("a byte of a chunk extension a second", "H1", _chunks(b"a", b"2;"))
    yield _attack("a trailer a second", "H1", _chunks(b"t: a\r\n", b"0\r\n"))
    yield _attack("a byte a second after a 413", "M3", _after_refusal)
    yield _attack("half of a TLS handshake", "", _says(b"\x16\x03\x01", b"\x01"))
    for path in (LARGE, "/dashboard", "/jobs?limit=100"):
        yield _attack(f"slow readers of {path}", "H2", _slow_readers(path))
    yield _attack("slow readers of /events", "H2", _slow_events)
    yield _attack("a reader of one byte a second", "H2", _one_byte)


def _attack(name: str, finding: str, act: Act) -> Attack:
    return Attack(Kind.SLOWNESS, name, finding, act, seconds=ENDS_WITHIN + 15, quick=False)


async def _drips(connection: Wire, unit: bytes) -> None:
    """Send a unit each second until the server ends the connection; raises NotHeldError."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ENDS_WITHIN):
            while True:
                if unit and not await connection.send(unit):
                    return
                if await connection.closed_within(PERIOD):
                    return
    raise NotHeldError(f"the connection is held for more than {ENDS_WITHIN:g} s")


def _says(first: bytes, unit: bytes) -> Act:
    async def act(target: Target) -> None:
        async with target.connected() as connection:
            await connection.send(first)
            await _drips(connection, unit)

    return act


def _idles(unit: bytes) -> Act:
    async def act(target: Target) -> None:
        async with target.connected() as connection:
            await connection.send(target.request("GET /health/live", keep=True))
            await connection.receive(seconds=5, until=b"\r\n\r\n")
            await _drips(connection, unit)

    return act


def _body(unit: bytes) -> Act:
    async def act(target: Target) -> None:
        async with target.connected() as connection:
            head = target.request("POST /refresh", {"Content-Length": "10000"}, keep=True)
            await connection.send(head)
            await _drips(connection, unit)

    return act


def _chunks(unit: bytes, first: bytes) -> Act:
    async def act(target: Target) -> None:
        async with target.connected() as connection:
            head = target.request("POST /refresh", {"Transfer-Encoding": "chunked"}, keep=True)
            await connection.send(head.replace(b"Content-Length: 0\r\n", b"") + first)
            await _drips(connection, unit)

    return act


async def _after_refusal(target: Target) -> None:
    async with target.connected() as connection:
        head = target.request("POST /refresh", {"Content-Length": str(2**40)}, keep=True)
        await connection.send(head)
        await connection.receive(seconds=2, until=b"\r\n\r\n")
        await _drips(connection, b"a")


def _slow_readers(path: str) -> Act:
    """Readers that read nothing must be cut off; the system serves others meanwhile."""

    async def act(target: Target) -> None:
        source = target.peer()
        request = target.request(f"GET {path}", keep=True)
        async with contextlib.AsyncExitStack() as stack:
            readers = []
            for _ in range(READERS):
                with contextlib.suppress(OSError, TimeoutError):
                    connection = await stack.enter_async_context(
                        target.connected(source=source, window=SLOW)
                    )
                    await connection.send(request * PIPELINED)
                    readers.append(connection)
            await _served(target)
            await asyncio.sleep(ENDS_WITHIN - 10)
            await _served(target)
            alive = [it for it in readers if not await it.closed_within(1)]
            if alive:
                raise NotHeldError(f"{len(alive)} of {READERS} slow readers are still served")

    return act


async def _slow_events(target: Target) -> None:
    async with target.connected(window=SLOW) as connection:
        await connection.send(target.request("GET /events", keep=True))
        await _served(target)


async def _one_byte(target: Target) -> None:
    """A reader may be slow, but must not keep others from being served."""
    request = target.request(f"GET {LARGE}", keep=True)
    async with target.connected(window=SLOW) as connection:
        await connection.send(request * PIPELINED)
        for _ in range(5):
            await connection.receive(seconds=PERIOD, until=b"H")
            await _served(target)


async def _served(target: Target) -> None:
    answer = await target.ask("GET /", seconds=5)
    if answer.status != 200:
        raise NotHeldError(f"a stranger is answered {answer.status}")
