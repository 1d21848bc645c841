"""The circuit breakers of the sources, which all fetch workers share."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from mousetrap.queue import scripts
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.server import Answering, Client

KEY: Final = "mousetrap:circuits"
"""A hash: by source, the circuit of each whose last fetch failed."""

PACE: Final = "mousetrap:pace:"
"""The prefix of keys that exist while a source rests."""

MAX_BYTES: Final = 512
"""The most bytes of a circuit: more than twice what one takes with the longest code."""

FAILURES: Final = 5
"""The number of failures in a row that opens a circuit."""

Milliseconds = Annotated[int, Meta(ge=0, le=2**53)]


class Circuit(Struct, frozen=True):
    """A source that failed `failures` times in a row, the last time with `code`.

    Its state is `closed` until there are FAILURES of them, then `open`, and `half-open` while one
    worker probes the source. It is in it since `since`. Times are those of the server, in
    milliseconds since 1970.
    """

    state: Literal["closed", "open", "half-open"]
    failures: Annotated[int, Meta(ge=1)]
    since: Milliseconds
    failed_at: Milliseconds
    retry_at: Milliseconds
    code: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9-]+\Z")]


class Circuits(Client):
    """Reads and changes circuits; one that the server has forgotten is closed."""

    async def of(self, sources: Collection[str]) -> Mapping[str, Circuit]:
        """Return the circuit of each of the sources whose last fetch failed."""
        async with Answering(self._deadline):
            found = await scripts.CIRCUITS.run(self._redis, [KEY], MAX_BYTES, *sources)
        answers = zip(sources, found, strict=True)
        return {source: _read(text) for source, text in answers if text is not None}

    async def find(self, source: str) -> Circuit | None:
        """Return the circuit of a source, or None if its last fetch did not fail."""
        return (await self.of([source])).get(source)

    async def failed(self, source: str, code: str, *, interval: float) -> Circuit:
        """Record a failure; an open circuit lets a probe through after `interval` seconds."""
        arguments = source, FAILURES, round(interval * 1000), code, MAX_BYTES
        async with Answering(self._deadline):
            return _read(await scripts.FAILED.run(self._redis, [KEY], *arguments))

    async def succeeded(self, source: str) -> None:
        """Close a circuit."""
        async with Answering(self._deadline):
            await self._redis.hdel(KEY, source)

    async def may_probe(self, source: str, *, within: float) -> bool:
        """Return whether the caller may probe a source; no other may for `within` seconds."""
        arguments = source, round(within * 1000), MAX_BYTES
        async with Answering(self._deadline):
            return bool(await scripts.PROBE.run(self._redis, [KEY], *arguments))

    async def rest(self, source: str, interval: float) -> float:
        """Return 0 and begin an interval of a source, or the seconds until the present one ends."""
        key, milliseconds = f"{PACE}{source}", max(1, round(interval * 1000))
        async with Answering(self._deadline):
            if await self._redis.set(key, "", nx=True, px=milliseconds):
                return 0.0
            left: int = await self._redis.pttl(key)
            if left > milliseconds:  # the clock of the server was set back
                await self._redis.set(key, "", px=milliseconds)
                left = milliseconds
        return max(left, 1) / 1000


def _read(text: Any) -> Circuit:
    try:
        return msgspec.json.decode(text, type=Circuit)
    except msgspec.MsgspecError as error:
        raise QueueUnavailableError(
            f"the circuit of a source is unreadable ({error}): delete the key {KEY}"
        ) from error
