"""Sizes: heads, bodies and headers beyond what the API needs."""

from collections.abc import Callable, Iterator
from typing import Final

from attack.case import Act, Attack, Kind
from attack.errors import NotHeldError
from attack.target import Target
from attack.wire import Wire

BIG: Final = 100_000
HUGE: Final = 8 * 1024 * 1024

LONG_HEADERS: Final = {
    "a Cookie": {"Cookie": "a=" + "b" * BIG},
    "an Authorization": {"Authorization": "Bearer " + "b" * BIG},
    "an Accept": {"Accept": ", ".join(["text/html;q=0.1"] * 6_000)},
    "an If-None-Match": {"If-None-Match": ", ".join(['"a"'] * 20_000)},
    "an Idempotency-Key": {"Idempotency-Key": "k" * BIG},
    "a Last-Event-ID": {"Last-Event-ID": "1" * BIG},
    "a traceparent": {"traceparent": "00-" + "a" * BIG},
    "a Range": {"Range": "bytes=" + ",".join(f"{i}-" for i in range(16_000))},
    "an Origin": {"Origin": "http://" + "a" * BIG},
    "a User-Agent": {"User-Agent": "u" * BIG},
}

ODD_BODIES: Final = {
    "nesting": b"[" * 8_000 + b"]" * 8_000,
    "nesting of objects": b'{"source":' * 1_500 + b"1" + b"}" * 1_500,
    "a number without end": b'{"source": ' + b"9" * 15_000 + b"}",
    "an exponent": b'{"source": 1e999999999}',
    "a source of 15,000 characters": b'{"source": "' + b"a" * 15_000 + b'"}',
    "a NUL in a source": b'{"source": "a\\u0000b"}',
    "a lone surrogate": b'{"source": "\\ud800"}',
    "bytes that are not UTF-8": b'{"source": "\xff\xfe"}',
    "UTF-16": '{"source": "demo"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"source": 1}',
    "a key twice": b'{"source": 1, "source": 2}',
    "a list": b'["demo"]',
    "NaN": b'{"source": NaN}',
    "many keys": b"{" + b",".join(b'"k%d":1' % i for i in range(1_500)) + b"}",
    "a URL for a source": b'{"source": "http://127.0.0.1/"}',
    "a path for a source": b'{"source": "../../etc/passwd"}',
    "SQL for a source": b'{"source": "\'; DROP TABLE job; --"}',
}
"""Bodies of the right size that name no source."""


def attacks() -> Iterator[Attack]:
    """Yield all attacks of this kind."""
    yield Attack(Kind.SIZES, "a request line of 100 kB", "", _refused(_target))
    yield Attack(Kind.SIZES, "10,000 headers", "", _refused(_many_headers))
    yield Attack(Kind.SIZES, "a header name of 100 kB", "", _refused(_long_name))
    for name, headers in LONG_HEADERS.items():
        yield Attack(Kind.SIZES, f"{name} of 100 kB", "", _long_header(headers))
    yield Attack(Kind.SIZES, "an endless head", "", _endless_head, seconds=30)
    yield Attack(Kind.SIZES, "a body of 8 MB, announced", "", _announced)
    yield Attack(Kind.SIZES, "an endless body in chunks", "", _endless_body, seconds=30)
    yield Attack(Kind.SIZES, "a body that follows its 413", "M3", _after_refusal, seconds=30)
    yield Attack(Kind.SIZES, "20,000 chunks of one byte", "H1", _tiny_chunks, seconds=30)
    yield Attack(Kind.SIZES, "a compressed body", "", _compressed)
    for name, body in ODD_BODIES.items():
        yield Attack(Kind.SIZES, f"{name} in a body", "", _odd_body(body))


def _target(target: Target) -> bytes:
    return target.request("GET /?source=" + "a" * BIG)


def _many_headers(target: Target) -> bytes:
    return target.request("GET /", {f"X-{i}": "a" for i in range(10_000)})


def _long_name(target: Target) -> bytes:
    return target.request("GET /", {"X-" + "a" * BIG: "a"})


def _refused(message: Callable[[Target], bytes]) -> Act:
    async def act(target: Target) -> None:
        answer = await target.exchange(message(target), seconds=5)
        if answer.status and not 400 <= answer.status < 500:
            raise NotHeldError(f"it was answered {answer.status}")

    return act


def _long_header(headers: dict[str, str]) -> Act:
    return _refused(lambda target: target.request("GET /", headers))


def _odd_body(body: bytes) -> Act:
    async def act(target: Target) -> None:
        answer = await target.ask("POST /refresh", body=body)
        if not 400 <= answer.status < 500:
            raise NotHeldError(f"it was answered {answer.status}")

    return act


async def _endless_head(target: Target) -> None:
    async with target.connected() as connection:
        await connection.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Odd: ")
        await _pour(connection, b"a" * 4096)


async def _announced(target: Target) -> None:
    async with target.connected() as connection:
        await connection.send(target.request("POST /refresh", {"Content-Length": str(HUGE)}))
        answer = await connection.receive(seconds=3, until=b"\r\n\r\n")
        if answer.status not in {0, 413} and not answer.closed:
            raise NotHeldError(f"it was answered {answer.status}")


async def _endless_body(target: Target) -> None:
    async with target.connected() as connection:
        await connection.send(_chunked(target))
        await _pour(connection, b"1000\r\n" + b"a" * 4096 + b"\r\n")


async def _after_refusal(target: Target) -> None:
    async with target.connected() as connection:
        await connection.send(
            target.request("POST /refresh", {"Content-Length": str(2**40)}, keep=True)
        )
        await connection.receive(seconds=2, until=b"\r\n\r\n")
        await _pour(connection, b"a" * 4096)


async def _tiny_chunks(target: Target) -> None:
    answer = await target.exchange(_chunked(target) + b"1\r\n \r\n" * 20_000 + b"0\r\n\r\n")
    if answer.status in range(200, 300) or answer.status >= 500:
        raise NotHeldError(f"it was answered {answer.status}")


async def _compressed(target: Target) -> None:
    answer = await target.ask(
        "POST /refresh", {"Content-Encoding": "gzip"}, b"\x1f\x8b" + bytes(99)
    )
    if not 400 <= answer.status < 500:
        raise NotHeldError(f"it was answered {answer.status}")


def _chunked(target: Target) -> bytes:
    message = target.request("POST /refresh", {"Transfer-Encoding": "chunked"}, keep=True)
    return message.replace(b"Content-Length: 0\r\n", b"")


async def _pour(connection: Wire, unit: bytes) -> None:
    while connection.sent < HUGE:
        if not await connection.send(unit * 16):
            return
    if not await connection.closed_within(1):
        raise NotHeldError(f"{connection.sent} bytes were taken without an end")
