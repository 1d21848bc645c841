"""The outcome of an attack, against servers that hold and servers that do not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from attack import report, runner, target
from attack.case import Attack, Kind, Outcome, Result
from attack.errors import AttackError, NotHeldError, NotTriedError
from attack.target import Target

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextlib.asynccontextmanager
async def serving(reply: bytes) -> AsyncIterator[Target]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Target("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        server.abort_clients()
        await server.wait_closed()


async def _holds(_: Target) -> None:
    pass


async def _breaks(_: Target) -> None:
    raise NotHeldError("it broke")


async def _cannot(_: Target) -> None:
    raise NotTriedError("not here")


async def _lasts(_: Target) -> None:
    await asyncio.Event().wait()


async def _gives_up(_: Target) -> None:
    async with asyncio.timeout(0):
        await asyncio.Event().wait()


def attack(name: str, act: object) -> Attack:
    return Attack(Kind.FRAMING, name, "", act, seconds=0.1)  # type: ignore[arg-type]


async def test_each_attack_has_a_result_and_a_reason() -> None:
    acts = {"holds": _holds, "breaks": _breaks, "cannot": _cannot, "lasts": _lasts}
    acts["gives up"] = _gives_up
    chosen = [attack(name, act) for name, act in acts.items()]

    async with serving(OK) as aim:
        outcomes = await runner.run(chosen, aim, print)

    found = {it.name: (it.result, it.reason) for it in outcomes}
    assert found["holds"] == (Result.HELD, "")
    assert found["breaks"] == (Result.NOT_HELD, "it broke")
    assert found["cannot"] == (Result.NOT_TRIED, "not here")
    assert found["lasts"] == (
        Result.NOT_HELD,
        "the system kept the attacker waiting for 0.1 s",
    )
    assert found["gives up"][0] is Result.NOT_HELD
    assert "0.1 s" not in found["gives up"][1]
    assert found["then the system serves a stranger"] == (Result.HELD, "")


async def test_a_system_that_is_gone_has_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RECOVERS_WITHIN", 0.0)
    async with serving(OK) as aim:
        gone = Target(aim.host, aim.port)

    outcomes = await runner.run([attack("holds", _holds)], gone, print)

    assert [it.result for it in outcomes] == [Result.HELD, Result.NOT_HELD]


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1",
        "http://[2001:db8::1]:80",
        "https://127.0.0.1",
        "127.0.0.1:8000",
        "http://",
    ],
)
def test_only_this_machine_is_attacked(url: str) -> None:
    with pytest.raises(AttackError):
        target.at(url, token="", mine=False)


def test_another_machine_is_attacked_by_its_owner() -> None:
    assert target.at("http://192.0.2.1:81", token="", mine=True).port == 81
    assert target.at("http://127.0.0.1:82/", token="", mine=False).port == 82


def test_the_report_counts_and_lists() -> None:
    outcomes = [
        Outcome(Kind.FRAMING, "one", "H1", Result.HELD),
        Outcome(Kind.FRAMING, "two", "H2", Result.NOT_HELD, "why"),
        Outcome(Kind.ROLES, "three", "", Result.NOT_TRIED, "because"),
    ]

    found = report.results(1.0, outcomes)

    text = report.text(found)
    assert found.failed
    assert "NOT held: framing: two (H2): why" in text
    assert "not tried: roles: three: because" in text
    assert "2 attacks tried, 1 held" in text
