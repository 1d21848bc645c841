"""Faults of links."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from chaos.cells import Name
from chaos.faults import Act, Claimed
from chaos.links import Link
from chaos.proxy import Proxy

LATENCY: Final = 0.15
"""Seconds in each direction."""
RESETS: Final = 0.01
LOSSES: Final = 0.1
RATE: Final = 20_000.0


def _deaf(proxy: Proxy) -> None:
    proxy.answers_pass.clear()


def _mute(proxy: Proxy) -> None:
    proxy.requests_pass.clear()


def _late(proxy: Proxy) -> None:
    proxy.delay = LATENCY


def _resets(proxy: Proxy) -> None:
    proxy.resets = RESETS


def _losses(proxy: Proxy) -> None:
    proxy.losses = LOSSES


def _slow(proxy: Proxy) -> None:
    proxy.rate = RATE


BREAK: Final[Mapping[Name, Callable[[Proxy], None]]] = {
    Name.BLACKHOLE: Proxy.block,
    Name.DEAF: _deaf,
    Name.MUTE: _mute,
    Name.LATENCY: _late,
    Name.RESETS: _resets,
    Name.LOST: _losses,
    Name.SLOW: _slow,
}


class Break(Act):
    """Breaks the links of processes to one server; `touched` is what their proxies have struck."""

    @property
    def links(self) -> list[Link]:
        """The links that it strikes."""
        server = self.fault.cell.server
        assert server is not None
        return [self.system.links[it.name].every[server] for it in self.victims]

    @property
    def claims(self) -> Iterable[Claimed]:
        return self.links

    async def apply(self) -> None:
        self._before = self._struck
        for link in self.links:
            BREAK[self.fault.cell.name](link.proxy)

    @property
    def _struck(self) -> int:
        return sum(link.proxy.struck for link in self.links)

    async def heal(self) -> None:
        self.touched = self._struck - self._before
        for link in self.links:
            link.proxy.heal()
        await asyncio.sleep(0)
