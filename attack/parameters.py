"""Parameters: every query parameter and path, with values that nobody expects."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from attack.case import Act, Attack, Kind
from attack.errors import NotHeldError
from attack.target import Target

SERVER_ERROR: Final = 500

PARAMETERS: Final = {
    "/": ("source",),
    "/events": ("source",),
    "/jobs": ("state", "source", "since", "until", "cursor", "limit"),
    "/summaries": ("source", "since", "until", "cursor", "limit"),
    "/dead-letters": ("cursor", "limit"),
}

VALUES: Final = {
    "odd numbers": (
        *("0", "-1", "+1", "1e1", "1.0", "0x10", "1_0", " 1", "NaN", "Infinity", "-0"),
        *("99999999999999999999", "9223372036854775808", "\u0663", "\uff11"),
    ),
    "NUL and control characters": ("\x00", "a\x00b", "\r\nX-Odd: a", "\x1b[31m", "\x7f"),
    "overlong values": ("a" * 5_000, "1" * 5_000, "%" * 2_000),
    "unicode": ("\U0001f400", "\u202e", "e\u0301" * 200, "\ufeff", "\u212a", "\ufdfa" * 100),
    "SQL and templates": ("' OR 1=1 --", "1; SELECT pg_sleep(9)", "${7*7}", "{{7*7}}", "%s%n"),
    "odd times": ("9999-12-31T23:59:60Z", "0000-00-00T00:00:00Z", "infinity", "now", "1e9"),
}

RAW: Final = {
    "bytes that are not UTF-8": "%ff%fe",
    "an escape cut short": "%e2%82",
    "an escape that is none": "%zz",
    "an overlong escape": "%c0%ae",
    "a lone surrogate": "%ed%a0%80",
    "1,000 times the same": "&{name}=".join("a" * 1_000),
}
"""Query strings, as they are sent."""

STRICT: Final = ("0", "-1", "+1", "1e1", "1.0", "0x10", "1_0", " 1", "NaN", "-0", "\u0663")

PATHS: Final = (
    "/jobs/{}",
    "/summaries/{}",
    "/summaries/{}/points",
    "/summaries/{}/changes",
    "/jobs/{}/retry",
    "/{}",
)


def attacks() -> Iterator[Attack]:
    """Yield all attacks of this kind."""
    for path, names in PARAMETERS.items():
        for name in names:
            for sort, values in VALUES.items():
                yield _attack(
                    f"{sort} as {name} of {path}",
                    [f"{path}?{name}={quote(it, safe='')}" for it in values],
                )
            yield _attack(
                f"odd escapes as {name} of {path}",
                [f"{path}?{name}={it.replace('{name}', name)}" for it in RAW.values()],
            )
    for path in PATHS:
        ids = [quote(it, safe="") for values in VALUES.values() for it in values]
        yield _attack(f"odd ids in {path}", [path.format(it) for it in (*ids, *RAW.values())])
    for path in ("/jobs", "/summaries", "/dead-letters"):
        yield Attack(Kind.PARAMETERS, f"odd limits of {path} are refused", "Also", _strict(path))


def _attack(name: str, lines: list[str]) -> Attack:
    return Attack(Kind.PARAMETERS, name, "", _no_trouble(lines), seconds=60)


def _no_trouble(lines: list[str]) -> Act:
    async def act(target: Target) -> None:
        source = target.peer()
        for line in lines:
            method = "POST" if line.endswith("/retry") else "GET"
            seconds = 0.5 if line.startswith("/events") else 10.0
            answer = await target.ask(f"{method} {line}", source=source, seconds=seconds)
            if answer.status >= SERVER_ERROR:
                raise NotHeldError(f"{line[:100]} was answered {answer.status}")
            if b"\r\nx-odd:" in answer.head:
                raise NotHeldError(f"{line[:100]} wrote a header")

    return act


def _strict(path: str) -> Act:
    async def act(target: Target) -> None:
        for value in STRICT:
            answer = await target.ask(f"GET {path}?limit={quote(value, safe='')}")
            if answer.status in range(200, 300):
                raise NotHeldError(f"limit={value!r} is taken")

    return act
